"""A picture of a digit, made to look like MNIST's own."""

from pathlib import Path

import numpy as np

from ..errors import DataError
from ..system.terminal import printable
from .picture import read_picture

SIDE, BOX = 28, 20  # MNIST: a digit fits a 20 x 20 box, its centre of mass lies on pixel (14, 14) of 28 x 28


def read_digit(path: str | Path) -> np.ndarray:
    """The picture in `path` as MNIST would hold it: (784,) uint8, light ink on black.

    MNIST's own steps (LeCun et al. 1998): crop to the ink, scale into a 20 x 20 box keeping the proportions,
    place so that the centre of mass lies on pixel (14, 14) of 28 x 28. Dark ink on light paper is inverted first,
    transparency counts as paper. Any picture that Pillow reads (picture.py), of several the first. Raises `DataError`
    for a file that is missing, no picture, blank or far too large, and `MissingExtraError` if Pillow is not installed.
    """
    light, opacity = read_picture(path)
    from PIL import Image

    ink = light + (1 - opacity) * _ground(light, opacity)
    # Most of the border is paper: if that is light, all is inverted, and its shade is counted as zero.
    border = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    if np.median(border) > 127:
        ink = 255 - ink
    ink -= np.median(np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]))
    ink = ink.clip(0)
    if ink.max() < 25:
        raise DataError(f"{printable(path)}: found no ink: expected a digit that stands out from its background")
    ink *= 255 / ink.max()
    rows, columns = np.flatnonzero((ink > 25).any(axis=1)), np.flatnonzero((ink > 25).any(axis=0))
    cropped = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].round().astype(np.uint8))
    scale = BOX / max(cropped.size)
    size = [max(1, round(length * scale)) for length in cropped.size]
    digit = np.asarray(cropped.resize((size[0], size[1]), Image.Resampling.LANCZOS), dtype=np.float64)
    return _centred(digit).ravel()


def _ground(light: np.ndarray, opacity: np.ndarray) -> int:
    """What lies under a picture that is clear in parts, 0 or 255: the shade to which the paint fades at its edges.

    Paint of one shade does not fade: then the ground is what it stands out from.
    """
    painted = opacity > 0.5
    inner = painted.copy()
    for axis in (0, 1):
        for step in (1, -1):
            inner &= np.roll(painted, step, axis)
    edge = painted & ~inner
    if painted.all() or not edge.any():
        return 0
    shade = float((light[painted] / opacity[painted]).mean())
    fading = float((light[edge] / opacity[edge]).mean()) - shade
    dark = fading < 0 if abs(fading) > 8 else shade >= 128
    return 0 if dark else 255


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
