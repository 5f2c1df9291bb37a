"""Along one axis: differences, slopes, areas and running products."""

from typing import Any

from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..arrays import DTypeLike
from ..autograd import Op
from ..backend import Array
from ..errors import ShapeError, UnsupportedError
from ..fitting import zeros_of
from ..operands import as_operands
from .arithmetic import not_equal, subtract
from .reduce import sum
from .shape import Axis, along, broadcast_to, concatenate, moveaxis, ravel, reshape


def diff(a: Array, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """The differences of neighbours along `axis`, a[i + 1] - a[i], taken `n` times; of booleans, whether they differ.

    `prepend` and `append` are put before and behind `a` first: a number, or an array that fits. Raises `ShapeError`
    for a number without an axis, or an `n` below 0.
    """
    (a,) = as_operands("diff", a)
    if not a.ndim or n < 0:
        raise ShapeError(f"diff: expected an axis and n of at least 0, got shape {a.shape} and n={n}")
    axis = normalize_axis_index(axis, a.ndim)
    ends = [_one_long(a, end, axis) for end in (prepend, append)]
    if n and any(end is not None for end in ends):
        a = concatenate([part for part in (ends[0], a, ends[1]) if part is not None], axis)
    minus: Any = not_equal if a.dtype == bool else subtract
    for _ in range(n):
        a = minus(a[along(axis, slice(1, None))], a[along(axis, slice(None, -1))])
    return a


def _one_long(a: Any, end: Any, axis: int) -> Any:
    """`end` as something to put beside `a`: a number is repeated, and is one element long along `axis`."""
    if end is None:
        return None
    _, end = as_operands("diff", a, end)
    return end if end.ndim else broadcast_to(end, (*a.shape[:axis], 1, *a.shape[axis + 1 :]))


def ediff1d(ary: Array) -> Any:
    """The differences of neighbours in `ary`, flattened."""
    (ary,) = as_operands("ediff1d", ary)
    return diff(ravel(ary))


def gradient(f: Array, *spacing: Any, axis: Axis = None, edge_order: int = 1) -> Any:
    """The slopes of samples `f` along `axis` (None: a tuple of those along each).

    Half the difference of the neighbours; at the ends that of two samples, or (`edge_order` 2) the slope of the
    parabola through three. `spacing`: the distance
    of samples, 1 by default; one number for all axes, or one for each. Raises `UnsupportedError` for coordinates,
    which need not be equally far apart; `ShapeError` for fewer than ``edge_order + 1`` samples.
    """
    f, *steps = as_operands("gradient", f, *spacing or (1.0,))
    axes = normalize_axis_tuple(range(f.ndim) if axis is None else axis, f.ndim)
    steps = steps * len(axes) if len(steps) == 1 else steps
    if any(step.ndim for step in steps) or len(steps) != len(axes):
        raise UnsupportedError("gradient: give one distance of samples for all axes, or one for each; no coordinates")
    found = [_slopes(f, step, i, edge_order) for step, i in zip(steps, axes, strict=True)]
    return found[0] if len(axes) == 1 else tuple(found)


def _slopes(f: Any, step: Any, axis: int, edge_order: int) -> Any:
    if f.shape[axis] <= edge_order or edge_order not in (1, 2):
        raise ShapeError(f"gradient: edge_order={edge_order} (1 or 2) needs one sample more, axis {axis}: {f.shape}")

    def at(*piece: int | None) -> Any:
        return f[along(axis, slice(*piece))]

    if edge_order == 1:
        first, last = at(1, 2) - at(0, 1), at(-1, None) - at(-2, -1)
    else:
        first = -1.5 * at(0, 1) + 2 * at(1, 2) - 0.5 * at(2, 3)
        last = 0.5 * at(-3, -2) - 2 * at(-2, -1) + 1.5 * at(-1, None)
    return concatenate([first, (at(2, None) - at(0, -2)) / 2, last], axis) / step


def trapezoid(y: Array, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The area below samples `y` by the trapezoidal rule, at places `x` or, without them, `dx` apart."""
    (y,) = as_operands("trapezoid", y)
    axis = normalize_axis_index(axis, y.ndim)
    if x is not None:
        (x,) = as_operands("trapezoid", x)
        dx = diff(x, 1, axis) if x.ndim > 1 else reshape(diff(x), (-1,) + (1,) * (y.ndim - 1 - axis))
    return sum(dx * (y[along(axis, slice(1, None))] + y[along(axis, slice(None, -1))]) / 2, axis)


@Op
def _cumprod(a: Array, axis: int, dtype: DTypeLike | None) -> Array:
    return a.cumprod(axis=axis, dtype=dtype)


def _cumprod_vjp(g: Any, y: Any, a: Any, axis: int, dtype: Any) -> Any:
    # An element's derivative is the product of those before it times r, where r = g + (next element) * (next r). Such
    # a chain is summed over 2, 4, 8, ... elements; nothing is divided by, so zeros do no harm.
    r, y, factor = (moveaxis(part, axis, 0) for part in (g, y, a))
    before = concatenate([zeros_of(y[:1]) + 1, y[:-1]]) if len(y) else y
    factor, step = factor[1:], 1
    while step < len(r):
        r = concatenate([r[:-step] + factor * r[step:], r[-step:]])
        factor, step = factor[:-step] * factor[step:], 2 * step
    return moveaxis(before * r, 0, axis)


_cumprod.vjp(_cumprod_vjp)


def cumprod(a: Array, axis: int | None = None, dtype: DTypeLike | None = None) -> Any:
    """The products of the first element, the first two, and so on along `axis`; of the flattened array for None.

    The derivative is right at zeros too.
    """
    (a,) = as_operands("cumprod", a)
    return _cumprod(ravel(a), 0, dtype) if axis is None else _cumprod(a, normalize_axis_index(axis, a.ndim), dtype)
