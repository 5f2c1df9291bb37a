"""NumPy's further ways of turning arrays over and around, made of `flip`, `swapaxes` and `moveaxis`."""

from typing import Any

from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..backend import Array
from ..errors import ShapeError
from ..operands import as_operands
from .shape import Axis, flip, moveaxis, swapaxes


def flipud(m: Array) -> Any:
    """A view of `m` with the order of its rows reversed."""
    return flip(m, 0)


def fliplr(m: Array) -> Any:
    """A view of `m` with the order of its columns reversed."""
    return flip(m, 1)


def rot90(m: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """A view of `m` turned `k` times by 90 degrees, from the first of `axes` towards the second."""
    (m,) = as_operands("rot90", m)
    first, second = normalize_axis_tuple(axes, m.ndim)
    if k % 2:
        m = swapaxes(m, first, second)
    turned: list[Axis] = [(), first, (first, second), second]
    return flip(m, turned[k % 4])


def rollaxis(a: Array, axis: int, start: int = 0) -> Any:
    """A view of `a` with `axis` moved before the axis that has the number `start` now."""
    (a,) = as_operands("rollaxis", a)
    axis = normalize_axis_index(axis, a.ndim)
    if not -a.ndim <= start <= a.ndim:
        raise ShapeError(f"rollaxis: start={start} is out of bounds for shape {a.shape}")
    start += a.ndim if start < 0 else 0
    return moveaxis(a, axis, start - (axis < start))
