"""`pad`: a border around an array."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..arrays import ArrayLike
from ..autograd import Op
from ..backend import Array, array_module
from ..errors import ShapeError, UnsupportedError
from ..operands import as_operands, refuse_gradient
from . import reduce
from .indexing import take
from .linalg import tensordot
from .order import median
from .shape import along, broadcast_to, concatenate, moveaxis, plain

_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": reduce.max,
    "mean": reduce.mean,
    "median": median,
    "minimum": reduce.min,
}
_OPTIONS = {  # of each mode, under NumPy's name
    "constant": "constant_values",
    "edge": None,
    "linear_ramp": "end_values",
    "reflect": "reflect_type",
    "symmetric": "reflect_type",
    "wrap": None,
} | dict.fromkeys(_STATISTICS, "stat_length")


def pad(
    array: Array,
    pad_width: ArrayLike,
    mode: Literal[
        "constant", "edge", "linear_ramp", "maximum", "mean", "median", "minimum", "reflect", "symmetric", "wrap"
    ] = "constant",
    *,
    constant_values: ArrayLike = 0,
    end_values: ArrayLike = 0,
    stat_length: ArrayLike | None = None,
    reflect_type: Literal["even", "odd"] = "even",
) -> Any:
    """`array` within a border, as wide as `pad_width` says: one number, (before, after), or such a pair for each axis.

    The border holds, by `mode`: "constant": `constant_values`, which pass no gradient; "edge": the outermost elements;
    "linear_ramp": what lies on the line from these to `end_values`; "reflect" and "symmetric": the elements mirrored,
    the outermost once or twice, and for `reflect_type` "odd" mirrored in value too; "wrap": those of the other side;
    "maximum", "mean", "median", "minimum": that of the axis, or of the `stat_length` elements at its end.

    Raises `UnsupportedError` for another `mode`, `ShapeError` for a border around nothing but a constant one.
    """
    if mode not in _OPTIONS:
        raise UnsupportedError(f"pad: mode {mode!r} is not there for Tensors: choose one of {', '.join(_OPTIONS)}")
    (array,) = as_operands("pad", array)
    refuse_gradient("pad", (constant_values, end_values))
    given = {
        "constant_values": plain(constant_values),
        "end_values": plain(end_values),
        "stat_length": stat_length,
        "reflect_type": reflect_type,
    }
    option = _OPTIONS[mode]
    widths = _pairs(pad_width, array.ndim)
    if mode == "constant" or array.dtype.kind != "f":
        return _pad(array, widths, mode, {name: value for name, value in given.items() if name == option})
    options = [reflect_type] * array.ndim if option in (None, "reflect_type") else _pairs(given[option], array.ndim)
    for axis, (width, value) in enumerate(zip(widths, options, strict=True)):
        if any(width) and not array.shape[axis]:
            raise ShapeError(f"pad: axis {axis} has no elements for mode {mode!r}: only 'constant' needs none")
        array = _padded(array, axis, width, mode, value)
    return array


def _pairs(value: Any, axes: int) -> list[Any]:
    """(before, after) for each axis, of what NumPy lets be one number, one pair or a pair for each."""
    return np.broadcast_to(np.array(value, dtype=object), (axes, 2)).tolist()


@Op
def _pad(array: Array, widths: Any, mode: str, options: Any) -> Array:
    return array_module(array).pad(array, widths or 0, mode, **options)  # a number has no axes, and takes no list


def _inside(array: Array, widths: Any) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for (before, _), n in zip(widths, array.shape, strict=True))


_pad.vjp(lambda g, y, array, widths, mode, options: g[_inside(array, widths)])  # right for constants: else integers


def _padded(a: Any, axis: int, width: Any, mode: str, option: Any) -> Any:
    """`a` with a border along one axis."""
    if not any(width):
        return a
    n = a.shape[axis]
    if mode in _STATISTICS or mode == "linear_ramp":
        make = _ramp if mode == "linear_ramp" else _statistic
        before, after = (make(a, axis, side, width[side], mode, option[side]) for side in (0, 1))
        return concatenate([before, a, after], axis)
    if option == "odd" and mode in ("reflect", "symmetric"):  # each element is a sum of others, such as 2 a[0] - a[1]
        sums = np.pad(np.eye(n), (width, (0, 0)), mode, reflect_type="odd")  # type: ignore[call-overload]
        weights = array_module(plain(a)).asarray(sums, dtype=a.dtype)
        return moveaxis(tensordot(weights, a, (1, axis)), 0, axis)
    return take(a, np.pad(np.arange(n), width, mode), axis)  # type: ignore[call-overload]


def _statistic(a: Any, axis: int, side: int, width: int, mode: str, length: int | None) -> Any:
    part = a if length is None else a[along(axis, slice(-length, None) if side else slice(length))]
    value = _STATISTICS[mode](part, axis=axis, keepdims=True)
    return broadcast_to(value, (*a.shape[:axis], width, *a.shape[axis + 1 :]))


def _ramp(a: Any, axis: int, side: int, width: int, mode: str, end: float) -> Any:
    edge = a[along(axis, slice(-1, None) if side else slice(1))]
    share = np.arange(width) / (width or 1)
    share = (share[::-1] if side else share).reshape((-1,) + (1,) * (a.ndim - 1 - axis))
    return end + (edge - end) * array_module(plain(a)).asarray(share, dtype=a.dtype)
