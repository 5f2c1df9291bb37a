"""Every op on the strict stand-in for CuPy: nothing that CuPy lacks is called, no array moves by itself."""

from types import SimpleNamespace

import numpy as np
import pytest
from op_cases import COMPARISONS, CONSTANT, MINIDL, every_case
from strict import CUPY, StrictArray, strict

import minidl
from minidl import backend
from minidl.autograd import wrap
from minidl.backend import array_module, backend_of, to_numpy
from minidl.errors import MixedBackendError

ON_STRICT = SimpleNamespace(**{**vars(MINIDL), "home": "strict"})


def leaf(array):
    tensor = wrap(array)
    tensor.requires_grad = True
    return tensor


def weights(y):
    return np.cos(np.arange(y.size)).reshape(y.shape).astype(np.float32)


# --- the stand-in itself ---------------------------------------------------------------------------------------------
def test_the_stand_in_is_a_backend():
    a = StrictArray(np.ones(2, np.float32))
    assert backend_of(a) == "strict"
    assert array_module(a) is strict
    np.testing.assert_array_equal(to_numpy(a * 2), [2, 2])
    assert (a * 2.0).dtype == np.float32
    assert (np.float64(2) * a).dtype == np.float64
    assert isinstance(a.sum(), StrictArray)
    assert a[None].T.base is not None


@pytest.mark.parametrize(
    "misuse",
    [
        lambda a: a + np.ones(2),
        lambda a: np.ones(2) + a,
        lambda a: np.ones(2) == a,
        lambda a: np.exp(a),
        lambda a: np.asarray(a),
        lambda a: np.concatenate([a, a]),
        lambda a: strict.add(a, np.ones(2)),
        lambda a: strict.concatenate([a, np.ones(2)]),
        lambda a: strict.sum(a, where=True),
        lambda a: a.sum(initial=0),
        lambda a: bool(a[0]),
        lambda a: float(a[0]),
        lambda a: int(a[0]),
        lambda a: [0, 1][a[0]],
        lambda a: list(a),
        lambda a: a.__setitem__(0, np.ones(())),
        lambda a: strict.where(True, a, a),
        lambda a: strict.vecmat(a, a[None]),
        lambda a: strict.no_such_function(a),
        lambda a: a.no_such_method(),
    ],
)
def test_the_stand_in_refuses_what_cupy_refuses_and_what_would_wait(misuse):
    with pytest.raises((TypeError, AttributeError)):
        misuse(StrictArray(np.ones(2)))


def test_the_list_of_names_is_cupys():
    assert {"einsum", "add", "take_along_axis", "ndarray.sum"} <= CUPY.keys()
    assert not {"vecmat", "vecdot", "spacing", "ndarray.setfield"} & CUPY.keys()
    assert CUPY["clip"] == ("a", "a_min", "a_max", "out")
    assert CUPY["add"] is None


# --- every op --------------------------------------------------------------------------------------------------------
@every_case
def test_values_and_gradients_are_those_on_numpy(case, monkeypatch):
    monkeypatch.setattr(backend, "module_of", lambda name: {"numpy": np, "strict": strict}[name])
    for of in case.shapes:
        arrays = [np.asarray(x, np.float32) for x in case.draw(of)]
        here, there = [leaf(x) for x in arrays], [leaf(StrictArray(x)) for x in arrays]
        expected, y = case.call(MINIDL, *here), case.call(ON_STRICT, *there)
        assert isinstance(y.data, StrictArray)
        assert isinstance(case.call(ON_STRICT, *[x.data for x in there]), StrictArray)
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
        w = weights(y)
        for mine, theirs in zip(
            minidl.gradients(y, there, wrap(StrictArray(w))), minidl.gradients(expected, here, w), strict=True
        ):
            assert isinstance(mine.data, StrictArray)
            assert mine.dtype == theirs.dtype
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


@every_case
def test_second_order_runs_too(case, monkeypatch):
    monkeypatch.setattr(backend, "module_of", lambda name: {"numpy": np, "strict": strict}[name])
    xs = [leaf(StrictArray(x)) for x in case.draw(case.shapes[0])]
    y = case.call(ON_STRICT, *xs)
    for g in minidl.gradients(y, xs, wrap(StrictArray(weights(y))), create_graph=True):
        if g.requires_grad:
            minidl.gradients(g, xs, wrap(StrictArray(weights(g))))


@pytest.mark.parametrize("name", CONSTANT)
def test_what_is_not_recorded(name):
    arrays = [np.array([[1.5, -0.5, 2.0]])] * (2 if name in COMPARISONS else 1)
    result = getattr(minidl, name)(*[leaf(StrictArray(a)) for a in arrays])
    np.testing.assert_array_equal(result.numpy(), getattr(np, name)(*arrays))


def test_what_is_answered_is_answered_where_the_tensor_is():
    x = leaf(StrictArray(np.eye(2)))
    for answer in (np.linalg.matrix_rank(x), np.count_nonzero(x)):
        assert (answer if isinstance(answer, int) else answer.item()) == 2  # count_nonzero's is NumPy 2.0's int


@pytest.mark.parametrize("index", [np.array([1, 0, 1]), [1, 0, 1], StrictArray(np.array([1, 0, 1]))])
def test_an_index_may_come_from_anywhere(index):
    x = leaf(StrictArray(np.arange(3.0)))
    g = minidl.gradients(minidl.take(x, index).sum(), [x])[0]
    assert g.tolist() == [1, 2, 0]


def test_lists_and_numbers_go_where_the_tensor_is():
    x = leaf(StrictArray(np.ones(2, np.float32)))
    y = (x * [2.0, 3.0] + np.float64(1)) ** [1, 2]
    g = minidl.gradients(y.sum(), [x])[0]
    assert y.dtype == g.dtype == np.float32
    np.testing.assert_allclose(g.numpy(), [2, 24])


def test_a_tensor_moves_by_transfer_and_its_gradient_moves_back(monkeypatch):
    monkeypatch.setattr(backend, "module_of", lambda name: {"numpy": np, "strict": strict}[name])
    x = leaf(np.arange(3.0))
    y = x.to("strict")
    assert isinstance(y.data, StrictArray)
    first = minidl.gradients((y**3).sum(), [x], create_graph=True)[0]
    assert isinstance(first.data, np.ndarray)
    assert minidl.gradients(first.sum(), [x])[0].tolist() == [0, 6, 12]


# --- mixtures --------------------------------------------------------------------------------------------------------
HERE, THERE = np.ones((2, 2)), StrictArray(np.ones((2, 2)))


@pytest.mark.parametrize(("one", "other"), [(leaf(THERE), HERE), (leaf(HERE), THERE), (leaf(HERE), leaf(THERE))])
@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: a + b,
        lambda a, b: b - a,
        lambda a, b: a * b,
        lambda a, b: b / a,
        lambda a, b: a**b,
        lambda a, b: a @ b,
        lambda a, b: a < b,
        lambda a, b: a == b,
        minidl.maximum,
        minidl.arctan2,
        minidl.tensordot,
        minidl.outer,
        lambda a, b: minidl.where(a > 0, a, b),
        lambda a, b: minidl.where(b > 0, a, a),
        lambda a, b: minidl.clip(a, b, None),
        lambda a, b: minidl.concatenate([a, b]),
        lambda a, b: minidl.concatenate([b, a]),
        lambda a, b: minidl.stack([a, b]),
        lambda a, b: minidl.einsum("ij,jk->ik", a, b),
        lambda a, b: minidl.ops.dense(a, b, None),
        lambda a, b: minidl.ops.dense(b, a, None),
    ],
)
def test_a_mixture_is_an_error_that_names_both_sides(f, one, other):
    with pytest.raises(MixedBackendError, match=r"(numpy.*strict|strict.*numpy).*\.to\("):
        f(one, other)
