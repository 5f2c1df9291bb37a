"""Arrays in a few words."""

from typing import Any

import numpy as np

MOST = 6  # numbers that are shown one by one


def shape_of(array: np.ndarray) -> str:
    """Such as ``32 × 10``; of a single number nothing."""
    return " × ".join(map(str, array.shape)) or "-"


def shown(number: Any, digits: int = 4) -> str:
    """A single number, with so many significant digits."""
    return f"{float(number):.{digits}g}"


def summary(array: np.ndarray) -> str:
    """The numbers themselves if they are few; else the least, the mean and the largest."""
    if array.size == 0:
        return "no numbers"
    if array.size <= MOST and array.ndim < 2:
        return " ".join(shown(a) for a in array.reshape(-1))
    if array.dtype.kind != "f":
        return f"{array.min()} … {array.max()}"
    return f"{shown(array.min(), 3)} … {shown(array.max(), 3)}, mean {shown(array.mean(), 3)}"
