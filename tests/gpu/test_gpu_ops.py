"""Every op on CuPy against NumPy: value, first and second order; and what waits for the GPU."""

from types import SimpleNamespace

import numpy as np
import pytest
from op_cases import COMPARISONS, CONSTANT, MINIDL, every_case

import minidl
from minidl import Tensor
from minidl.backend import backend_of
from minidl.errors import MixedBackendError

pytestmark = pytest.mark.gpu
ON_GPU = SimpleNamespace(**{**vars(MINIDL), "home": "cupy"})


def leaves(arrays, backend, dtype):
    return [Tensor(np.asarray(a, dtype), requires_grad=True, backend=backend) for a in arrays]


def weights(y, number):
    values = np.cos(np.arange(y.size) + number).reshape(y.shape).astype(y.dtype)
    return Tensor(values, backend=y.backend)


@every_case
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_and_gradients_are_those_on_numpy(case, dtype):
    tolerance = {"rtol": 1e-9, "atol": 1e-10} if dtype == np.float64 else {"rtol": 2e-4, "atol": 2e-5}
    for of in case.shapes:
        arrays = case.draw(of)
        found = []
        for xp, backend in ((MINIDL, "numpy"), (ON_GPU, "cupy")):
            xs = leaves(arrays, backend, dtype)
            y = case.call(xp, *xs)
            first = minidl.gradients(y, xs, weights(y, 0), create_graph=True)
            total = sum((g * weights(g, i)).sum() for i, g in enumerate(first))
            second = minidl.gradients(total, xs) if total.requires_grad else []
            assert {t.backend for t in (y, *first, *second)} == {backend}
            found.append([t.numpy() for t in (y, *first, *second)])
        for here, there in zip(*found, strict=True):
            assert here.dtype == there.dtype
            np.testing.assert_allclose(there, here, **tolerance)


@pytest.mark.parametrize("name", CONSTANT)
def test_what_is_not_recorded(name):
    arrays = [np.array([[1.5, -0.5, 2.0]])] * (2 if name in COMPARISONS else 1)
    result = getattr(minidl, name)(*leaves(arrays, "cupy", np.float64))
    np.testing.assert_array_equal(result.numpy(), getattr(np, name)(*arrays))


def test_plain_arrays_stay_plain_and_on_the_gpu():
    import cupy

    y = minidl.exp(cupy.zeros((2, 2)))
    assert isinstance(y, cupy.ndarray)
    assert isinstance(minidl.sum(y), cupy.ndarray)


def test_duplicates_in_an_index_add_up():
    (x,) = leaves([np.arange(3.0)], "cupy", np.float32)
    for index in ([1, 1, 0], np.array([1, 1, 0])):
        assert minidl.gradients(x[index].sum(), [x])[0].tolist() == [1, 2, 0]
        assert minidl.gradients(minidl.take(x, index).sum(), [x])[0].tolist() == [1, 2, 0]


@pytest.mark.parametrize("f", [minidl.add, minidl.matmul, minidl.maximum, lambda a, b: minidl.concatenate([a, b])])
def test_a_mixture_names_both_sides_and_the_remedy(f):
    (here,), (there,) = leaves([np.eye(2)], "numpy", np.float64), leaves([np.eye(2)], "cupy", np.float64)
    for pair in ((here, there), (there, here)):
        with pytest.raises(MixedBackendError, match=r"(numpy.*cupy|cupy.*numpy).*\.to\("):
            f(*pair)


def test_a_gradient_finds_its_way_between_the_two():
    (x,) = leaves([np.arange(3.0)], "numpy", np.float64)
    g = minidl.gradients((x.to("cupy") ** 2).sum(), [x])[0]
    assert g.tolist() == [0, 2, 4]
    assert g.backend == "numpy"


def test_new_arrays_are_made_where_use_backend_says():
    with minidl.use_backend("cupy"):
        assert backend_of(Tensor([1.0]).data) == "cupy"
        assert backend_of(minidl.nn.Dense(2, 2).weight.data) == "cupy"
    assert backend_of(Tensor([1.0]).data) == "numpy"


def test_one_seed_gives_one_model_on_both():
    minidl.seed(5)
    here = minidl.nn.Dense(7, 3)
    minidl.seed(5)
    with minidl.use_backend("cupy"):
        there = minidl.nn.Dense(7, 3)
    np.testing.assert_array_equal(there.weight.numpy(), here.weight.numpy())
