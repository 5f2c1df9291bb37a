"""minidl.linalg: what is right beyond the registry's cases, and what is refused."""

import re

import numpy as np
import pytest

import minidl
from minidl import Tensor, check_grads, linalg
from minidl.errors import LinAlgError, OptionError, ShapeError, UnsupportedError


def leaf(values):
    return Tensor(np.asarray(values, np.float64), requires_grad=True)


def slope(f, x):
    return minidl.grad(f)(np.asarray(x, np.float64)).numpy()


SINGULAR = [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]]


def cofactors(a):
    minors = [[np.delete(np.delete(np.asarray(a), i, 0), j, 1) for j in range(3)] for i in range(3)]
    return [[(-1) ** (i + j) * np.linalg.det(minors[i][j]) for j in range(3)] for i in range(3)]


# --- right where it is hard ------------------------------------------------------------------------------------------
MIRRORED = np.array([[0.0, 2.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 3.0]])  # whose factors turn space over


@pytest.mark.parametrize(
    "a", [SINGULAR, np.ones((3, 3)), np.zeros((3, 3)), MIRRORED, -MIRRORED, MIRRORED.T, MIRRORED[::-1]]
)
def test_the_gradient_of_a_determinant_is_its_cofactors_at_singular_matrices_too(a):
    np.testing.assert_allclose(slope(linalg.det, a), cofactors(a), atol=1e-12)


def test_the_logarithm_of_a_determinant_neither_overflows_nor_vanishes():
    a = leaf(np.diag([-1e200, 1e200]))
    sign, logabsdet = linalg.slogdet(a)
    assert sign.item() == -1
    np.testing.assert_allclose(logabsdet.item(), 400 * np.log(10))
    np.testing.assert_allclose(minidl.gradients(logabsdet, [a])[0].numpy(), np.diag([-1e-200, 1e-200]))


@pytest.mark.parametrize(
    ("f", "a", "expected"),
    [
        (lambda a: linalg.eigvalsh(a).sum(), np.eye(3), np.eye(3)),  # the trace
        (lambda a: (linalg.eigvalsh(a) ** 2).sum(), 2 * np.eye(2), 4 * np.eye(2)),  # tr(A²)
        (lambda a: linalg.eigh(a).eigenvalues.prod(), np.eye(2), np.eye(2)),  # det(A)
        (lambda a: linalg.svdvals(a).sum(), np.eye(2), np.eye(2)),
        (lambda a: (linalg.svd(a).S ** 2).sum(), 3 * np.eye(2), 6 * np.eye(2)),  # ‖A‖²
        (lambda a: linalg.norm(a, "nuc"), np.diag([2.0, 2.0]), np.eye(2)),
        (lambda a: linalg.norm(a, 2), np.eye(2), np.eye(2) / 2),  # shared between equals
    ],
)
def test_the_gradient_of_eigenvalues_and_singular_values_is_right_where_they_coincide(f, a, expected):
    np.testing.assert_allclose(slope(f, a), expected, atol=1e-12)


def test_the_gradient_of_eigenvectors_is_infinite_or_nan_where_eigenvalues_coincide():
    with pytest.warns(RuntimeWarning, match="divide by zero|invalid value"):
        assert not np.isfinite(slope(lambda a: linalg.eigh(a).eigenvectors[0, 0], np.eye(2))).all()


def test_a_function_of_a_symmetric_matrix_by_its_eigenvalues():
    def root(a):
        values, vectors = linalg.eigh(a)
        return (vectors * minidl.sqrt(values)) @ vectors.T

    a = np.array([[2.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose((root(a) @ root(a)), a)
    check_grads(lambda x: root(x @ x.T), a)


def test_eigh_and_cholesky_read_one_triangle_and_the_gradient_lies_there():
    a = np.array([[2.0, 99.0], [0.5, 1.0]])
    for f in (linalg.cholesky, linalg.eigvalsh, lambda a: linalg.eigh(a).eigenvectors):
        np.testing.assert_allclose(f(a), f(np.tril(a) + np.tril(a, -1).T))
        assert slope(lambda x, f=f: f(x).sum(), a)[0, 1] == 0
    assert slope(lambda x: linalg.cholesky(x, upper=True).sum(), a.T)[1, 0] == 0


@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
def test_full_matrices_of_svd_are_numpys_where_no_gradient_is_wanted(shape):
    a = np.arange(6.0).reshape(shape) + np.eye(*shape)
    for x in (a, Tensor(a), leaf(a).detach()):
        for mine, theirs in zip(linalg.svd(x), np.linalg.svd(a), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-14)
    with minidl.no_grad():
        assert linalg.svd(leaf(a)).U.shape == (shape[0],) * 2


@pytest.mark.parametrize("order", [0, 1, 1.5, 2, 3, 7, np.inf])
def test_the_norm_of_a_vector_of_zeros_has_gradient_zero_and_no_warning(order):
    assert slope(lambda x: linalg.norm(x, order), [0.0, 0.0]).tolist() == [0, 0]


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_a_norm_of_huge_and_of_tiny_numbers_neither_overflows_nor_vanishes(size):
    x = np.array([3.0, -4.0])
    for order in (2, 3, 4.5):
        np.testing.assert_allclose(linalg.norm(x * size, order) / size, np.linalg.norm(x, order))
        np.testing.assert_allclose(
            slope(lambda x, p=order: linalg.norm(x, p), x * size), slope(lambda x, p=order: linalg.norm(x, p), x)
        )


def test_least_squares_by_a_pseudo_inverse_and_by_the_normal_equations_agree_in_their_gradients():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 3)), rng.normal(size=5)
    one = slope(lambda a: (linalg.pinv(a) @ b).sum(), a)
    other = slope(lambda a: linalg.solve(a.T @ a, a.T @ b).sum(), a)
    np.testing.assert_allclose(one, other)


def test_results_have_numpys_names():
    a = np.eye(2)
    assert linalg.eigh(a)._fields == np.linalg.eigh(a)._fields
    assert linalg.qr(a)._fields == np.linalg.qr(a)._fields
    assert linalg.svd(a)._fields == np.linalg.svd(a)._fields
    assert linalg.slogdet(a)._fields == np.linalg.slogdet(a)._fields


def test_a_rank_is_answered_with_a_number():
    assert np.linalg.matrix_rank(leaf(SINGULAR)) == 2


# --- what is refused -------------------------------------------------------------------------------------------------
SQUARE = ["inv", "det", "slogdet", "eigh", "eigvalsh", "cholesky"]


@pytest.mark.parametrize("name", SQUARE)
@pytest.mark.parametrize("shape", [(2, 3), (3,), (), (2, 2, 3)])
def test_a_matrix_that_is_not_square_is_an_error_that_tells_its_shape(name, shape):
    function = "eigh" if name == "eigvalsh" else name
    for a in (np.ones(shape), leaf(np.ones(shape))):
        with pytest.raises(ShapeError, match=f"^{function}: expected a square matrix.*not {re.escape(str(shape))}"):
            getattr(linalg, name)(a)


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (LinAlgError, lambda a: linalg.inv(a), r"^inv: the matrix is singular.*linalg.pinv"),
        (LinAlgError, lambda a: linalg.solve(a, a[0]), r"^solve: the matrix is singular"),
        (LinAlgError, lambda a: linalg.matrix_power(a, -1), "singular"),
        (LinAlgError, lambda a: linalg.cond(a, 1), "singular"),
        (LinAlgError, lambda a: minidl.gradients(linalg.slogdet(a).logabsdet, [a]), "inv: the matrix is singular"),
        (
            LinAlgError,
            lambda a: linalg.inv(minidl.stack([np.eye(3), a])),
            r"it is matrix \[1\] of the stack of shape \(2, 3, 3\)",
        ),
        (
            LinAlgError,
            lambda a: linalg.cholesky(-np.eye(3) * a),
            r"^cholesky: the matrix is not positive definite.*eigvalsh",
        ),
        (LinAlgError, lambda a: linalg.svd(a * np.nan), "^svd: no convergence: look for NaN"),
        (LinAlgError, lambda a: linalg.eigh(a * np.nan), "^eigh: no convergence: look for NaN"),
        (
            ShapeError,
            lambda a: linalg.solve(a, np.ones(2)),
            r"solve: b of shape \(2,\) does not fit a of shape \(3, 3\)",
        ),
        (ShapeError, lambda a: linalg.solve(a, 1.0), r"solve: b of shape \(\)"),
        (ShapeError, lambda a: linalg.solve(minidl.stack([a, a]), np.ones((3, 3, 1))), "does not fit"),
        (ShapeError, lambda a: linalg.svd(a[0]), r"svd: expected a matrix.*not \(3,\)"),
        (ShapeError, lambda a: linalg.multi_dot([a]), "at least two"),
        (UnsupportedError, lambda a: linalg.svd(a[:2]), r"svd: of a matrix of shape \(2, 3\).*full_matrices=False"),
        (UnsupportedError, lambda a: linalg.qr(a, "complete"), "qr: mode 'complete' is not there"),
        (OptionError, lambda a: linalg.eigh(a, "X"), "UPLO is 'L' or 'U'"),
        (AttributeError, lambda a: linalg.lstsq(a, a), "has no attribute 'lstsq': here it is linalg.pinv"),
    ],
)
def test_a_mistake_is_named(error, call, message):
    with pytest.raises(error, match=message):
        call(leaf(SINGULAR))


def test_the_errors_are_numpys_too():
    with pytest.raises(np.linalg.LinAlgError):
        linalg.inv(Tensor(SINGULAR, dtype=float) * 0)
