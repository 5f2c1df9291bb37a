"""What functions of matrices share: the call of LAPACK, what is checked, triangles. The last two axes are a matrix."""

from typing import Any

import numpy as np

from ..backend import Array, array_module
from ..errors import LinAlgError, ShapeError
from ..operands import as_operands
from .matrices import matrix_transpose, tril
from .shape import plain

_REMEDIES = {  # by what NumPy says
    "Singular": "the matrix is singular, so it has no inverse: linalg.pinv(a) has a pseudo-inverse; adding to the "
    "diagonal, a + 1e-6 * numpy.eye(n), makes it regular",
    "positive definite": "the matrix is not positive definite: all of its eigenvalues must be positive "
    "(linalg.eigvalsh(a) tells them); adding to the diagonal, a + 1e-6 * numpy.eye(n), raises them",
    "converge": "no convergence: look for NaN and infinity in the matrix",
}


def lapack(name: str, a: Array, *others: Any) -> Any:
    """NumPy's, or CuPy's, ``linalg.name(a, *others)``.

    Raises `LinAlgError`, which says why and which matrix of a stack it is, where NumPy does. CuPy, which would have to
    wait for the GPU to see it, returns NaN.
    """
    function = getattr(array_module(a).linalg, name)
    try:
        return function(a, *others)
    except np.linalg.LinAlgError as error:
        remedy = next((text for key, text in _REMEDIES.items() if key in str(error)), str(error))
        raise LinAlgError(f"{name}: {remedy}{_first_that_fails(function, a, others)}") from error


def _first_that_fails(function: Any, a: Array, others: Any) -> str:
    """Which matrix of the stack `a` it is that `function` does not take; nothing if there is only one."""
    for index in np.ndindex(a.shape[:-2]) if a.ndim > 2 else ():
        try:
            function(a[index], *[other[index] if hasattr(other, "ndim") else other for other in others])
        except np.linalg.LinAlgError:
            return f" (it is matrix {list(index)} of the stack of shape {a.shape})"
    return ""


def square_matrices(name: str, a: Any) -> Any:
    """`a`, an operand of the function called `name`, if it is (..., n, n). Raises `ShapeError` otherwise."""
    (a,) = as_operands(name, a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(
            f"{name}: expected a square matrix, or a stack of them, of shape (..., n, n), not {tuple(a.shape)}"
        )
    return a


def matrices(name: str, a: Any) -> Any:
    """`a`, an operand of the function called `name`, if it is (..., m, n). Raises `ShapeError` otherwise."""
    (a,) = as_operands(name, a)
    if a.ndim < 2:
        raise ShapeError(f"{name}: expected a matrix, or a stack of them, of shape (..., m, n), not {tuple(a.shape)}")
    return a


def identity(a: Any) -> Array:
    """The identity matrix for the columns of `a`, in its dtype."""
    like = plain(a)
    return array_module(like).eye(like.shape[-1], dtype=like.dtype)


def from_triangle(a: Any, uplo: str) -> Any:
    """The symmetric matrices that have the lower ("L") or upper ("U") triangles of the square matrices `a`."""
    if uplo == "U":
        a = matrix_transpose(a)
    return tril(a, 0) + matrix_transpose(tril(a, -1))
