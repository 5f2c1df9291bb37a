"""Norms of vectors and of matrices."""

import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..autograd import Op
from ..backend import Array, array_module
from ..errors import OptionError, ShapeError
from ..operands import as_operands
from . import reduce
from .decompositions import svdvals
from .elementwise import absolute, sign, where
from .lapack import square_matrices
from .shape import Axis, expand_dims, moveaxis, plain, reshape
from .solving import inv

Ord: TypeAlias = float | Literal["fro", "nuc"] | None


@Op
def _norm2(x: Array, axis: Axis, keepdims: bool) -> Array:
    x = x if x.dtype.kind == "f" else x.astype(float)
    scale, scaled = reduce.safe_to_square(x, axis)
    y = array_module(x).sqrt((scaled * scaled).sum(axis=axis, keepdims=keepdims))
    return y * reduce.left(scale, axis, keepdims)


def _norm2_vjp(g: Any, y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    # Where y is 0, so is all of x: divided by 1 it is the subgradient 0, not NaN.
    return reduce.kept(g, axis, keepdims) * (x / reduce.kept(where(y == 0, 1, y), axis, keepdims))


_norm2.vjp(_norm2_vjp)


def norm(x: Array, ord: Ord = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """``numpy.linalg.norm``: by default √Σx², over `axis`: a number, a pair (of matrices), or None for all.

    For vectors `ord` may be any number p: (Σ|x|^p)^(1/p), of which 1 is Σ|x|, 2 (or None) √Σx², inf and -inf the
    largest and the smallest |x|, and 0 the number of elements that are not 0. For matrices it may be "fro" (or None),
    √Σx²; "nuc", the sum of the singular values; 2 and -2, the largest and the smallest of these; 1 and -1, the
    largest and the smallest column sum of |x|; inf and -inf, the same of row sums.

    At a kink (equal largest elements, say) the gradient is one of the subgradients, shared evenly among equals; for
    p < 1 it is NaN where an element is 0, as the derivative is infinite there.
    √Σx² is right for x of any size, also where x² would overflow or vanish, and so is p. Where such a norm is 0, its
    derivative is 0, of all the subgradients the least; there the second derivative of what is made of it
    is 0 too, also that of norm(x)**2, which should be 2: write sum(x * x) where a second derivative is wanted.
    Raises `OptionError` for another `ord`, `ShapeError` for one over no axis or more than two.
    """
    (x,) = as_operands("norm", x)
    if ord is None and axis is None:
        return _norm2(x, None, keepdims)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if len(axes) == 1:
        return _of_vectors(x, ord, axis, keepdims)
    if len(axes) == 2:
        return _of_matrices(x, ord, axes, keepdims)
    raise ShapeError(
        f"norm: over {len(axes)} axes of shape {tuple(x.shape)}: give axis=, a number for vectors, a pair for matrices"
    )


def _of_vectors(x: Any, ord: Any, axis: Axis, keepdims: bool) -> Any:
    if ord is None or ord == 2:
        return _norm2(x, axis, keepdims)
    if not isinstance(ord, int | float | np.integer | np.floating):
        raise OptionError(f"norm: ord={ord!r} is not there for vectors: give a number, inf, -inf or None")
    size = absolute(x)
    if abs(ord) == math.inf:
        return (reduce.max if ord > 0 else reduce.min)(size, axis, keepdims)
    if ord == 1:
        return reduce.sum(size, axis, keepdims, None)
    if ord == 0:
        return reduce.sum(sign(size), axis, keepdims, None)
    # A vector divided by a number has a norm divided by it: by one with which powers neither overflow nor vanish.
    scale, _ = reduce.safe_to_square(plain(x), axis)
    total = reduce.sum((size / scale) ** ord, axis, keepdims, None)
    root = where(total == 0, 0, where(total == 0, 1, total) ** (1 / ord))
    return root * reduce.left(scale, axis, keepdims)


def _of_matrices(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord is None or ord == "fro":
        return _norm2(x, axes, keepdims)
    x = moveaxis(x, axes, (-2, -1))
    if ord == "nuc":
        found = reduce.sum(svdvals(x), -1, False, None)
    elif ord in (2, -2):
        found = (reduce.max if ord > 0 else reduce.min)(svdvals(x), -1, False)
    elif ord in (1, -1, math.inf, -math.inf):
        sums = reduce.sum(absolute(x), -2 if abs(ord) == 1 else -1, False, None)
        found = (reduce.max if ord > 0 else reduce.min)(sums, -1, False)
    else:
        raise OptionError(f"norm: ord={ord!r} is not there for matrices: choose of fro, nuc, 1, -1, 2, -2, inf, -inf")
    return expand_dims(found, axes) if keepdims else found


def matrix_norm(x: Array, keepdims: bool = False, ord: Ord = "fro") -> Any:
    """The `norm` of each matrix along the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


def vector_norm(x: Array, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Any:
    """The `norm` over all of `axis`, which together are one vector: by default all elements."""
    (x,) = as_operands("vector_norm", x)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    last = range(-len(axes), 0)
    moved = moveaxis(x, axes, tuple(last))
    found = norm(reshape(moved, (*moved.shape[: x.ndim - len(axes)], -1)), ord, -1)
    return expand_dims(found, axes) if keepdims else found


def cond(x: Array, p: Ord = None) -> Any:
    """The condition number of a matrix, or of each in a stack: how much x⁻¹ magnifies relative errors, at worst.

    The largest singular value by the smallest for `p` None or 2, else the `norm` of `x` times that of its inverse,
    which raises `LinAlgError` if it is singular, `ShapeError` if it is not square.
    """
    if p is None or p in (2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    x = square_matrices("cond", x)
    return norm(x, p, (-2, -1)) * norm(inv(x), p, (-2, -1))
