"""Many elements made into one, along some axes or all.

`axis`: a number, negative ones counted from the end, a tuple of them, or None for all. With
`keepdims` the reduced axes stay, of length 1.
"""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..arrays import DTypeLike
from ..autograd import Op
from ..backend import Array, array_module
from ..operands import as_operands
from .elementwise import exp, where
from .shape import Axis, broadcast_to, concatenate, expand_dims, flip, moveaxis, reshape


def kept(g: Any, axis: Axis, keepdims: bool) -> Any:
    """`g` with the reduced axes back, of length 1: along them the engine repeats a gradient."""
    return g if keepdims or axis is None else expand_dims(g, axis)


def left(a: Any, axis: Axis, keepdims: bool) -> Any:
    """`a`, which has kept its reduced axes, without them: `kept`, undone."""
    return a if keepdims else a.reshape(()) if axis is None else a.squeeze(axis)


def safe_to_square(a: Array, axis: Axis) -> tuple[Array, Array]:
    """The size of `a` along `axis`, kept, and `a` divided by it: squares of that neither overflow nor vanish together.

    The size is the largest |a|; 1 where that is 0, infinite or NaN.
    """
    xp = array_module(a)
    largest = (abs(a).max if a.size else a.sum)(axis=axis, keepdims=True)  # of nothing there is no largest
    scale = xp.where((largest > 0) & xp.isfinite(largest), largest, 1)
    return scale, a / scale


def _count(a: Any, y: Any) -> int:
    """How many elements of `a` went into each of `y`; 1 if none did, so that one can divide by it."""
    return a.size // (y.size or 1) or 1


@Op
def sum(a: Array, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike | None = None) -> Array:
    """The sum of the elements, added up in `dtype`; 0 of none."""
    return a.sum(axis=axis, keepdims=keepdims, dtype=dtype)


sum.vjp(lambda g, y, a, axis, keepdims, dtype: kept(g, axis, keepdims))


@Op
def mean(a: Array, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike | None = None) -> Array:
    """The arithmetic mean; NaN of none, with NumPy's warning. Integers have a float64 mean."""
    return a.mean(axis=axis, keepdims=keepdims, dtype=dtype)


mean.vjp(lambda g, y, a, axis, keepdims, dtype: kept(g / _count(a, y), axis, keepdims))


def average(a: Array, axis: Axis = None, weights: Array | None = None, keepdims: bool = False) -> Any:
    """The mean with `weights` Σ w a / Σ w: of the shape of `a`, or one number for each element along one `axis`."""
    if weights is None:
        return mean(a, axis, keepdims)
    a, weights = as_operands("average", a, weights)
    if weights.shape != a.shape and isinstance(axis, int):
        weights = reshape(weights, (-1,) + (1,) * (a.ndim - 1 - normalize_axis_index(axis, a.ndim)))
    total = sum(broadcast_to(weights, a.shape), axis, keepdims)
    return sum(a * weights, axis, keepdims) / total


@Op
def var(a: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Array:
    """The variance Σ (a - mean)² / (n - ddof): biased for `ddof` 0, unbiased for 1."""
    return a.var(axis=axis, ddof=ddof, keepdims=keepdims)


def _var_vjp(g: Any, y: Any, a: Any, axis: Axis, ddof: float, keepdims: bool) -> Any:
    return kept(2 * g / (_count(a, y) - ddof), axis, keepdims) * (a - mean(a, axis, True, None))


var.vjp(_var_vjp)


@Op
def std(a: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Array:
    """The standard deviation √var, also where var would overflow or vanish.

    Where it is 0 its derivative is 0, of all the subgradients the least; there the second derivative of what is made
    of it is 0 too, also that of std(x)**2: write var(x) where a second derivative is wanted.
    """
    if not a.size:
        return a.std(axis=axis, ddof=ddof, keepdims=keepdims)
    scale, scaled = safe_to_square(a - a.mean(axis=axis, keepdims=True), axis)
    return scaled.std(axis=axis, ddof=ddof, keepdims=keepdims) * left(scale, axis, keepdims)


def _std_vjp(g: Any, y: Any, a: Any, axis: Axis, ddof: float, keepdims: bool) -> Any:
    deviation = (a - mean(a, axis, True, None)) / kept(where(y == 0, 1, y), axis, keepdims)
    return kept(g / (_count(a, y) - ddof), axis, keepdims) * deviation


std.vjp(_std_vjp)


@Op
def max(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element; NaN if one is. Equal ones share the gradient. Raises `ShapeError` if there is none."""
    return a.max(axis=axis, keepdims=keepdims)


@Op
def min(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element; NaN if one is. Equal ones share the gradient. Raises `ShapeError` if there is none."""
    return a.min(axis=axis, keepdims=keepdims)


def _chosen_vjp(g: Any, y: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    chosen = (a == kept(y, axis, keepdims)) + (a != a)  # a NaN equals nothing, yet where there is one it was chosen
    return where(chosen, kept(g, axis, keepdims) / sum(chosen, axis, True, g.dtype), 0)


max.vjp(_chosen_vjp)
min.vjp(_chosen_vjp)


@Op
def argmax(a: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the largest element, the first of equals; of the flattened array for axis None. No gradient."""
    return array_module(a).argmax(a, axis=axis, keepdims=keepdims)


argmax.vjp(None)


@Op
def argmin(a: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the smallest element, the first of equals; of the flattened array for axis None. No gradient."""
    return array_module(a).argmin(a, axis=axis, keepdims=keepdims)


argmin.vjp(None)


@Op
def prod(a: Array, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike | None = None) -> Array:
    """The product of the elements, multiplied in `dtype`; 1 of none. The derivative is right at zeros too."""
    return a.prod(axis=axis, keepdims=keepdims, dtype=dtype)


def _prod_vjp(g: Any, y: Any, a: Any, axis: Axis, keepdims: bool, dtype: Any) -> Any:
    # All axes of the product become one, the last.
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    last = tuple(range(a.ndim - len(axes), a.ndim))
    moved = moveaxis(a, axes, last)
    rows = reshape(moved, (*moved.shape[: a.ndim - len(axes)], math.prod(moved.shape[i] for i in last)))
    return kept(g, axis, keepdims) * moveaxis(reshape(products_of_others(rows), moved.shape), last, axes)


def products_of_others(a: Any) -> Any:
    """For each element the product of all others along the last axis.

    Dividing the whole product by it would fail at a zero; so pairs are multiplied, then pairs of pairs,
    and what each pair lacks comes back down.
    """
    if a.shape[-1] < 2:
        return a**0
    half = a.shape[-1] // 2
    left, right, rest = a[..., :half], a[..., half : 2 * half], a[..., 2 * half :]
    others = products_of_others(concatenate([left * right, rest], -1))
    pair = others[..., :half]
    return concatenate([pair * right, pair * left, others[..., half:]], -1)


prod.vjp(_prod_vjp)


@Op
def cumsum(a: Array, axis: int | None = None, dtype: DTypeLike | None = None) -> Array:
    """The sums of the first element, the first two, and so on along `axis`; of the flattened array for None."""
    return a.cumsum(axis=axis, dtype=dtype)


def _cumsum_vjp(g: Any, y: Any, a: Any, axis: int | None, dtype: Any) -> Any:
    # An element is in all the sums from its own on: so these gradients are summed from the end.
    axis = 0 if axis is None else axis
    return reshape(flip(cumsum(flip(g, axis), axis, None), axis), a.shape)


cumsum.vjp(_cumsum_vjp)


@Op
def logsumexp(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """The logarithm of Σ e^a, without overflow: the largest is subtracted first. Derivative: the softmax.

    Of nothing but -inf it is -inf, with derivative 0. Raises `ShapeError` if there is no element.
    """
    xp = array_module(a)
    largest = a.max(axis=axis, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore", over="ignore"):  # log 0 = -inf is meant, and ±inf among huge numbers
        y = xp.log(xp.exp(a - largest).sum(axis=axis, keepdims=True)) + largest
    return left(y, axis, keepdims)


def _logsumexp_vjp(g: Any, y: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    # y is -inf if all of a is: exp(-inf - 0) is the 0 that is wanted, exp(-inf + inf) would be NaN.
    y = kept(where(y == -math.inf, 0, y), axis, keepdims)
    return kept(g, axis, keepdims) * exp(a - y)


logsumexp.vjp(_logsumexp_vjp)
