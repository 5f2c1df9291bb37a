"""Every op against NumPy (its value) and against central differences (its gradients, first and second order).

The registry is in tests/support/op_cases.py; test_strict.py runs it on the stand-in for CuPy too.
"""

import pkgutil
from importlib import import_module
from inspect import isclass

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import CASES, COMPARISONS, CONSTANT, MINIDL, NUMPY, every_case, networks, real

import minidl
from minidl import Tensor, check_grads, linalg, ops
from minidl.autograd import Node, Op
from minidl.errors import OptionError, ShapeError, UnsupportedError
from minidl.fusable import Fusable


# --- the gradients ---------------------------------------------------------------------------------------------------
@every_case
def test_gradients_of_first_and_second_order(case):
    for of in case.shapes:
        check_grads(lambda *xs: case.call(MINIDL, *xs), *case.draw(of))


@pytest.mark.parametrize("case", list(networks()), ids=lambda case: case.name)
def test_the_compositions_themselves_where_a_kernel_could_stand_in(case, monkeypatch):
    monkeypatch.setattr(getattr(ops, case.op), "kernels", {})
    for of in case.shapes:
        points = case.draw(of)
        np.testing.assert_allclose(case.call(MINIDL, *points), case.call(NUMPY, *points), rtol=1e-12)
        check_grads(lambda *xs: case.call(MINIDL, *xs), *points)


def test_a_dense_layers_unknown_activation_is_an_error(monkeypatch):
    monkeypatch.setattr(ops.dense, "kernels", {})
    with pytest.raises(OptionError, match="unknown activation 'swish': choose one of relu"):
        ops.dense(np.ones((2, 3)), np.ones((3, 2)), None, activation="swish")


@every_case
def test_gradients_on_transposed_views(case):
    for of in case.shapes:
        if any(len(shape) > 1 for shape in of):
            points = [x.T for x in case.draw(of)]
            check_grads(lambda *xs: case.call(MINIDL, *[x.T for x in xs]), *points)


@every_case
def test_gradients_on_arrays_with_gaps_and_of_float32(case):
    for of in case.shapes:
        points = case.draw(of)
        exact = _gradients(case, points)
        for mine, other in zip(_gradients(case, [_with_gaps(x) for x in points]), exact, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-12)
        for mine, other in zip(_gradients(case, [np.float32(x) for x in points]), exact, strict=True):
            assert mine.dtype == np.float32
            np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)


def _with_gaps(x):
    """The same values in memory with gaps, and its axes reversed."""
    wide = np.full([2 * n + 1 for n in x.shape[::-1]], np.nan, x.dtype).T
    view = wide[(..., *[slice(1, None, 2)] * x.ndim)]
    view[...] = x
    return view


def _gradients(case, points):
    """The gradients, as NumPy arrays, of a fixed combination of all elements of the case's result."""
    tensors = [Tensor(np.asarray(p), requires_grad=True) for p in points]
    y = case.call(MINIDL, *tensors)
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    return [g.numpy() for g in minidl.gradients(y, tensors, weights)]


# --- the values ------------------------------------------------------------------------------------------------------
@every_case
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_are_numpys(case, dtype):
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    for of in case.shapes:
        arrays = [np.asarray(x, dtype) for x in case.draw(of)]
        expected = case.call(NUMPY, *arrays)
        plain = case.call(MINIDL, *arrays)
        assert not isinstance(plain, Node)
        tensor = case.call(MINIDL, *[Tensor(x) for x in arrays])
        assert isinstance(tensor, Tensor)
        for result in (plain, tensor.numpy()):
            assert result.dtype == expected.dtype
            np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance, strict=True)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool_, np.float16])
@pytest.mark.parametrize(
    "name", "sum mean prod max min cumsum argmax argmin sort norm square absolute sign exp sqrt round".split()
)
def test_values_and_dtypes_of_other_kinds_of_numbers(name, dtype):
    if (name, dtype) in (("norm", np.bool_), ("sign", np.bool_)):  # NumPy has them not
        return
    a = np.array([[3, 0, 1], [2, 5, 1]], dtype)
    mine, theirs = getattr(minidl, name)(Tensor(a)).numpy(), getattr(NUMPY, name)(a)
    assert mine.dtype == theirs.dtype
    np.testing.assert_allclose(mine, theirs, rtol=1e-3)


@pytest.mark.parametrize("name", "sum mean prod cumsum".split())
def test_a_dtype_for_the_result(name):
    a = np.array([[1.5, 2.5], [3.5, 4.5]], np.float32)
    x = Tensor(a, requires_grad=True)
    y = getattr(minidl, name)(x, axis=0, dtype=np.float64)
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y.numpy(), getattr(np, name)(a, axis=0, dtype=np.float64))
    y.sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("name", "sign floor ceil round".split())
def test_what_is_constant_between_its_jumps_has_a_gradient_of_zero_at_every_order(name):
    x = Tensor(np.array([-1.5, 0.0, 0.4, np.inf]), requires_grad=True)
    y = getattr(minidl, name)(x)
    np.testing.assert_array_equal(y.numpy(), getattr(np, name)(x.numpy()))
    (first,) = minidl.gradients(y, [x], np.array([1.0, 2.0, np.nan, np.inf]), create_graph=True)
    assert first.tolist() == [0, 0, 0, 0]
    assert minidl.gradients(first.sum(), [x])[0].tolist() == [0, 0, 0, 0]
    z = x[:3] * 1.0
    assert minidl.gradients((z * getattr(minidl, name)(z)).sum(), [z])[0].tolist() == y.tolist()[:3]


@pytest.mark.parametrize("name", CONSTANT)
def test_what_jumps_has_numpys_values_and_is_not_recorded(name):
    a = np.array([[-1.5, 0.0, 2.0], [np.inf, -0.5, 2.5]])
    arguments = [a, np.array([0.0, 0.0, 2.0])] if name in COMPARISONS else [a]
    result = getattr(minidl, name)(*[Tensor(x, requires_grad=True) for x in arguments])
    assert not result.requires_grad
    np.testing.assert_array_equal(result.numpy(), getattr(np, name)(*arguments), strict=True)
    assert type(getattr(minidl, name)(*arguments)) is type(getattr(np, name)(*arguments))


# --- the registry is complete ----------------------------------------------------------------------------------------
def _ops_with_a_formula():
    for module in pkgutil.iter_modules(ops.__path__):
        for value in vars(import_module(f"minidl.ops.{module.name}")).values():
            if isinstance(value, Op) and value.recorded and not isinstance(value, Fusable):
                yield value


def _ops_behind(node):
    if isinstance(node, Node) and node._op is not None:
        yield node._op
        for a in node._args:
            yield from _ops_behind(a)


def test_every_public_function_has_its_cases():
    named = {name: op for name, op in vars(ops).items() if name in ops.__all__ or isinstance(op, Op)}
    public = {name: op for name, op in named.items() if name == getattr(op, "name", None) or name == op.__name__}
    functions = {name: f for name, f in vars(linalg).items() if name in linalg.__all__ and not isclass(f)}
    public |= {f"linalg.{name}": f for name, f in functions.items() if f not in public.values()}
    constant = {name for name, op in public.items() if isinstance(op, Op) and not op.recorded}
    assert constant == set(CONSTANT)
    assert public.keys() - constant == {case.op for case in CASES}


def test_every_op_with_a_formula_is_recorded_by_some_case():
    recorded = set()
    for case in CASES:
        tensors = [Tensor(x, requires_grad=True) for x in case.draw(case.shapes[0])]
        y = case.call(MINIDL, *tensors)
        recorded.update(_ops_behind(y))
        for g in minidl.gradients(y, tensors, np.ones(y.shape), create_graph=True):  # ops that only formulas use
            recorded.update(_ops_behind(g))
    missing = set(_ops_with_a_formula()) - recorded
    assert not missing, f"no case reaches {sorted(op.name for op in missing)}"


def test_every_public_function_is_documented():
    for name in [*ops.__all__, "dense", "softmax_cross_entropy", "batch_norm"]:
        assert len(getattr(ops, name).__doc__) > 10, name


# --- properties: any shapes, any indices ----------------------------------------------------------------------------
few = settings(max_examples=25, deadline=None, derandomize=True)
BROADCASTING = [
    case for case in CASES if case.name in "add subtract multiply divide maximum power arctan2 where".split()
]


@few
@given(
    st.sampled_from(BROADCASTING), hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0, max_side=3)
)
def test_gradients_of_any_shapes_that_broadcast(case, shapes):
    check_grads(lambda *xs: case.call(MINIDL, *xs), *case.draw(shapes.input_shapes), order=1)


@few
@given(hnp.mutually_broadcastable_shapes(signature="(m?,k),(k,n?)->(m?,n?)", max_dims=2, min_side=1, max_side=3))
def test_gradients_of_any_product_of_matrices(shapes):
    rng = np.random.default_rng(0)
    a, b = [real(rng, shape) for shape in shapes.input_shapes]
    np.testing.assert_allclose((Tensor(a) @ Tensor(b)).numpy(), a @ b)
    check_grads(minidl.matmul, a, b, order=1)


SHAPE = (3, 4, 2)
INDEX = st.one_of(
    hnp.basic_indices(SHAPE, allow_newaxis=True),
    hnp.integer_array_indices(SHAPE, result_shape=hnp.array_shapes(max_dims=2, max_side=4)),
    st.sampled_from([SHAPE, SHAPE[:2], SHAPE[:1], ()]).flatmap(lambda shape: hnp.arrays(bool, shape)),
    st.tuples(hnp.arrays(np.int64, 5, elements=st.integers(-3, 2)), st.just(slice(None)), st.integers(-2, 1)),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(INDEX)
def test_gradients_of_any_index(index):
    x = Tensor(np.arange(24.0).reshape(SHAPE), requires_grad=True)
    picked = x[index]
    np.testing.assert_array_equal(picked.numpy(), x.numpy()[index])
    weights = np.cos(np.arange(picked.size)).reshape(picked.shape)
    expected = np.zeros(SHAPE)
    np.add.at(expected, index, weights)
    np.testing.assert_allclose(minidl.gradients(picked, [x], weights)[0].numpy(), expected)


# --- corners ---------------------------------------------------------------------------------------------------------
def _slopes(f, *points):
    """The gradients of Σ f at the points."""
    tensors = [Tensor(np.array(p, float), requires_grad=True) for p in points]
    return [g.numpy() for g in minidl.gradients(f(*tensors).sum(), tensors)]


@pytest.mark.parametrize(
    ("f", "points", "expected"),
    [
        (minidl.relu, [[-1, 0, 2]], [0, 0, 1]),
        (minidl.leaky_relu, [[-1, 0, 2]], [0.01, 0.01, 1]),
        (minidl.absolute, [[-2, 0, 2]], [-1, 0, 1]),
        (minidl.maximum, [[1, 2, 3], [2, 2, 2]], [[0, 0.5, 1], [1, 0.5, 0]]),
        (minidl.minimum, [[1, 2, 3], [2, 2, 2]], [[1, 0.5, 0], [0, 0.5, 1]]),
        (minidl.max, [[3, 1, 3]], [0.5, 0, 0.5]),
        (minidl.min, [[1, 1, 1]], [1 / 3] * 3),
        (lambda a: minidl.max(a, axis=1), [[[1, 1], [0, 2]]], [[0.5, 0.5], [0, 1]]),
        (lambda a: minidl.max(a, axis=0), [[np.nan, 1, 2]], [1, 0, 0]),
        (lambda a: minidl.clip(a, 0, 1), [[-1, 0, 0.5, 1, 2]], [0, 1, 1, 1, 0]),
        (lambda a: minidl.clip(a, 0, None), [[-1, 0, np.nan]], [0, 1, 0]),
        (minidl.clip, [[-1, 0, 1, 2], 0, 1], [[0, 1, 1, 0], 1, 1]),
        (lambda a: a**0, [[0, 2, np.inf]], [0, 0, 0]),
        (lambda a: a**1, [[0, -2]], [1, 1]),
        (lambda a: a**2, [[0, -2]], [0, -4]),
        (lambda a: a**-1, [[-2]], [-0.25]),
        (lambda a: a ** np.array([0.0, 1.0, 2.0, 3.0]), [[0, 0, 0, -2]], [0, 1, 0, 12]),
        (minidl.power, [[0, 0, 0, 2], [0, 1, 2, 0]], [[0, 1, 0, 0], [0, 0, 0, np.log(2)]]),
        (lambda b: 0**b, [[0, 2]], [0, 0]),
        (lambda b: 2**b, [[0]], [np.log(2)]),
        (minidl.prod, [[2, 0, 3]], [0, 6, 0]),
        (minidl.prod, [[0, 0, 3]], [0, 0, 0]),
        (minidl.prod, [[2]], [1]),
        (minidl.norm, [[0, 0]], [0, 0]),
        (lambda a: minidl.norm(a, axis=1), [[[0, 0], [3, 4]]], [[0, 0], [0.6, 0.8]]),
        (lambda a: minidl.norm(a, 1), [[-1, 0, 2]], [-1, 0, 1]),
        (lambda a: minidl.norm(a, np.inf), [[-2, 0, 2]], [-0.5, 0, 0.5]),
        (minidl.std, [[1, 1, 1]], [0, 0, 0]),
        (minidl.var, [[1, 1, 1]], [0, 0, 0]),
        (minidl.logsumexp, [[-np.inf, -np.inf]], [0, 0]),
        (minidl.logsumexp, [[-np.inf, 0]], [0, 1]),
        (minidl.logsumexp, [[1e9, -1e9]], [1, 0]),
        (minidl.sigmoid, [[-1e9, 0, 1e9]], [0, 0.25, 0]),
        (minidl.softplus, [[-1e9, 0, 1e9]], [0, 0.5, 1]),
        (minidl.softmax, [[-1e9, 0, 1e9]], [0, 0, 0]),
        (lambda a: minidl.log_softmax(a)[0], [[-1e9, 1e9]], [1, -1]),
        (
            lambda a: ops.softmax_cross_entropy(a, np.array([0, 0])),
            [[[-1e9, 1e9], [1e9, -1e9]]],
            [[-0.5, 0.5], [0, 0]],
        ),
        (lambda a: minidl.where(a > 1, a, 0), [[1, 2, np.nan]], [0, 1, 0]),
        (lambda a: minidl.sort(a)[0], [[1, 1, 2]], [1, 0, 0]),
        (lambda a: a[[0, 0, 2]], [[5, 6, 7]], [2, 0, 1]),
        (lambda a: minidl.astype(a, np.float32), [[1, 2]], [1, 1]),
    ],
)
def test_gradient_at_a_corner(f, points, expected):
    for found, right in zip(_slopes(f, *points), expected if len(points) > 1 else [expected], strict=True):
        np.testing.assert_allclose(found, right, atol=1e-15)


@pytest.mark.parametrize(
    ("f", "point", "expected"),
    [
        (minidl.relu, [np.nan, -1, 1], [np.nan, 0, 1]),
        (minidl.leaky_relu, [np.nan, -1, 1], [np.nan, -0.01, 1]),
        (minidl.sigmoid, [np.nan, -1e9, 1e9], [np.nan, 0, 1]),
        (minidl.softplus, [-1e9, 1e9], [0, 1e9]),
        (minidl.softmax, [-1e9, 0, 1e9], [0, 0, 1]),
        (minidl.log_softmax, [-1e9, 1e9], [-2e9, 0]),
        (minidl.logsumexp, [-np.inf, -np.inf], -np.inf),
        (minidl.logsumexp, [np.inf, 1e300], np.inf),
        (lambda a: minidl.maximum(a, 0), [np.nan, -1], [np.nan, 0]),
        (minidl.max, [np.nan, 1], np.nan),
        (lambda a: minidl.clip(a, 0, 1), [np.nan, 3], [np.nan, 1]),
        (lambda a: a**0, [0.0, np.nan], [1, 1]),
    ],
)
def test_value_at_a_corner(f, point, expected):
    np.testing.assert_array_equal(f(Tensor(point, dtype=np.float64)).numpy(), expected)


@pytest.mark.parametrize(
    "point", [[2.0, 0.0, 3.0, 0.5], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [[0.0, 2.0, 3.0], [0.0, 0.0, 2.0]]]
)
def test_prod_at_zeros_to_second_order(point):
    check_grads(lambda a: minidl.prod(a, axis=-1), point)


@pytest.mark.parametrize("f", [minidl.square, minidl.softplus, minidl.sigmoid, minidl.tanh, lambda a: a**3, minidl.var])
def test_smooth_functions_at_zero_to_second_order(f):
    check_grads(f, [0.0, 0.0])


def test_where_a_power_is_smooth_in_its_exponent_its_mixed_derivative_is_right():
    check_grads(minidl.power, [2.0, 0.5, 3.0], [0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("f", "x"), [(minidl.sqrt, 0.0), (lambda a: a**0.5, 0.0), (minidl.log, 0.0), (minidl.arcsin, 1.0)]
)
def test_an_infinite_derivative_is_infinite_and_numpy_warns(f, x):
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert _slopes(f, x) == [np.inf]


def test_an_exponent_of_a_negative_base_has_no_derivative():
    with pytest.warns(RuntimeWarning, match="invalid value"):
        base, exponent = _slopes(minidl.power, -2.0, 3.0)
    assert base == 12
    assert np.isnan(exponent)


def test_integers_are_never_recorded():
    x = Tensor([1.5, 2.5], requires_grad=True)
    assert not x.astype(np.int64).requires_grad
    assert not minidl.sum(x, dtype=np.int64).requires_grad


def test_split_returns_a_list_of_views():
    x = Tensor(np.arange(6.0), requires_grad=True)
    first, second = minidl.split(x, 2)
    (first * 2 + second).sum().backward()
    assert x.grad.tolist() == [2, 2, 2, 1, 1, 1]
    assert np.shares_memory(first.numpy(), x.numpy())


# --- refusals --------------------------------------------------------------------------------------------------------
A = np.ones((2, 3))


@pytest.mark.parametrize(
    ("error", "f", "message"),
    [
        (ShapeError, lambda x: x + np.ones(4), r"add: .*float64\[2, 3\], float64\[4\]"),
        (ShapeError, lambda x: x @ x, "matmul: "),
        (ShapeError, lambda x: x @ 2.0, "matmul: "),
        (ShapeError, lambda x: x.reshape(4), "reshape: "),
        (ShapeError, lambda x: minidl.concatenate([x, np.ones((2, 4))]), "concatenate: "),
        (ShapeError, lambda x: minidl.stack([x, np.ones(3)]), "stack: "),
        (ShapeError, lambda x: minidl.squeeze(x, 0), "squeeze: "),
        (ShapeError, lambda x: minidl.split(x, 2, axis=1), "no 2 equal sections"),
        (ShapeError, lambda x: minidl.tensordot(x, x, 1), "do not match in length"),
        (ShapeError, lambda x: minidl.diag(x[None]), "vector or a matrix"),
        (ShapeError, lambda x: minidl.max(x[:0]), "max: "),
        (ShapeError, lambda x: minidl.sum(x, axis=2), "sum: axis 2 is out of bounds"),
        (ShapeError, lambda x: minidl.einsum("ij,jk->ik", x), "is for 2 operands, but 1"),
        (ShapeError, lambda x: minidl.einsum("ijk->i", x), "'ijk' does not fit an operand with 2 axes"),
        (ShapeError, lambda x: minidl.einsum("ii", x), "'i' stands for lengths 2 and 3"),
        (ShapeError, lambda x: minidl.einsum("...i->i", x), "the result needs it too"),
        (ShapeError, lambda x: minidl.einsum("ij->k", x), "einsum: "),
        (ShapeError, lambda x: minidl.einsum("ij,ij->i", x, np.ones((2, 4))), "einsum: "),
        (UnsupportedError, lambda x: minidl.pad(x, 1, mode="empty"), "mode 'empty'.*choose one of constant, edge"),
        (OptionError, lambda x: minidl.norm(x, 3), "ord=3 is not there for matrices: choose of fro"),
        (OptionError, lambda x: minidl.norm(x, "nuc", axis=0), "ord='nuc' is not there for vectors: give a number"),
        (ShapeError, lambda x: minidl.norm(x[None], 2), r"norm: over 3 axes of shape \(1, 2, 3\): give axis="),
        (IndexError, lambda x: x[2], "out of bounds"),
        (IndexError, lambda x: minidl.take(x, 3, axis=1), "out of bounds"),
    ],
)
def test_a_mistake_is_named(error, f, message):
    with pytest.raises(error, match=message):
        f(Tensor(A, requires_grad=True))
