"""Triangles and diagonals of matrices, and products that are no matrix products."""

from typing import Any

from ..autograd import Op
from ..backend import Array, array_module
from ..errors import ShapeError
from ..operands import as_operands
from .arithmetic import multiply
from .linalg import diag, dot
from .shape import moveaxis, ravel, reshape, stack, swapaxes


@Op
def triu(m: Array, k: int = 0) -> Array:
    """The matrices along the last two axes, with 0 below the diagonal that is `k` above the main one."""
    return array_module(m).triu(m, k)


@Op
def tril(m: Array, k: int = 0) -> Array:
    """The matrices along the last two axes, with 0 above the diagonal that is `k` above the main one."""
    return array_module(m).tril(m, k)


triu.vjp(lambda g, y, m, k: triu(g, k))
tril.vjp(lambda g, y, m, k: tril(g, k))


def diagflat(v: Array, k: int = 0) -> Any:
    """The matrix with `v`, flattened, on the diagonal that is `k` above the main one, else 0."""
    (v,) = as_operands("diagflat", v)
    return diag(ravel(v), k)


def matrix_transpose(x: Array) -> Any:
    """A view of `x` with its last two axes exchanged. Raises `ShapeError` if there are fewer."""
    (x,) = as_operands("matrix_transpose", x)
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose: expected at least 2 axes, got shape {x.shape}")
    return swapaxes(x, -1, -2)


def vdot(a: Array, b: Array) -> Any:
    """The sum of all products of elements, both flattened first."""
    a, b = as_operands("vdot", a, b)
    return dot(ravel(a), ravel(b))


def kron(a: Array, b: Array) -> Any:
    """Kronecker's product: `b`, laid side by side for each element of `a` and multiplied by it."""
    a, b = as_operands("kron", a, b)
    axes = max(a.ndim, b.ndim)
    rows, columns = ((1,) * (axes - part.ndim) + part.shape for part in (a, b))
    outside = reshape(a, [n for length in rows for n in (length, 1)])
    inside = reshape(b, [n for length in columns for n in (1, length)])
    return reshape(multiply(outside, inside), [m * n for m, n in zip(rows, columns, strict=True)])


def cross(a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The cross product of vectors of three along `axisa` and `axisb`, put along `axisc`; `axis` stands for all three.

    Raises `ShapeError` for vectors of other lengths.
    """
    a, b = as_operands("cross", a, b)
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    if (a.shape[axisa], b.shape[axisb]) != (3, 3):
        raise ShapeError(f"cross: expected vectors of length 3, got {a.shape[axisa]} and {b.shape[axisb]}")
    a, b = moveaxis(a, axisa, 0), moveaxis(b, axisb, 0)
    return stack([a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)], axisc)
