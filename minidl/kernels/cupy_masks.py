"""Dropout's masks for steps that are captured: drawn on the CPU as ever, and kept on the GPU until their step comes."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..backend import array_module, generator, registry
from ..errors import UnsupportedError
from .cupy_launch import launch
from .cupy_sources import REALS

MOST_BYTES = 1 << 28  # of the masks that are kept


@functools.cache
def source(dtype: str) -> str:
    """``dropout_mask``: `scale` where a byte of the step's row is 1, else 0. Rows are used in turn."""
    return f"""
typedef {REALS[dtype]} real;

extern "C" __global__ void dropout_mask(
    const unsigned char* table, const long long* step, long long later, long long rows, long long size,
    real* mask, real scale)
{{
    const unsigned char* row = table + (*step + later) % rows * size;
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < size; i += stride)
        mask[i] = row[i] ? scale : 0;
}}
"""


class Wish(NamedTuple):
    """A mask that a step asks for."""

    shape: tuple[int, ...]
    rate: float
    dtype: Any


class Masks:
    """The masks of one size of batch: what a step asks for, in its order, and a table for each, a row for a step."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self._tables: list[Any] = []

    @property
    def bytes(self) -> int:
        """Of one step's masks."""
        return sum(int(np.prod(wish.shape)) for wish in self.wishes)

    def allocate(self, xp: Any, rows: int) -> None:
        """Make room for those of so many steps, which are used in turn."""
        self._rows = rows
        self._tables = [xp.empty((rows, *wish.shape), np.bool_) for wish in self.wishes]

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Within the block this thread's steps draw their masks as ever, and these note which."""
        self.wishes.clear()
        with _serving(self._note):
            yield

    @contextmanager
    def serving(self, step: Any, later: int) -> Iterator[None]:
        """Within the block the masks are those in row ``step + later``; `step` is one integer on the GPU."""
        places = iter(zip(self.wishes, self._tables, strict=True))
        with _serving(lambda wish: self._take(next(places, None), wish, step, later)):
            yield

    def fill(self, xp: Any, first: int, count: int) -> None:
        """Draw those of steps `first` to ``first + count``, in their order, and copy them to the GPU."""
        for step in range(first, first + count):
            for wish, table in zip(self.wishes, self._tables, strict=True):
                kept = generator("dropout").random(wish.shape, dtype=np.float32) >= wish.rate
                table[step % self._rows] = xp.asarray(kept)

    def _note(self, wish: Wish) -> None:
        self.wishes.append(wish)

    def _take(self, place: Any, wish: Wish, step: Any, later: int) -> Any:
        if place is None or place[0] != wish or wish.dtype.name not in REALS:
            raise UnsupportedError("a step asks for other dropout masks than the one before")
        table, real = place[1], wish.dtype.type
        size = int(np.prod(wish.shape))
        mask = array_module(table).empty(wish.shape, wish.dtype)
        blocks = max(1, min(-(-size // 256), 1024))
        numbers = np.int64(later), np.int64(self._rows), np.int64(size)
        scale = real(1 / (1 - wish.rate))
        launch(source(wish.dtype.name), "dropout_mask", (blocks,), (256,), table, step, *numbers, mask, scale)
        return mask


class _Here(threading.local):
    serve: Any = None


_here = _Here()


@contextmanager
def _serving(serve: Any) -> Iterator[None]:
    before, _here.serve = _here.serve, serve
    try:
        yield
    finally:
        _here.serve = before


def mask(shape: tuple[int, ...], rate: float, dtype: Any) -> Any:
    """The mask that this thread's step is to use; None if it is to draw one."""
    return None if _here.serve is None else _here.serve(Wish(tuple(shape), rate, np.dtype(dtype)))


registry["dropout mask", "cupy"] = mask
