"""What the engine refuses, in words, and what is no fault."""

import numpy as np
import pytest

import minidl
from minidl import Tensor
from minidl.errors import DTypeError, GradientError, ShapeError


def leaf(values, dtype=None):
    return Tensor(values, requires_grad=True, dtype=dtype)


def test_backward_twice_needs_retain_graph():
    x = leaf(2.0)
    y = x * x
    y.backward()
    with pytest.raises(GradientError, match="retain_graph=True"):
        y.backward()
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0


def test_backward_from_a_non_scalar_needs_a_gradient_of_its_shape():
    y = leaf([1.0, 2.0]) * 2.0
    with pytest.raises(GradientError, match=r"shape \(2,\).*sum\(\)"):
        y.backward()
    with pytest.raises(ShapeError, match=r"\(3,\).*\(2,\)"):
        y.backward(np.ones(3))
    y.backward(np.ones(2))


def test_backward_on_something_that_was_not_recorded_is_refused():
    with pytest.raises(GradientError, match="nothing recorded"):
        (Tensor(1.0) * 2.0).backward()
    x = leaf(1.0)
    with minidl.no_grad():
        y = x * 2.0
    with pytest.raises(GradientError, match="no_grad"):
        y.backward()


def test_integers_cannot_require_a_gradient_nor_pass_one_on():
    with pytest.raises(DTypeError, match="int64 cannot require a gradient"):
        Tensor(np.arange(3), requires_grad=True)
    with pytest.raises(GradientError, match="integers"):
        (leaf([1.5, 2.5]).astype("int64") * 2.0).sum().backward()
    late = Tensor(np.arange(3))
    late.requires_grad = True
    with pytest.raises(DTypeError, match="int64 cannot take a gradient"):
        (late * 2.0).sum().backward()


def test_gradients_refuses_an_input_without_requires_grad():
    x = leaf(1.0)
    with pytest.raises(GradientError, match="input 1"):
        minidl.gradients(x * 2.0, [x, Tensor(1.0)])


def test_an_operand_changed_in_place_after_use_is_noticed():
    x, w = leaf(2.0), Tensor(3.0)
    y = x * w
    w += 1.0
    with pytest.raises(GradientError, match="multiply was changed in place"):
        y.backward()
    assert x.grad is None


def test_a_change_through_a_view_is_noticed_too():
    x, w = leaf([[1.0, 2.0]]), Tensor([[3.0], [4.0]])
    y = x @ w.T.reshape(2, 1)
    w[0] = 9.0
    with pytest.raises(GradientError, match="changed in place"):
        y.backward()


def test_a_change_before_its_use_or_beside_the_graph_is_no_fault():
    x, w, beside = leaf(2.0), Tensor(3.0), Tensor(4.0)
    w += 1.0
    y = x * w
    beside += 1.0
    y.backward()
    assert x.grad.item() == 4.0


def test_a_failed_backward_leaves_every_grad_alone():
    x, w = leaf(2.0), Tensor(3.0)
    bad = x * w
    w += 1.0
    good = leaf(1.0)
    with pytest.raises(GradientError):
        (good + bad).backward()
    assert good.grad is None
    assert (good * 2.0).requires_grad  # and what comes next is recorded as before


def test_gradients_through_a_graph_that_was_freed_are_refused_not_zero():
    x = leaf(2.0)
    h = x * x
    h.backward()
    with pytest.raises(GradientError, match="freed"):
        minidl.gradients(h * 2.0, [x])
    with pytest.raises(GradientError, match="freed"):
        (h * 2.0).backward()


def test_an_in_place_operator_on_a_leaf_is_refused_outside_no_grad():
    x = leaf([1.0])
    with pytest.raises(GradientError, match="no_grad"):
        x += 1.0
    with minidl.no_grad():
        x += 1.0
    assert x.item() == 2.0
    with pytest.raises(GradientError, match="where"):
        x[0] = 3.0


def test_a_running_total_of_losses_may_be_written_with_plus_equals():
    x, total = leaf(2.0), Tensor(0.0)
    for _ in range(3):
        total += x * x
    total.backward()
    assert x.grad.item() == 12.0
