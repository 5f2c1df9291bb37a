"""What to do with NaN: numbers in its place, and reductions that leave it out.

The gradient at a NaN that was left out or replaced is 0.
"""

from typing import Any

from ..arrays import DTypeLike
from ..autograd import Op
from ..backend import Array, array_module
from ..operands import as_operands
from .elementwise import isfinite, isnan, sqrt, square, where
from .reduce import kept, prod, sum
from .shape import Axis


@Op
def nan_to_num(x: Array, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Array:
    """`x` with numbers for NaN, inf and -inf: 0, and the largest and least that there are, unless others are given."""
    return array_module(x).nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


nan_to_num.vjp(lambda g, y, x, nan, posinf, neginf: where(isfinite(x), g, 0))


@Op
def nanmax(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element, NaN left out; NaN of nothing else, with NumPy's warning. Equal ones share the gradient."""
    return array_module(a).nanmax(a, axis=axis, keepdims=keepdims)


@Op
def nanmin(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element, NaN left out; NaN of nothing else, with NumPy's warning. Equal ones share the gradient."""
    return array_module(a).nanmin(a, axis=axis, keepdims=keepdims)


def _chosen_vjp(g: Any, y: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    chosen = a == kept(y, axis, keepdims)
    count = sum(chosen, axis, True, g.dtype)
    return where(chosen, kept(g, axis, keepdims) / where(count == 0, 1, count), 0)


nanmax.vjp(_chosen_vjp)
nanmin.vjp(_chosen_vjp)


def nansum(a: Array, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike | None = None) -> Any:
    """The `sum` of the elements that are not NaN."""
    (a,) = as_operands("nansum", a)
    return sum(where(isnan(a), 0, a), axis, keepdims, dtype)


def nanprod(a: Array, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike | None = None) -> Any:
    """The product (`prod`) of the elements that are not NaN."""
    (a,) = as_operands("nanprod", a)
    return prod(where(isnan(a), 1, a), axis, keepdims, dtype)


def nanmean(a: Array, axis: Axis = None, keepdims: bool = False) -> Any:
    """The `mean` of the elements that are not NaN; NaN if there are none, with NumPy's warning."""
    (a,) = as_operands("nanmean", a)
    return nansum(a, axis, keepdims) / _count(a, axis, keepdims)


def nanvar(a: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """The variance (`var`) of the elements that are not NaN."""
    (a,) = as_operands("nanvar", a)
    centre = nanmean(a, axis, True)
    deviation = where(isnan(a), 0, a - centre)  # before it is squared: at a NaN the gradient is 0, not 0 times NaN
    return sum(square(deviation), axis, keepdims) / (_count(a, axis, keepdims) - ddof)


def nanstd(a: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """The standard deviation, √ of `nanvar`; where it is 0 its derivative is 0, as that of `std`."""
    variance = nanvar(a, axis, ddof, keepdims)
    return where(variance == 0, 0, sqrt(where(variance == 0, 1, variance)))


def _count(a: Any, axis: Axis, keepdims: bool) -> Any:
    """How many elements are not NaN, in floating point."""
    dtype = a.dtype if a.dtype.kind == "f" else float
    return sum(a == a, axis, keepdims, dtype)
