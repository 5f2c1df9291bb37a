"""The machine's instructions as rows of integers: alone, in pairs for two threads, and all of them as one table."""

from collections.abc import Callable, Sequence

import numpy as np

from ..program import Array
from .jit.opcodes import PAIRED, WIDTH

SHARED = 16384  # elements from which on it pays to share a pass over them between two threads

Row = list[int]


def address(array: Array) -> int:
    """Where an array's first element is."""
    return int(array.ctypes.data)


def pair(one: Row, other: Row) -> list[Row]:
    """Two instructions that may be carried out at the same time."""
    return [[*one, *[0] * (PAIRED - len(one)), 1], other]


def halves(length: int, work: int, part: Callable[[int, int], Row], middle: int | None = None) -> list[Row]:
    """An instruction for all of `length`, or, if that is `work` for two, one for each half."""
    if work < SHARED or length < 2:
        return [part(0, length)]
    middle = -(-length // 32) * 16 if middle is None else middle
    return pair(part(0, middle), part(middle, length))


def update_rows(head: Row, start: int, stop: int, tail: Row) -> list[Row]:
    """An optimizer's update of the elements from `start` to `stop`: what comes before and after those in the row."""
    return halves(stop - start, stop - start, lambda first, last: [*head, start + first, start + last, *tail])


def table(rows: Sequence[Row]) -> Array:
    """Rows as one array, the short ones filled up with zeros."""
    filled = np.zeros((max(len(rows), 1), WIDTH), np.int64)
    for i, row in enumerate(rows):
        filled[i, : len(row)] = row
    return filled
