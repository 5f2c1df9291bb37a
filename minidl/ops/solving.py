"""Linear systems: inverses, determinants, powers, and products of many matrices."""

import operator
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from ..autograd import Op
from ..backend import Array, array_module
from ..errors import ShapeError
from ..fitting import zeros_of
from ..operands import as_operands
from .lapack import identity, lapack, square_matrices
from .linalg import LETTERS, einsum
from .matrices import matrix_transpose
from .reduce import products_of_others, sum
from .shape import broadcast_to

A = TypeVar("A")


@Op
def inv(a: Array) -> Array:
    """The inverse of a matrix (n, n), or of each in a stack (..., n, n). Derivative: -A⁻¹ dA A⁻¹.

    Raises `LinAlgError` if one is singular, `ShapeError` if they are not square.
    """
    return lapack("inv", square_matrices("inv", a))


def _inv_vjp(g: Any, y: Any, a: Any) -> Any:
    transposed = matrix_transpose(y)
    return -(transposed @ g @ transposed)


inv.vjp(_inv_vjp)


@Op
def _solve(a: Array, b: Array) -> Array:
    return lapack("solve", a, b)


_solve.vjp(
    lambda g, y, a, b: -(_solve(matrix_transpose(a), g) @ matrix_transpose(y)),
    lambda g, y, a, b: _solve(matrix_transpose(a), g),
)


def solve(a: Array, b: Array) -> Any:
    """The x with a @ x = b, for a matrix `a` (n, n) and a vector `b` (n,) or several as columns, (n, k).

    Stacks (..., n, n) and (..., n, k) broadcast; a `b` with one axis is one vector for all. Better than inv(a) @ b:
    half the work, and more exact.
    Raises `LinAlgError` if a matrix is singular, `ShapeError` if it is not square or `b` does not fit.
    """
    a, b = as_operands("solve", square_matrices("solve", a), b)
    columns = b[:, None] if b.ndim == 1 else b
    try:
        stack = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
        fits = columns.shape[-2] == a.shape[-1]
    except (ValueError, IndexError):
        fits = False
    if not fits:
        raise ShapeError(
            f"solve: b of shape {tuple(b.shape)} does not fit a of shape {tuple(a.shape)}: "
            f"of matrices (..., n, n) it is (n,) or (..., n, k)"
        )
    x = _solve(_stacked(a, stack), _stacked(columns, stack))
    return x[..., 0] if b.ndim == 1 else x


def _stacked(a: Any, stack: tuple[int, ...]) -> Any:
    return a if a.shape[:-2] == stack else broadcast_to(a, (*stack, *a.shape[-2:]))


@Op
def det(a: Array) -> Array:
    """The determinant of a matrix (n, n), or of each in a stack. Derivative: the cofactors, at singular matrices too.

    A second derivative needs the inverse: it raises `LinAlgError` at a singular matrix.
    Raises `ShapeError` if they are not square.
    """
    return lapack("det", square_matrices("det", a))


@Op
def _cofactors(a: Array) -> Array:
    # det(A) A⁻ᵀ, without dividing by a singular value: each comes with the product of all others.
    u, s, vh = lapack("svd", a)
    turned = array_module(a).sign(lapack("det", u) * lapack("det", vh))
    return turned[..., None, None] * ((u * products_of_others(s)[..., None, :]) @ vh)


def _cofactors_vjp(g: Any, y: Any, a: Any) -> Any:
    inverse = matrix_transpose(inv(a))
    return sum(g * y, (-2, -1), True, None) * inverse - y @ matrix_transpose(g) @ inverse


det.vjp(lambda g, y, a: g[..., None, None] * _cofactors(a))
_cofactors.vjp(_cofactors_vjp)


class SlogdetResult(NamedTuple, Generic[A]):
    """What `slogdet` returns: det = sign · exp(logabsdet)."""

    sign: A
    logabsdet: A


@Op
def _slogdet(a: Array) -> Array:
    sign, logabsdet = lapack("slogdet", a)
    return array_module(a).stack([sign, logabsdet], -1)


_slogdet.vjp(lambda g, y, a: g[..., 1, None, None] * matrix_transpose(inv(a)))


def slogdet(a: Array) -> SlogdetResult[Any]:
    """The sign of the determinant, and the logarithm of its absolute value, which neither overflows nor vanishes.

    The derivative of the logarithm is A⁻ᵀ, that of the sign 0. Of a singular matrix they are 0 and -inf; there is no
    derivative there, and asking for it raises `LinAlgError`. Raises `ShapeError` if `a` is not (..., n, n).
    """
    both = _slogdet(square_matrices("slogdet", a))
    return SlogdetResult(both[..., 0], both[..., 1])


@Op
def pinv(a: Array, rcond: float = 1e-15) -> Array:
    """The Moore-Penrose pseudo-inverse (..., n, m) of `a` (..., m, n): of least squares, the shortest solution.

    Singular values up to `rcond` times the largest count as 0. Where the rank changes pinv jumps: its derivative
    (Golub & Pereyra 1973) is that along matrices of the same rank.
    """
    return lapack("pinv", a, rcond)


def _pinv_vjp(g: Any, y: Any, a: Any, rcond: float) -> Any:
    gt, yt = matrix_transpose(g), matrix_transpose(y)
    left, right = gt @ y @ yt, yt @ y @ gt
    return left - a @ (y @ left) + right - (right @ y) @ a - yt @ g @ yt


pinv.vjp(_pinv_vjp)


def matrix_power(a: Array, n: int) -> Any:
    """The product of `n` times the square matrix `a`; of its inverse for negative `n`, the identity for 0.

    Raises `ShapeError` if `a` is not (..., n, n), `LinAlgError` if `n` is negative and `a` singular.
    """
    a, n = square_matrices("matrix_power", a), operator.index(n)
    if n == 0:
        return zeros_of(a) + identity(a)
    base = power = inv(a) if n < 0 else a
    for bit in f"{abs(n):b}"[1:]:
        power = power @ power
        power = power @ base if bit == "1" else power
    return power


def multi_dot(arrays: Sequence[Array]) -> Any:
    """The product of two or more matrices, in the order of multiplications that takes little work.

    The first may be a vector, a row, and the last one too, a column. Raises `ShapeError` if they do not fit.
    """
    arrays = as_operands("multi_dot", *arrays)
    if len(arrays) < 2:
        raise ShapeError("multi_dot: give at least two matrices")
    terms = [LETTERS[i : i + 2] for i in range(len(arrays))]
    terms[0] = terms[0][-arrays[0].ndim :]
    terms[-1] = terms[-1][: arrays[-1].ndim]
    ends = terms[0][:-1] + terms[-1][1:]
    return einsum(f"{','.join(terms)}->{ends}", *arrays)
