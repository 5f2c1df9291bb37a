"""Matrices taken apart: eigenvalues, singular values, Cholesky's factor, QR.

A decomposition is several arrays, and an op returns one: so they lie below one another in a single array, computed
once, from which the parts are read. Eigenvalues and singular values have an op of their own to read them: their
formulas, unlike those of the vectors, divide by no difference that is 0 where two of them coincide.
"""

from typing import Any, Generic, Literal, NamedTuple

from ..autograd import Op
from ..backend import Array, array_module
from ..errors import OptionError, UnsupportedError
from ..operands import recorded
from ..recording import paused
from .lapack import from_triangle, identity, lapack, matrices, square_matrices
from .matrices import matrix_transpose, tril
from .shape import concatenate
from .solving import A, solve


class EighResult(NamedTuple, Generic[A]):
    """What `eigh` returns: eigenvalues (..., n), and eigenvectors (..., n, n) as columns."""

    eigenvalues: A
    eigenvectors: A


class SVDResult(NamedTuple, Generic[A]):
    """What `svd` returns: a = U @ diag(S) @ Vh."""

    U: A
    S: A
    Vh: A


class QRResult(NamedTuple, Generic[A]):
    """What `qr` returns: a = Q @ R."""

    Q: A
    R: A


@Op
def _eigh(a: Array, uplo: str) -> Array:
    # the eigenvalues, and below each its vector
    values, vectors = lapack("eigh", a, uplo)
    return array_module(a).concatenate([values[..., None, :], vectors], -2)


@Op
def _eigenvalues(a: Array, pairs: Array) -> Array:
    return +pairs[..., 0, :]


def _eigenvalues_vjp(g: Any, y: Any, a: Any, pairs: Any) -> Any:
    v = pairs[..., 1:, :]
    return (v * g[..., None, :]) @ matrix_transpose(v)


def _eigh_vjp(g: Any, pairs: Any, a: Any, uplo: str) -> Any:
    # Only of the vectors: the eigenvalues' gradient comes by the op above. dV = V (F * VᵀdA V), F = 1 / differences.
    v, values = pairs[..., 1:, :], _eigenvalues(a, pairs)
    vt, one = matrix_transpose(v), identity(a)
    differences = values[..., None, :] - values[..., None]
    return v @ ((vt @ g[..., 1:, :]) * ((1 - one) / (differences + one))) @ vt


_eigenvalues.vjp(_eigenvalues_vjp, None)
_eigh.vjp(_eigh_vjp)


def eigh(a: Array, UPLO: Literal["L", "U"] = "L") -> EighResult[Any]:
    """The eigenvalues, ascending, and orthonormal eigenvectors, as columns, of a symmetric matrix (..., n, n).

    It reads the lower triangle ("U": the upper) and takes the other to be its mirror image, so the gradient too is that
    of the lower triangle, with 0 above it. Derivatives: dλ = vᵀ dA v, dV = V (F * Vᵀ dA V) with F[i, j] =
    1 / (λ[j] - λ[i]) (Giles 2008, section 3.1). Where eigenvalues coincide their vectors are any basis, and jump: the
    gradient of the vectors, and a second derivative of the eigenvalues, is infinite or NaN there, with NumPy's warning.
    Raises `ShapeError` if `a` is not (..., n, n), `LinAlgError` if it holds NaN, `OptionError` for another `UPLO`.
    """
    uplo = str(UPLO).upper()
    if uplo not in ("L", "U"):
        raise OptionError(f"eigh: UPLO is 'L' or 'U', the triangle to be read, not {UPLO!r}")
    symmetric = from_triangle(square_matrices("eigh", a), uplo)
    pairs = _eigh(symmetric, uplo)
    return EighResult(_eigenvalues(symmetric, pairs), pairs[..., 1:, :])


def eigvalsh(a: Array, UPLO: Literal["L", "U"] = "L") -> Any:
    """The eigenvalues, ascending, of a symmetric matrix (..., n, n): those of `eigh`.

    Their derivative is right where they coincide as well (for their sum, say); a second derivative is not.
    """
    return eigh(a, UPLO).eigenvalues


@Op
def _svd(a: Array) -> Array:
    # U, below it the singular values, below them V: all have a column for each singular value
    u, s, vh = lapack("svd", a, False)
    return array_module(a).concatenate([u, s[..., None, :], vh.swapaxes(-1, -2)], -2)


@Op
def _singular_values(a: Array, parts: Array) -> Array:
    return +parts[..., a.shape[-2], :]


def _singular_values_vjp(g: Any, y: Any, a: Any, parts: Any) -> Any:
    m = a.shape[-2]
    return (parts[..., :m, :] * g[..., None, :]) @ matrix_transpose(parts[..., m + 1 :, :])


def _svd_vjp(g: Any, parts: Any, a: Any) -> Any:
    # Only of U and V (Townsend 2016); the singular values' gradient comes by the op above.
    m, n = a.shape[-2:]
    s = _singular_values(a, parts)
    u, v, row, column = parts[..., :m, :], parts[..., m + 1 :, :], s[..., None, :], s[..., None]
    ut, vt, one = matrix_transpose(u), matrix_transpose(v), identity(parts)
    over = (1 - one) / ((row - column) * (row + column) + one)
    gu, gv = g[..., :m, :], g[..., m + 1 :, :]
    found = u @ (over * _antisymmetric(ut @ gu) * row + column * over * _antisymmetric(vt @ gv)) @ vt
    if m > n:
        found = found + _outside(gu / row, u, ut) @ vt
    if n > m:
        found = found + u @ matrix_transpose(_outside(gv / row, v, vt))
    return found


def _antisymmetric(a: Any) -> Any:
    return a - matrix_transpose(a)


def _outside(a: Any, u: Any, ut: Any) -> Any:
    """What the columns of `a` have outside the space of those of `u`."""
    return a - u @ (ut @ a)


_singular_values.vjp(_singular_values_vjp, None)
_svd.vjp(_svd_vjp)


def svd(a: Array, full_matrices: bool = True, compute_uv: bool = True) -> SVDResult[Any] | Any:
    """The singular value decomposition U @ diag(S) @ Vh of a matrix (..., m, n), S descending; an `SVDResult`.

    U is (..., m, k) and Vh (..., k, n) with k = min(m, n); with `full_matrices` they are completed to square ones, by
    any basis, which has no derivative: of a matrix that is not square and requires a gradient ask for
    ``full_matrices=False``. With ``compute_uv=False``, S alone.
    Where singular values coincide, or one is 0, the gradient of U and Vh, and a second derivative of S, is infinite or
    NaN, with NumPy's warning; that of S is not.
    Raises `ShapeError` for a vector, `LinAlgError` if `a` holds NaN, `UnsupportedError` as said.
    """
    a = matrices("svd", a)
    m, n = a.shape[-2:]
    parts = _svd(a)
    s = _singular_values(a, parts)
    if not compute_uv:
        return s
    if not full_matrices or m == n:
        return SVDResult(parts[..., :m, :], s, matrix_transpose(parts[..., m + 1 :, :]))
    if recorded(a) and not paused():
        raise UnsupportedError(
            f"svd: of a matrix of shape {(m, n)}, full_matrices=True adds columns that are any basis and have no "
            f"gradient: give full_matrices=False; or a.detach(), if no gradient is meant to pass"
        )
    return SVDResult(_all_vectors(a, 0), s, _all_vectors(a, 2))


@Op
def _all_vectors(a: Array, which: int) -> Array:
    return lapack("svd", a)[which]


_all_vectors.vjp(None)


def svdvals(x: Array) -> Any:
    """The singular values (..., min(m, n)) of a matrix (..., m, n), descending: those of `svd`.

    Their derivative is right where they coincide as well; at 0 it is one of the subgradients.
    """
    return svd(x, compute_uv=False)


@Op
def _cholesky(a: Array) -> Array:
    return lapack("cholesky", a)


def _cholesky_vjp(g: Any, y: Any, a: Any) -> Any:
    # L⁻ᵀ Φ(LᵀG) L⁻¹, where Φ takes the lower triangle, and half of the diagonal (Murray 2016).
    yt = matrix_transpose(y)
    inner = tril(yt @ g, 0) * (1 - identity(a) / 2)
    found = solve(yt, matrix_transpose(solve(yt, inner)))
    return (found + matrix_transpose(found)) / 2


_cholesky.vjp(_cholesky_vjp)


def cholesky(a: Array, upper: bool = False) -> Any:
    """The lower triangular L with L @ Lᵀ = a, for a symmetric, positive definite matrix (..., n, n).

    It reads the lower triangle of `a` and takes the other to be its mirror image, so the gradient too is that of the
    lower triangle, with 0 above it. With `upper` it reads the upper triangle, and returns U with Uᵀ @ U = a.
    Raises `LinAlgError` if a matrix is not positive definite, `ShapeError` if it is not square.
    """
    symmetric = from_triangle(square_matrices("cholesky", a), "U" if upper else "L")
    factor = _cholesky(symmetric)
    return matrix_transpose(factor) if upper else factor


@Op
def _qr(a: Array) -> Array:
    # Q, and below it R: both have the columns of `a`, which has at least as many rows
    return array_module(a).concatenate([*lapack("qr", a)], -2)


def _qr_vjp(g: Any, parts: Any, a: Any) -> Any:
    # (Gq + Q sym(R Grᵀ - Gqᵀ Q)) R⁻ᵀ, where sym mirrors the lower triangle (Walter & Lehmann 2010).
    m = a.shape[-2]
    q, r, gq, gr = parts[..., :m, :], parts[..., m:, :], g[..., :m, :], g[..., m:, :]
    mirrored = from_triangle(r @ matrix_transpose(gr) - matrix_transpose(gq) @ q, "L")
    return matrix_transpose(solve(r, matrix_transpose(gq + q @ mirrored)))


_qr.vjp(_qr_vjp)


def qr(a: Array, mode: Literal["reduced", "r"] = "reduced") -> QRResult[Any] | Any:
    """The orthonormal Q (..., m, k) and the upper triangular R (..., k, n) with Q @ R = a, where k = min(m, n).

    ``mode="r"`` returns R alone. The first k columns of `a` must be independent: else the gradient raises
    `LinAlgError`. Raises `ShapeError` for a vector, `UnsupportedError` for NumPy's other modes.
    """
    a = matrices("qr", a)
    if mode not in ("reduced", "r"):
        raise UnsupportedError(f"qr: mode {mode!r} is not there for Tensors: choose 'reduced' or 'r'")
    m, n = a.shape[-2:]
    parts = _qr(a[..., :m] if n > m else a)
    q, r = parts[..., :m, :], parts[..., m:, :]
    if n > m:
        r = concatenate([r, matrix_transpose(q) @ a[..., m:]], -1)
    return r if mode == "r" else QRResult(q, r)
