"""A picture as light: whatever cameras, scanners and programs write, brought to one scale.

Pillow leaves a good deal to its caller: more than 8 bits a pixel are cut off when it converts them, pictures are turned
only if one asks, and a file of some kilobytes may decode to gigabytes.
"""

import contextlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..system.extras import missing_extra
from ..system.files import open_regular
from ..system.terminal import printable

MOST = 150_000_000  # bytes that a picture may take once decoded: 37 million pixels in colour, 150 million in grey
LONGEST = 65_535  # pixels on a side, as in JPEG
SIDE = 2000  # pixels: what is longer is averaged down to this
_PIECE = 1 << 20  # pixels taken over at a time
_NO_PICTURES = ("EPS", "ICO", "ICNS")  # a program that Ghostscript would run; boxes for pictures of another size
_COPIES = {"WEBP": 2, "AVIF": 2, "TIFF": 2, "JPEG2000": 5}  # how often a decoder holds the whole picture
_TURNED = {  # by the Exif tag "Orientation"
    2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].T, 8: lambda a: np.rot90(a),
}  # fmt: skip


def read_picture(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The first picture in `path`: its light (H, W), from 0 to 255 times the opacity; and the opacity (H, W), 0 to 1.

    Both float32, upright, and not longer than `SIDE`. Of integers beyond 8 bits as many bits count as the brightest
    pixel needs, and floats up to 2 count from 0 to 1; if there are numbers below 0, all are raised.

    Raises `DataError` for a file that is missing, no picture, or would take more than `MOST` bytes, and
    `MissingExtraError` if Pillow cannot be imported.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise missing_extra("reading pictures needs Pillow", "PIL", "plot", error) from error
    name = printable(path)
    try:
        with open_regular(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of metadata that it makes nothing of, and of large pictures
            with Image.open(file) as picture:
                _check(picture, name)
                picture.load()
                return _upright(picture, *_averaged(picture))
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: not a picture that Pillow can read (of no format that it knows)") from error
    except MemoryError as error:
        raise DataError(f"{name}: there is not the memory for so large a picture") from error
    except Exception as error:  # damaged files end in about any error within Pillow's decoders
        raise DataError(f"{name}: not a picture that Pillow can read ({printable(error)})") from error


def _check(picture: Any, name: str) -> None:
    """Raise `DataError` if it takes too much memory to decode `picture`; a JPEG is decoded smaller if that helps."""
    if picture.format in _NO_PICTURES:
        raise DataError(
            f"{name}: a file in the format {picture.format}, which is not read here: save it as PNG or JPEG"
        )
    width, height = picture.size
    if max(width, height) > LONGEST:
        raise DataError(f"{name}: {width} x {height} pixels: more than {LONGEST} on a side are not read")
    if "progression" not in picture.info:  # of a progressive JPEG every coefficient is kept until the end
        picture.draft(None, (SIDE, SIDE))
    pixel = 1 if picture.mode in ("1", "L", "P") else 2 if picture.mode.startswith("I;16") else 4
    needed = picture.size[0] * picture.size[1] * pixel * _COPIES.get(picture.format, 1)
    if needed > MOST:
        raise DataError(
            f"{name}: {width} x {height} pixels take {needed / 1e6:,.0f} MB, more than the {MOST / 1e6:.0f} MB that a "
            f"picture may take here: make it smaller first"
        )


def _averaged(picture: Any) -> tuple[np.ndarray, np.ndarray]:
    """Light and opacity as `read_picture` gives them, but for the turning, taken over strip by strip."""
    width, height = picture.size
    factor = -(-max(width, height) // SIDE)
    rows = factor * max(1, _PIECE // (width * factor))
    strips = [
        [_mean(a, factor) for a in _layers(picture.crop((0, top, width, min(top + rows, height))))]
        for top in range(0, height, rows)
    ]
    light, opacity = (np.concatenate(layer) for layer in zip(*strips, strict=True))
    return _scaled(light, opacity) if _deep(picture.mode) else light, opacity


def _layers(strip: Any) -> tuple[np.ndarray, np.ndarray]:
    """The light of each pixel times its opacity, on the file's own scale; and the opacity."""
    if _deep(strip.mode):
        light = np.asarray(strip).astype(np.float32)
        light[~np.isfinite(light)] = np.nan
        opacity = (light != strip.info.get("transparency")).astype(np.float32)
        return light * opacity, opacity
    if strip.mode == "LAB":
        strip = strip.getchannel("L")
    if strip.mode in ("La", "RGBa"):  # opacity multiplied in
        strip = strip.convert(strip.mode.upper())
    rgba = strip.convert("RGBA")
    opacity = np.asarray(rgba.getchannel("A")).astype(np.float32) / 255
    return np.asarray(rgba.convert("L")) * opacity, opacity


def _mean(layer: np.ndarray, factor: int) -> np.ndarray:
    """The means over squares of `factor` pixels; what is left at the right and below makes smaller ones."""
    for axis in (0, 1) if factor > 1 else ():
        edges = np.arange(0, layer.shape[axis], factor)
        sizes = np.diff(edges, append=layer.shape[axis]).astype(np.float32)
        layer = np.add.reduceat(layer, edges, axis=axis) / (sizes[:, None] if axis == 0 else sizes)
    return layer


def _deep(mode: str) -> bool:
    """Whether the pixels are numbers of more than 8 bits, which Pillow does not scale."""
    return mode in ("I", "F") or mode.startswith("I;16")


def _scaled(light: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """`light` on a scale from 0 to 255; where there is no number, it is that of most of the picture."""
    missing = np.isnan(light)
    light = np.where(missing, 0 if missing.all() else np.nanmedian(light), light)
    light = light - min(light.min(), 0) * opacity
    brightest = float(light.max())
    full = max(1.0, brightest) if brightest <= 2 else 2.0 ** max(8, int(brightest).bit_length()) - 1
    return light * np.float32(255 / full)


def _upright(picture: Any, light: np.ndarray, opacity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both turned as the camera was held."""
    turn = None
    with contextlib.suppress(Exception):  # Exif is a format of its own, and may be damaged by itself
        turn = _TURNED.get(picture.getexif().get(0x0112))
    return (light, opacity) if turn is None else (turn(light), turn(opacity))
