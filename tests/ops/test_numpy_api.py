"""NumPy's functions on Tensors, mixtures with arrays, lists and numbers, and Tensor's operators and methods."""

import operator

import numpy as np
import pytest

import minidl
from minidl import Tensor, ops
from minidl.errors import UnsupportedError
from minidl.ops.namesakes import numpy_function

A = np.array([[0.5, -1.5, 2.0], [1.0, 3.0, -0.25]], np.float32)
B = np.array([[2.0, 0.5, 1.0]], np.float32)


def leaf(array=A):
    return Tensor(array, requires_grad=True)


def same(result, expected):
    assert isinstance(result, Tensor)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6)


# --- NumPy's functions -----------------------------------------------------------------------------------------------
CALLS = {
    "exp": lambda np, a: np.exp(a),
    "abs": lambda np, a: np.abs(a),
    "absolute": lambda np, a: np.absolute(a),
    "multiply": lambda np, a: np.multiply(B, a),
    "matmul": lambda np, a: np.matmul(a, B.T),
    "pow": lambda np, a: np.pow(a, 2),
    "atan": lambda np, a: np.atan(a),
    "maximum": lambda np, a: np.maximum(0, a),
    "true_divide": lambda np, a: np.true_divide(1.0, a),
    "sum": lambda np, a: np.sum(a),
    "sum axis": lambda np, a: np.sum(a, 0),
    "sum all by place": lambda np, a: np.sum(a, 0, None, None, True),
    "sum dtype by place": lambda np, a: np.sum(a, 0, "float64"),
    "sum keywords": lambda np, a: np.sum(a, axis=-1, keepdims=True, dtype="float64"),
    "mean": lambda np, a: np.mean(a, axis=(0, 1)),
    "mean by place": lambda np, a: np.mean(a, 1, None, None, True),
    "std": lambda np, a: np.std(a, 1, ddof=1),
    "var by place": lambda np, a: np.var(a, 1, None, None, 1),
    "max": lambda np, a: np.max(a, axis=0),
    "amax": lambda np, a: np.amax(a, 0, None, True),
    "amin": lambda np, a: np.amin(a, axis=1),
    "argmax": lambda np, a: np.argmax(a, axis=1),
    "cumsum": lambda np, a: np.cumsum(a, 0, "float64"),
    "prod": lambda np, a: np.prod(a),
    "clip": lambda np, a: np.clip(a, -1, 1),
    "clip keywords": lambda np, a: np.clip(a, a_max=1, a_min=None),
    "clip new keywords": lambda np, a: np.clip(a, min=0, max=1),
    "where": lambda np, a: np.where(a > 0, a, 0),
    "concatenate": lambda np, a: np.concatenate([a, A], axis=1),
    "concat": lambda np, a: np.concat([A, a], 0),
    "stack": lambda np, a: np.stack((a, a), axis=-1),
    "split": lambda np, a: np.split(a, 3, 1)[2],
    "reshape": lambda np, a: np.reshape(a, (3, 2)),
    "reshape keyword": lambda np, a: np.reshape(a, shape=-1),
    "ravel": lambda np, a: np.ravel(a),
    "transpose": lambda np, a: np.transpose(a),
    "permute_dims": lambda np, a: np.permute_dims(a, (1, 0)),
    "swapaxes": lambda np, a: np.swapaxes(a, 0, 1),
    "moveaxis": lambda np, a: np.moveaxis(a, 0, 1),
    "expand_dims": lambda np, a: np.expand_dims(a, 0),
    "squeeze": lambda np, a: np.squeeze(a),
    "broadcast_to": lambda np, a: np.broadcast_to(a, (2, 2, 3)),
    "tile": lambda np, a: np.tile(a, (2, 1)),
    "repeat": lambda np, a: np.repeat(a, 2, 1),
    "pad": lambda np, a: np.pad(a, 1, constant_values=2),
    "pad mode": lambda np, a: np.pad(a, ((1, 0), (0, 2)), "constant"),
    "flip": lambda np, a: np.flip(a, 1),
    "roll": lambda np, a: np.roll(a, 1),
    "sort": lambda np, a: np.sort(a, axis=0),
    "argsort": lambda np, a: np.argsort(a),
    "take": lambda np, a: np.take(a, [2, 0], axis=1),
    "take_along_axis": lambda np, a: np.take_along_axis(a, A.argsort(1), 1),
    "dot": lambda np, a: np.dot(a, B.T),
    "inner": lambda np, a: np.inner(a, B),
    "outer": lambda np, a: np.outer(a, B),
    "tensordot": lambda np, a: np.tensordot(a, B, axes=([1], [1])),
    "einsum": lambda np, a: np.einsum("ij,kj->ik", a, B),
    "einsum optimize": lambda np, a: np.einsum("ij->j", a, optimize="greedy"),
    "trace": lambda np, a: np.trace(a, 1),
    "diag": lambda np, a: np.diag(a, k=1),
    "linalg.norm": lambda np, a: np.linalg.norm(a, axis=1, keepdims=True),
    "linalg.norm by place": lambda np, a: np.linalg.norm(a, 1, 0),
    "linalg.norm of matrices": lambda np, a: np.linalg.norm(a, "nuc"),
    "linalg.inv": lambda np, a: np.linalg.inv(a[:, :2]),
    "linalg.solve": lambda np, a: np.linalg.solve(a[:, :2], a),
    "linalg.det": lambda np, a: np.linalg.det(a[:, :2]),
    "linalg.slogdet": lambda np, a: np.linalg.slogdet(a[:, :2]).logabsdet,
    "linalg.eigh": lambda np, a: np.linalg.eigh(a[:, :2], UPLO="U").eigenvalues,
    "linalg.eigvalsh": lambda np, a: np.linalg.eigvalsh(a[:, :2]),
    "linalg.svd": lambda np, a: np.linalg.svd(a, full_matrices=False).S,
    "linalg.svd by place": lambda np, a: np.linalg.svd(a, True, False),
    "linalg.svdvals": lambda np, a: np.linalg.svdvals(a),
    "linalg.cholesky": lambda np, a: np.linalg.cholesky(a @ a.T, upper=True),
    "linalg.pinv": lambda np, a: np.linalg.pinv(a, rcond=1e-3),
    "linalg.cond": lambda np, a: np.linalg.cond(a),
    "linalg.matrix_power": lambda np, a: np.linalg.matrix_power(a[:, :2], 3),
    "linalg.multi_dot": lambda np, a: np.linalg.multi_dot([a, a.T, a]),
    "linalg.trace": lambda np, a: np.linalg.trace(a[None], offset=1),  # not numpy.trace: of the last two axes
    "linalg.matmul": lambda np, a: np.linalg.matmul(a, B.T),
    "linalg.outer": lambda np, a: np.linalg.outer(a[0], B[0]),
    "linalg.tensordot": lambda np, a: np.linalg.tensordot(a, B, axes=([1], [1])),
    "linalg.matrix_transpose": lambda np, a: np.linalg.matrix_transpose(a),
    "linalg.matrix_norm": lambda np, a: np.linalg.matrix_norm(a, ord=2),
    "linalg.vector_norm": lambda np, a: np.linalg.vector_norm(a, axis=1, ord=3),
    "astype": lambda np, a: np.astype(a, "float64"),
    "isfinite": lambda np, a: np.isfinite(a),
    "floor": lambda np, a: np.floor(a),
    "round": lambda np, a: np.round(a),
    "around": lambda np, a: np.around(a, decimals=1),
    "equal": lambda np, a: np.equal(a, B),
}


if np.lib.NumpyVersion(np.__version__) < "2.1.0":  # keywords that came later
    del CALLS["clip new keywords"], CALLS["reshape keyword"]


@pytest.mark.parametrize("name", CALLS)
def test_numpys_function_on_a_tensor(name):
    same(CALLS[name](np, leaf()), CALLS[name](np, A))


def test_every_public_function_with_a_namesake_in_numpy_is_reached_through_it():
    for name in ops.__all__:
        theirs = getattr(np, name, None)
        if isinstance(theirs, np.ufunc):
            assert numpy_function(theirs) is getattr(ops, name)
        elif theirs is not None:
            assert callable(numpy_function(theirs))


def test_the_result_can_be_differentiated():
    x = leaf()
    np.sum(np.exp(x) * np.linalg.norm(B)).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(A) * np.linalg.norm(B), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.heaviside(x, 0), r"no numpy.heaviside for Tensors.*\.numpy\(\)"),
        (lambda x: np.cov(x), "no numpy.cov"),
        (lambda x: np.interp(x, [0, 1], [1, 2]), "no numpy.interp"),
        (lambda x: np.linalg.eig(x), "no numpy.linalg.eig"),  # complex, in general
        (
            lambda x: np.linalg.svd(x, hermitian=True),
            "numpy.linalg.svd of a Tensor takes no hermitian=, only a, full_m",
        ),
        (lambda x: np.fft.fft(x), "no numpy.fft.fft"),
        (lambda x: np.exp(x, out=np.empty_like(A)), "numpy.exp with out="),
        (lambda x: np.add(x, 1, where=A > 0), "numpy.add with where="),
        (lambda x: np.add.reduce(x), "numpy.add.reduce"),
        (lambda x: np.add(A, A, out=x), "numpy.add with out="),
        (lambda x: np.sum(x, out=np.empty(())), "numpy.sum of a Tensor takes no out=, only a, axis, keepdims, dtype"),
        (lambda x: np.sum(x, where=A > 0), "takes no where="),
        (lambda x: np.max(x, initial=0), "takes no initial="),
        (lambda x: np.sort(x, kind="heapsort"), "takes no kind="),
        (lambda x: np.pad(x, 1, "empty"), "mode 'empty'"),
        (lambda x: np.reshape(x, -1, order="F"), "takes no order="),
        (lambda x: np.mean(x, 0, None, np.empty(3)), "takes no out="),
        (lambda x: np.concatenate([x, x], dtype="float64"), "takes no dtype="),
        (lambda x: np.add.at(x, 0, 1), "numpy.add.at"),
    ],
)
def test_what_minidl_does_not_have_is_named(call, message):
    with pytest.raises(UnsupportedError, match=message):
        call(leaf())


def test_functions_are_told_apart_by_identity():
    def impostor(a):
        """A function that calls itself exp."""

    impostor.__name__, impostor.__module__ = "exp", "numpy"
    for function in (impostor, np.ma.sum, np.ma.exp, np.linalg.eigvals):
        with pytest.raises(UnsupportedError):
            numpy_function(function)


# --- mixtures --------------------------------------------------------------------------------------------------------
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.eq, operator.ne]
OPERATORS += [operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("f", OPERATORS)
@pytest.mark.parametrize(
    "other", [B, B.astype(np.float64), 2, 2.5, np.float64(2.5), np.int64(2), [1.0, 2.0, 3.0], [[1], [2]], np.array(2.0)]
)
def test_operators_with_arrays_numbers_and_lists_on_either_side(f, other):
    positive, x = np.abs(A), leaf(np.abs(A))
    # numbers and lists never widen a Tensor; an array does, as in NumPy
    beside = other if isinstance(other, np.ndarray) else np.asarray(other, np.float32)
    same(f(x, other), f(positive, beside))
    same(f(other, x), f(beside, positive))
    same(f(x, leaf(B)), f(positive, B))


@pytest.mark.parametrize("f", OPERATORS[:5])
@pytest.mark.parametrize("other", [B, 2.5, np.float64(2.5), [1.0, 2.0, 3.0]])
def test_gradients_beside_arrays_numbers_and_lists(f, other):
    for call in (f, lambda a, b: f(b, a)):
        x, wide = leaf(np.abs(A)), leaf(np.abs(A).astype(np.float64))
        found = minidl.gradients(call(x, other).sum(), [x])[0]
        expected = minidl.gradients(call(wide, np.asarray(other, np.float64)).sum(), [wide])[0]
        same(found, expected.numpy().astype(np.float32))
        minidl.check_grads(lambda a, call=call: call(a, other), np.abs(A))


def test_matmul_on_either_side():
    same(leaf() @ B.T, A @ B.T)
    same(B @ leaf().T, B @ A.T)
    same(leaf() @ [[1.0], [2.0], [3.0]], A @ np.array([[1], [2], [3]], np.float32))


@pytest.mark.parametrize("f", [minidl.maximum, minidl.arctan2, minidl.power])
@pytest.mark.parametrize("other", [2.0, np.float64(2), [2.0, 1.0, 3.0]])
def test_functions_of_two_are_not_widened_either(f, other):
    assert f(leaf(np.abs(A)), other).dtype == f(other, leaf(np.abs(A))).dtype == np.float32
    assert minidl.where(A > 0, leaf(), other).dtype == np.float32
    assert minidl.clip(leaf(), None, other).dtype == np.float32
    assert minidl.dot(leaf(), other).dtype == minidl.outer(other, leaf()).dtype == np.float32


def test_dot_with_a_number_multiplies():
    same(minidl.dot(leaf(), 3.0), A * np.float32(3))
    same(minidl.inner(2.0, leaf()), A * np.float32(2))


@pytest.mark.parametrize("f", [minidl.add, minidl.multiply, minidl.maximum, minidl.less])
def test_lists_alone_count_as_arrays(f):
    np.testing.assert_array_equal(f([1, 2], [3, 0]), getattr(np, f.__name__)([1, 2], [3, 0]))


def test_sums_of_lists():
    assert minidl.sum([1, 2, 3]) == 6
    np.testing.assert_array_equal(minidl.concatenate([[1], [2, 3]]), [1, 2, 3])
    assert minidl.reshape([1, 2], (2, 1)).shape == (2, 1)


# --- Tensor's own operators and methods ------------------------------------------------------------------------------
METHODS = {
    "sum": lambda a: a.sum(0),
    "sum keepdims": lambda a: a.sum(axis=1, keepdims=True),
    "mean": lambda a: a.mean((0, 1)),
    "var": lambda a: a.var(1, ddof=1),
    "std": lambda a: a.std(axis=0, keepdims=True),
    "max": lambda a: a.max(0),
    "min": lambda a: a.min(axis=-1, keepdims=True),
    "prod": lambda a: a.prod(axis=1),
    "cumsum": lambda a: a.cumsum(1),
    "argmax": lambda a: a.argmax(),
    "argmin": lambda a: a.argmin(1, keepdims=True),
    "clip": lambda a: a.clip(-1, 1),
    "round": lambda a: a.round(1),
    "dot": lambda a: a.dot(B.T),
    "trace": lambda a: a.trace(),
    "reshape": lambda a: a.reshape(3, 2),
    "reshape tuple": lambda a: a.reshape((3, -1)),
    "ravel": lambda a: a.ravel(),
    "transpose": lambda a: a.transpose(),
    "transpose axes": lambda a: a.transpose(1, 0),
    "transpose tuple": lambda a: a.transpose((1, 0)),
    "T": lambda a: a.T,
    "swapaxes": lambda a: a.swapaxes(0, 1),
    "squeeze": lambda a: a[:1].squeeze(0),
    "repeat": lambda a: a.repeat(2, axis=0),
    "take": lambda a: a.take([2, 0], 1),
    "astype": lambda a: a.astype(np.float64),
    "getitem": lambda a: a[1, ::-1],
    "getitem list": lambda a: a[:, [0, 0, 2]],
    "neg": lambda a: -a,
    "pos": lambda a: +a,
    "abs": lambda a: abs(a),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_does_what_numpys_does(name):
    same(METHODS[name](leaf()), METHODS[name](A))


def test_sort_returns_the_sorted_tensor():
    same(leaf().sort(0), np.sort(A, 0))


def test_an_index_may_be_a_tensor():
    index = Tensor(np.array([2, 0]))
    same(leaf()[:, index], A[:, [2, 0]])
    same(minidl.take(leaf(), index, axis=1), A[:, [2, 0]])
    same(leaf()[leaf() > 0], A[A > 0])
    same(minidl.repeat(leaf(), Tensor(np.array([1, 2])), axis=0), np.repeat(A, [1, 2], 0))
