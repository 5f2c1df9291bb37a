"""A picture of a digit, made to look like MNIST's own."""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, MissingExtraError

SIDE, BOX = 28, 20  # MNIST: a digit fits a 20 x 20 box, its centre of mass lies on pixel (14, 14) of 28 x 28


def read_digit(path: str | Path) -> np.ndarray:
    """The picture in `path` as MNIST would hold it: (784,) uint8, light ink on black.

    MNIST's own steps (LeCun et al. 1998): crop to the ink, scale into a 20 x 20 box keeping the proportions,
    place so that the centre of mass lies on pixel (14, 14) of 28 x 28. Dark ink on light paper is inverted first,
    transparency counts as paper. Raises `DataError` for a file that is missing, no picture or blank, and
    `MissingExtraError` if Pillow is not installed.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MissingExtraError("reading pictures needs Pillow: pip install 'minidl[plot]'") from error
    try:
        with Image.open(path) as picture:
            rgba = picture.convert("RGBA")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a picture that Pillow can read ({error})") from error
    opaque = Image.alpha_composite(Image.new("RGBA", rgba.size, "white" if _mostly_dark(rgba) else "black"), rgba)
    ink = np.asarray(opaque.convert("L"), dtype=np.float64)
    border = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    if np.median(border) > 127:
        ink = 255 - ink
    ink -= np.median(np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]))
    ink = ink.clip(0)
    if ink.max() < 25:
        raise DataError(f"{path}: found no ink: expected a digit that stands out from its background")
    ink *= 255 / ink.max()
    rows, columns = np.flatnonzero((ink > 25).any(axis=1)), np.flatnonzero((ink > 25).any(axis=0))
    cropped = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8))
    scale = BOX / max(cropped.size)
    size = [max(1, round(length * scale)) for length in cropped.size]
    digit = np.asarray(cropped.resize((size[0], size[1]), Image.Resampling.LANCZOS), dtype=np.float64)
    return _centred(digit).ravel()


def _mostly_dark(rgba: Any) -> bool:
    """Whether what is painted on a transparent ground is dark, so that the ground must be light."""
    pixels = np.asarray(rgba, dtype=np.float64)
    painted = pixels[..., 3] > 127
    return bool(painted.any() and pixels[painted][:, :3].mean() < 128)


def _centred(digit: np.ndarray) -> np.ndarray:
    """`digit` in the middle of 28 x 28 by its centre of mass, as far as it fits."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    mass = digit.sum()
    corner = []
    for axis, length in enumerate(digit.shape):
        centre = (digit.sum(axis=1 - axis) * np.arange(length)).sum() / mass
        corner.append(int(np.clip(round(SIDE / 2 - centre), 0, SIDE - length)))
    top, left = corner
    canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = digit.round()
    return canvas
