"""Elements by their order: partitions, medians and other quantiles."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..arrays import ArrayLike, common_dtype
from ..backend import Array, array_module
from ..errors import OptionError, ShapeError
from ..operands import as_operands, refuse_gradient
from .elementwise import isnan, where
from .indexing import sort, take_along_axis
from .reduce import max, min
from .shape import Axis, expand_dims, moveaxis, plain, ravel, reshape

Method = Literal["linear", "lower", "higher", "midpoint", "nearest"]


def partition(a: Array, kth: int | Sequence[int], axis: int | None = -1) -> Any:
    """`a` with the `kth` smallest element along `axis` (None: of `a` flattened) in its place, smaller ones before it.

    Each gradient goes where its element was.
    """
    (a,) = as_operands("partition", a)
    if axis is None:
        a, axis = ravel(a), 0
    values = plain(a)
    return take_along_axis(a, array_module(values).argpartition(values, kth, axis), axis)


def quantile(a: Array, q: ArrayLike, axis: Axis = None, method: Method = "linear", keepdims: bool = False) -> Any:
    """The number below which the share `q` of the elements lies, along `axis` (None: of all); NaN if one is.

    `q`: a share in [0, 1], or an array of them, whose axes come first in the result. Between two neighbours in order
    it is what `method` says; the gradient goes to those two, or to the one that was taken. Raises `OptionError` for a
    share outside [0, 1] and for another method, `ShapeError` where there is no element.
    """
    (a,) = as_operands("quantile", a)
    refuse_gradient("quantile", q)
    shares = np.asarray(plain(q), dtype=float)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise OptionError(f"quantile: q = {q} does not lie in [0, 1] (for percentile: 0 to 100)")
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    rest = [n for i, n in enumerate(a.shape) if i not in axes]
    if not a.size:
        raise ShapeError(f"quantile: an array of shape {a.shape} has no elements")
    rows = sort(reshape(moveaxis(a, axes, tuple(range(len(axes)))), (-1, *rest)), 0)
    found = _between(rows, shares * (len(rows) - 1), method)
    found = where(isnan(rows[-1]), rows[-1], found)  # NaN is sorted behind all others
    return expand_dims(found, tuple(shares.ndim + i for i in axes)) if keepdims else found


def _between(rows: Any, place: np.ndarray, method: Method) -> Any:
    """What lies at each `place` (from 0, not always whole) of `rows`, which are sorted."""
    lower, upper = np.floor(place).astype(int), np.ceil(place).astype(int)
    if method in ("lower", "higher", "nearest"):
        return rows[{"lower": lower, "higher": upper, "nearest": np.rint(place).astype(int)}[method]]
    if method not in ("linear", "midpoint"):
        raise OptionError(f"quantile: unknown method {method!r}: choose linear, lower, higher, midpoint or nearest")
    share = place - lower if method == "linear" else (upper - lower) / 2
    share = share.reshape(share.shape + (1,) * (rows.ndim - 1))
    low, high = rows[lower], rows[upper]
    if not share.any():  # and no difference of infinities is taken
        return low
    return low + (high - low) * array_module(plain(rows)).asarray(share, dtype=common_dtype([low, 1.0]))


def percentile(a: Array, q: ArrayLike, axis: Axis = None, method: Method = "linear", keepdims: bool = False) -> Any:
    """The `quantile` for shares in per cent, in [0, 100]."""
    refuse_gradient("percentile", q)
    return quantile(a, np.asarray(plain(q), dtype=float) / 100, axis, method, keepdims)


def median(a: Array, axis: Axis = None, keepdims: bool = False) -> Any:
    """The element in the middle, or half the sum of the two that are there, along `axis` (None: of all); NaN if one is.

    Raises `ShapeError` where there is no element.
    """
    return quantile(a, 0.5, axis, "midpoint", keepdims)


def ptp(a: Array, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest element less the smallest, each as by `max` and `min`."""
    (a,) = as_operands("ptp", a)
    return max(a, axis, keepdims) - min(a, axis, keepdims)
