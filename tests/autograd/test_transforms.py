"""grad, value_and_grad and gradients: what they return, what they keep, and what they refuse."""

import gc
import weakref

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn
from minidl.errors import GradientError


def leaf(values):
    return Tensor(np.asarray(values, np.float64), requires_grad=True)


def test_the_outermost_gradient_is_plain_and_keeps_no_history():
    value, g = minidl.value_and_grad(lambda w: (w * w).sum())(np.ones(3))
    assert not value.requires_grad
    assert not g.requires_grad
    value, pair = minidl.value_and_grad(lambda a, b: (a * b).sum(), argnum=(0, 1))(np.ones(3), np.ones(3))
    assert not any(t.requires_grad for t in (value, *pair))


def test_gradient_descent_by_grad_needs_no_more_memory_with_every_step():
    alive = weakref.WeakSet()

    def f(w):
        hidden = minidl.tanh(w)
        alive.add(hidden)
        return (hidden * hidden).sum()

    w = np.ones(10)
    for _ in range(20):
        value, g = minidl.value_and_grad(f)(w)
        w = w - 0.1 * g
    gc.collect()
    assert len(alive) == 0
    assert not w.requires_grad
    assert not value.requires_grad


def test_what_was_recorded_outside_can_be_differentiated_through_a_gradient():
    w = leaf([1.0, 2.0])
    g = minidl.grad(lambda x: (x**3).sum())(w)  # an argument
    g.sum().backward()
    assert w.grad.tolist() == [6, 12]
    w.zero_grad()
    g = minidl.grad(lambda x: (x * x * w).sum())(np.array([3.0, 4.0]))  # something the function uses besides
    g.sum().backward()
    assert w.grad.tolist() == [6, 8]
    assert minidl.grad(lambda xs: minidl.grad(lambda y: y * xs * xs)(1.0))(3.0).item() == 6.0
    assert minidl.grad(lambda x: (x[0] * x[1] * 2.0).sum())([w[0], w[1]]).requires_grad


def test_only_the_way_through_the_argument_counts_not_that_through_the_same_tensor_outside():
    w = leaf([1.0, 2.0])
    assert minidl.grad(lambda x: (x * w).sum())(w).tolist() == [1, 2]


def test_under_no_grad_a_gradient_is_plain_whatever_goes_in():
    model = nn.Dense(2, 1)
    x = np.ones((1, 2), np.float32)
    assert minidl.grad(lambda x: model(x).sum())(x).requires_grad
    with minidl.no_grad():
        assert not minidl.grad(lambda x: model(x).sum())(x).requires_grad
        assert not minidl.grad(lambda w: (w * w).sum())(leaf([1.0])).requires_grad


def test_a_function_that_does_not_use_its_argument_has_gradient_zero():
    assert minidl.grad(lambda x: Tensor(5.0))([1.0, 2.0]).tolist() == [0, 0]
    w = leaf(2.0)
    assert minidl.grad(lambda x: w * w)([1.0, 2.0]).tolist() == [0, 0]


# gradients


def test_gradients_of_what_nothing_recorded_is_an_error_not_zero():
    w = leaf([1.0, 2.0])
    with minidl.no_grad():
        loss = (w * w).sum()
    with pytest.raises(GradientError, match=r"gradients\(\) of a result that nothing recorded.*no_grad"):
        minidl.gradients(loss, [w])
    with pytest.raises(GradientError, match="nothing recorded"):
        minidl.gradients(Tensor(1.0), [w])
    with pytest.raises(GradientError, match=r"gradients\(\) of a float, which is no Tensor"):
        minidl.gradients((w * w).sum().item(), [w])
    with pytest.raises(GradientError, match="integers"):
        minidl.gradients((w > 0).sum(), [w])


def test_gradients_takes_one_tensor_or_any_sequence_of_them():
    w, v = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (found,) = minidl.gradients((w * v).sum(), w)
    assert found.tolist() == [3, 4]
    found = minidl.gradients((w * v).sum(), (x for x in (w, v)))
    assert [g.tolist() for g in found] == [[3, 4], [1, 2]]
    with pytest.raises(GradientError, match="input 1 is not a Tensor"):
        minidl.gradients((w * v).sum(), [w, 2.0])


def test_the_gradient_of_a_constant_gradient_is_zero_not_an_error():
    w, unused = leaf([1.0, 2.0]), leaf(1.0)
    dw, du = minidl.gradients((w * 3.0).sum(), [w, unused], create_graph=True)
    assert (dw.tolist(), du.tolist()) == ([3, 3], 0)
    assert minidl.gradients(dw.sum() + du, [w, unused])[0].tolist() == [0, 0]
    hessian = minidl.grad(lambda x: minidl.grad(lambda y: (y * 2.0).sum())(x).sum())
    assert hessian([1.0, 2.0]).tolist() == [0, 0]


# the corners of second order that the pages tell of


def test_a_where_of_its_own_keeps_the_branch_not_taken_harmless():
    x = leaf([-1.0, 0.0, 4.0])
    with np.errstate(all="ignore"):
        (naive,) = minidl.gradients(minidl.where(x > 0, minidl.sqrt(x), 0.0).sum(), [x])
    assert np.isnan(naive.numpy()[:2]).all()
    safe = minidl.where(x > 0, x, 1.0)
    (found,) = minidl.gradients(minidl.where(x > 0, minidl.sqrt(safe), 0.0).sum(), [x])
    assert found.tolist() == [0, 0, 0.25]


@pytest.mark.parametrize(
    ("documented", "instead", "hessian"),
    [
        (lambda x: minidl.norm(x) ** 2, lambda x: (x * x).sum(), 2 * np.eye(2)),
        (lambda x: minidl.std(x) ** 2, minidl.var, np.eye(2) - 0.5),
    ],
)
def test_second_derivatives_at_zero_of_norm_and_std_are_as_their_docstrings_say(documented, instead, hessian):
    for f, expected in ((documented, np.zeros((2, 2))), (instead, hessian)):
        rows = [minidl.grad(lambda x, i=i, f=f: minidl.grad(f)(x)[i])(np.zeros(2)).tolist() for i in range(2)]
        np.testing.assert_allclose(rows, expected)
