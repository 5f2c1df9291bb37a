"""The gradients of what is computed on the way."""

import gc
import weakref

import numpy as np
import pytest

import minidl
from minidl import Tensor, deposit
from minidl.errors import GradientError


def test_an_interior_result_keeps_its_gradient_if_it_is_told_to():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    h.retain_grad()
    other = x * 3
    (h * h + other).sum().backward()
    np.testing.assert_allclose(h.grad.numpy(), [2, 8])
    np.testing.assert_allclose(x.grad.numpy(), [7, 35])
    assert other.grad is None


def test_it_is_complete_where_several_paths_meet_and_adds_up_over_passes_as_a_leafs_does():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x + 1
    h.retain_grad()
    y = (h * h + minidl.exp(h) * 0 + h).sum()
    y.backward(retain_graph=True)
    np.testing.assert_allclose(h.grad.numpy(), [5, 7])
    y.backward()
    np.testing.assert_allclose(h.grad.numpy(), [10, 14])
    h.zero_grad()
    assert h.grad is None


def test_it_is_what_gradients_gives_and_can_be_differentiated_again():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    h.retain_grad()
    y = (h**3).sum()
    assert minidl.gradients(y, [h])[0].tolist() == [12, 48]
    assert h.grad is None
    y.backward(create_graph=True)
    assert minidl.gradients(h.grad.sum(), [x])[0].tolist() == [24, 48]  # d(3 h²)/dx = 12 h


def test_a_result_and_a_leaf_may_be_told_and_a_constant_is_refused():
    x = Tensor(2.0, requires_grad=True)
    x.retain_grad()
    y = x * x
    y.retain_grad()
    y.backward()
    assert (x.grad.item(), y.grad.item()) == (4, 1)
    with pytest.raises(GradientError, match=r"retain_grad\(\) of a result that nothing recorded"):
        Tensor(1.0).retain_grad()


def test_nothing_is_kept_alive_by_it():
    x = Tensor(2.0, requires_grad=True)
    y = x * x
    y.retain_grad()
    gone = weakref.ref(y)
    y.backward()
    del y
    gc.collect()
    assert gone() is None
    assert all(node is not None for node in deposit.retained())
