"""New Tensors: zeros, ones, grids, random numbers, copies."""

import numpy as np
import pytest
from strict import StrictArray, strict

import minidl
from minidl import Tensor, backend, nn
from minidl.errors import GradientError


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: minidl.zeros(3), np.zeros(3)),
        (lambda: minidl.zeros((2, 3)), np.zeros((2, 3))),
        (lambda: minidl.ones((2, 0)), np.ones((2, 0))),
        (lambda: minidl.full((2, 2), 1.5), np.full((2, 2), 1.5)),
        (lambda: minidl.full(2, [1, 2]), np.array([1, 2])),
        (lambda: minidl.eye(2, 3, 1), np.eye(2, 3, 1)),
        (lambda: minidl.arange(3), np.arange(3)),
        (lambda: minidl.arange(1, 2, 0.25), np.arange(1, 2, 0.25)),
        (lambda: minidl.linspace(0, 1, 5), np.linspace(0, 1, 5)),
        (lambda: minidl.linspace(0, 1, 5, endpoint=False), np.linspace(0, 1, 5, endpoint=False)),
        (lambda: minidl.linspace([0, 1], [2.0, 3.0], 3), np.linspace([0, 1], [2, 3], 3)),
        (lambda: minidl.linspace(2, 3, 1), np.array([2])),
        (lambda: minidl.array([[1, 2]]), np.array([[1, 2]])),
        (lambda: minidl.asarray(2), np.array(2)),
    ],
)
def test_a_new_tensor_holds_numpys_values_in_float32(made, expected):
    x = made()
    assert isinstance(x, Tensor)
    assert not x.requires_grad
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-6, strict=False)
    assert x.shape == expected.shape


def test_a_dtype_is_what_was_asked_for_and_arrays_keep_theirs():
    assert minidl.zeros(2, int).dtype == minidl.arange(2, dtype=int).dtype == np.int64
    assert minidl.array(np.ones(2)).dtype == minidl.full(2, np.float64(1)).dtype == np.float64
    assert Tensor([5.0, 6.0])[minidl.arange(2, dtype=int)].tolist() == [5, 6]


def test_array_copies_and_asarray_does_not():
    a = np.ones(2, np.float32)
    assert not np.shares_memory(minidl.array(a).numpy(), a)
    assert np.shares_memory(minidl.asarray(a).numpy(), a)


def test_a_leaf_is_made_at_once():
    w = minidl.randn(3, requires_grad=True)
    (w * minidl.ones(3, requires_grad=True)).sum().backward()
    assert w.grad.tolist() == [1, 1, 1]


def test_likes_are_like_their_model_and_record_nothing():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    for made, value in ((minidl.zeros_like(x), 0), (np.ones_like(x), 1), (minidl.zeros_like(x, dtype="f4"), 0)):
        assert (made == value).all()
        assert made.shape == (2, 3)
        assert not made.requires_grad
    assert np.zeros_like(x).dtype == np.float64


def test_new_tensors_are_made_on_the_current_backend(monkeypatch):
    monkeypatch.setattr(backend, "module_of", lambda name: {"numpy": np, "strict": strict}[name])
    with minidl.use_backend("strict"):
        for x in (minidl.zeros(2), minidl.arange(3), minidl.randn(2), minidl.full(2, 1), minidl.linspace(0, 1, 3)):
            assert isinstance(x.data, StrictArray)


def test_random_tensors_come_from_minidls_seed_and_change_no_other_stream():
    def weights(drawing):
        minidl.seed(3)
        drawn = minidl.rand(2, 3) if drawing else None
        return drawn, nn.Dense(4, 4).weight.numpy()

    (first, with_drawing), (_, without), (again, _) = weights(True), weights(False), weights(True)
    np.testing.assert_array_equal(with_drawing, without)
    np.testing.assert_array_equal(first.numpy(), again.numpy())
    assert first.dtype == np.float32
    assert minidl.rand().shape == ()
    assert minidl.randn((2, 3), dtype="float64").shape == (2, 3)


def test_random_numbers_are_distributed_as_promised():
    minidl.seed(0)
    even, normal = minidl.rand(20_000).numpy(), minidl.randn(20_000).numpy()
    assert even.min() >= 0
    assert even.max() < 1
    assert even.mean() == pytest.approx(0.5, abs=0.01)
    assert normal.mean() == pytest.approx(0, abs=0.03)
    assert normal.std() == pytest.approx(1, abs=0.03)


def test_a_gradient_passes_through_array_of_tensors_where_numpys_own_loses_it():
    def f(make):
        return minidl.grad(lambda x: make([x, x * x]).sum())

    assert f(minidl.array)(3.0).item() == 7
    with pytest.raises(GradientError):
        f(lambda values: Tensor(np.array(values)))(3.0)
