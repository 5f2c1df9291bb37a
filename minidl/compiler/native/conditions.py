"""When machine code of float32 may stand for one of NumPy's functions: numbers, errors, memory."""

from typing import Any

import numpy as np

from ...backend import Array
from ...errors import UnsupportedError
from .table import address

F32 = np.dtype(np.float32)


def in_float32(ufunc: np.ufunc, args: list[Any]) -> bool:
    """Whether NumPy computes this function of these operands in float32."""
    types = [a.dtype if hasattr(a, "dtype") else type(a) for a in args]
    try:
        found = ufunc.resolve_dtypes((*types, *[None] * ufunc.nout))
    except TypeError:
        return False
    return all(dtype == F32 for dtype in found[: ufunc.nin])


def divides_exactly(ufunc: np.ufunc, args: list[Any], casting: str) -> bool:
    """Whether it is a quotient by a whole number that NumPy rounds twice, to the same bits.

    That of two numbers of float32 has the same 24 bits if it is rounded to 53 first (Figueroa
    1995, "When is double rounding innocuous?").
    """
    if ufunc is not np.divide or casting != "unsafe" or args[0].dtype != F32:
        return False
    number = np.asarray(args[1])
    return number.ndim == 0 and number.dtype.kind in "iu" and int(F32.type(number)) == int(number)


def check_apart(out: Array, args: list[Any]) -> None:
    """Raise `UnsupportedError` if a result would write over numbers that are still to be read."""
    for a in args:
        if isinstance(a, np.ndarray) and np.may_share_memory(a, out):
            same = (address(a), a.shape, a.strides) == (address(out), out.shape, out.strides)
            if not same or a.dtype != out.dtype:
                raise UnsupportedError(
                    "machine code makes no copy of what overlaps with its result"
                )


def check_places(places: Array, size: int, axis: int) -> None:
    """Raise `IndexError`, as NumPy does, if one of these numbers is not within -size and size."""
    if places.min() < -size or places.max() >= size:
        wrong = places[(places < -size) | (places >= size)][0]
        raise IndexError(f"index {wrong} is out of bounds for axis {axis} with size {size}")
