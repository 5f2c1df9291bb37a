"""Pictures moved, turned, scaled and bent at random, so that a network learns what they have in common."""

import math
from collections.abc import Sequence

import numpy as np

from ..errors import DataError, OptionError

_BLOCK = 64  # pictures at a time: what is computed for them stays in the cache
_FLATTENED = 1e-3  # of a wave's height: what smoothing leaves less of is left out
_BEFORE, _AFTER = 1, 2  # black pixels around a picture: there its neighbours are read, however far away a point is


class Augment:
    """A transform for pictures: each is moved, turned, scaled and bent, by amounts drawn for it alone.

    ``fit(model, train.with_transform(Augment(shift=2, rotate=10)), ...)`` trains on other pictures in each epoch. It is
    one map of the plane: the value at a point p (pixels from the centre) is read at ``A p + b + u(p)`` of the picture,
    between four pixels (bilinear interpolation), and is 0 outside. A turns and scales, b shifts, u is a smooth random
    field (P. Simard, D. Steinkraus, J. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", ICDAR 2003).

    Args:
        shift: the most that a picture is moved up or down, and left or right, in pixels (and parts of them).
        rotate: the most that it is turned, either way, in degrees.
        scale: the share by which height and width, each for itself, may grow or shrink: 0.1 draws from 0.9 to 1.1.
        elastic: Simard's alpha: u is noise in [-1, 1], smoothed and multiplied by this. 34, their number, displaces a
            point by 1.4 pixels (root mean square) with ``sigma=4``. (Here the noise is normal, with the same variance.)
        sigma: the standard deviation of the Gaussian that smooths the noise, in pixels: larger is smoother and flatter.
        shape: (height, width), or (channels, height, width); if not given, pictures are square, of one channel.

    Raises:
        OptionError: for amounts that are negative or not finite, a `scale` of 1 or more, and if nothing is asked for.
        DataError: when it is called, for inputs that are no such pictures.
    """

    def __init__(
        self,
        *,
        shift: float = 0.0,
        rotate: float = 0.0,
        scale: float = 0.0,
        elastic: float = 0.0,
        sigma: float = 4.0,
        shape: Sequence[int] | None = None,
    ) -> None:
        amounts = {"shift": shift, "rotate": rotate, "scale": scale, "elastic": elastic}
        for name, value in (amounts | {"sigma": sigma}).items():
            if not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
                raise OptionError(f"Augment: {name}={value!r}: give a finite number of at least 0")
        if scale >= 1:
            raise OptionError(f"Augment: scale={scale!r}: give a share below 1, such as 0.1 for sizes from 0.9 to 1.1")
        if sigma == 0:
            raise OptionError("Augment: sigma=0: give how many pixels the field is smoothed over, such as 4")
        if not any(amounts.values()):
            raise OptionError("Augment: nothing to do: give amounts, such as shift=2, rotate=10, scale=0.1, elastic=34")
        if shape is not None and (len(shape) not in (2, 3) or min(shape) < 1):
            raise OptionError(f"Augment: shape={shape!r}: give (height, width) or (channels, height, width)")
        self.shift, self.rotate, self.scale, self.elastic = map(float, amounts.values())
        self.sigma = float(sigma)
        self.shape = None if shape is None else tuple(map(int, shape))

    def __call__(self, inputs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Other pictures.

        Args:
            inputs: (N, D) pictures, uint8 or floating.
            rng: what is drawn, is drawn from it.

        Returns:
            A new array like `inputs`.
        """
        channels, height, width = self._sizes(inputs.shape[1])
        rows, columns = _axis(height, self.sigma, self.elastic), _axis(width, self.sigma, self.elastic)
        draws = rng.uniform(-1, 1, (len(inputs), 5))
        out = np.empty_like(inputs)
        for start in range(0, len(inputs), _BLOCK):
            block = slice(start, start + _BLOCK)
            pictures = inputs[block].reshape(-1, channels, height, width)
            maps = self._maps(draws[block], rows, columns, rng)
            out[block] = _read(pictures, rows @ (maps @ columns.T)).reshape(len(pictures), -1)
        return out

    def _sizes(self, length: int) -> tuple[int, int, int]:
        """Channels, height and width of pictures of so many numbers."""
        side = math.isqrt(length)
        channels, height, width = (1, side, side) if self.shape is None else (1, *self.shape)[-3:]
        if channels * height * width != length:
            shape = "a square" if self.shape is None else f"of shape {self.shape}"
            raise DataError(f"Augment: samples of {length} numbers are not {shape}: give shape=(height, width)")
        return channels, height, width

    def _maps(self, draws: np.ndarray, rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each picture the coefficients Z of its map: it reads row and column ``rows @ Z @ columns.T``.

        draws: (n, 5), from -1 to 1. Returns (n, 2, k, l) float32, for functions along rows (height, k) and columns
        (width, l), see `_axis`.
        """
        z = np.zeros((len(draws), 2, rows.shape[1], columns.shape[1]), np.float32)
        turn, tall, wide, down, right = draws.T
        angle, tall, wide = np.deg2rad(self.rotate * turn), 1 + self.scale * tall, 1 + self.scale * wide
        z[:, 0, 0, 0] = (len(rows) - 1) / 2 + self.shift * down
        z[:, 1, 0, 0] = (len(columns) - 1) / 2 + self.shift * right
        z[:, 0, 1, 0], z[:, 0, 0, 1] = np.cos(angle) / tall, np.sin(angle) / tall
        z[:, 1, 1, 0], z[:, 1, 0, 1] = -np.sin(angle) / wide, np.cos(angle) / wide
        if self.elastic:
            z[:, :, 2:, 2:] = rng.standard_normal(z[:, :, 2:, 2:].shape, np.float32)
        return z

    def __repr__(self) -> str:
        return f"Augment({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


def _axis(size: int, sigma: float, elastic: float) -> np.ndarray:
    """Functions along one axis of a picture, whose products make every map: (size, 2 + waves) float32.

    The constant 1, the distance from the centre, and cosines: noise that a Gaussian smooths, mirrored at the edges, is
    a sum of cosines with normal coefficients, of which the one of frequency f keeps ``exp(-(sigma f)^2 / 2)``. The
    high ones, of which nothing is left, need not be drawn. The fields' amplitude is the product of two axes' factors.
    """
    places = np.arange(size)
    linear = np.column_stack([np.ones(size), places - (size - 1) / 2])
    if not elastic:
        return linear.astype(np.float32)
    frequencies = np.pi * places / size
    waves = np.cos(np.outer(places + 0.5, frequencies)) * np.sqrt(np.where(places, 2, 1) / size)  # orthonormal
    kept = np.exp(-((sigma * frequencies) ** 2) / 2)
    uniform = 1 / math.sqrt(3)  # the standard deviation of Simard's noise, uniform in [-1, 1]
    amplitudes = math.sqrt(elastic * uniform) * kept[kept > _FLATTENED]
    return np.column_stack([linear, waves[:, : len(amplitudes)] * amplitudes]).astype(np.float32)


def _read(pictures: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The values at the points `where` of `pictures`, by bilinear interpolation; 0 outside.

    pictures: (n, channels, height, width). where: (n, 2, height, width) float32, a row and a column; overwritten.
    """
    count, channels, height, width = pictures.shape
    stride, around = width + _BEFORE + _AFTER, (_BEFORE, _AFTER)
    where += _BEFORE
    np.clip(where, 0, np.array([height + _BEFORE, width + _BEFORE], np.float32)[:, None, None], out=where)
    corner = where.astype(np.intp)  # upper left of the four pixels
    where -= corner
    down, right = where[:, 0], where[:, 1]
    first = np.arange(count) * ((height + _BEFORE + _AFTER) * stride)
    index = first[:, None, None] + corner[:, 0] * stride + corner[:, 1]
    out = np.empty_like(pictures)
    for channel in range(channels):
        padded = np.pad(pictures[:, channel].astype(np.float32), ((0, 0), around, around)).ravel()
        upper = _between(padded.take(index), padded[1:].take(index), right)
        lower = _between(padded[stride:].take(index), padded[stride + 1 :].take(index), right)
        values = _between(upper, lower, down)
        if out.dtype == np.uint8:
            values += 0.5  # to be cut off: rounded
        out[:, channel] = values
    return out


def _between(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """``a + share * (b - a)``, in the memory of both."""
    b -= a
    b *= share
    a += b
    return a
