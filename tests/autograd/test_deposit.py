"""Where backward stores the gradients of an optimizer's parameters, and what nothing that computes may find there."""

import numpy as np
import pytest

import minidl
from minidl import nn, ops, optim
from minidl.autograd import Op


def network():
    minidl.seed(0)
    return nn.Sequential(nn.Dense(6, 5), nn.Tanh(), nn.Dense(5, 3))


X, Y = np.random.default_rng(0).standard_normal((7, 6)).astype("f"), np.array([0, 1, 2, 0, 1, 2, 0])


def gradients(model):
    nn.softmax_cross_entropy(model(X), Y).backward()
    return [p.grad for p in model.parameters()]


def values(tensors):
    return [t.numpy().copy() for t in tensors]


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradients_lie_in_the_optimizers_vector_and_have_the_values_they_have_without_one():
    expected = values(gradients(network()))
    model = network()
    optimizer = optim.SGD(model.parameters())
    found = gradients(model)
    assert_equal(values(found), expected)
    flat = optimizer.vectors.gradients
    assert all(np.shares_memory(g.data, flat) for g in found)


def test_a_weight_that_is_used_twice_has_the_sum_of_both_gradients():
    def loss(model):
        first = model.layers[0]
        return (minidl.tanh(first(X)).sum() + (first(2 * X) ** 2).sum()) / 10

    found = []
    for with_optimizer in (False, True):
        model = network()
        if with_optimizer:
            optim.SGD(model.parameters())
        loss(model).backward()
        found.append(values(p.grad for p in model.layers[0].parameters()))
    assert_equal(*found)


def test_gradients_are_added_up_until_they_are_forgotten():
    model = network()
    optimizer = optim.SGD(model.parameters())
    once = values(gradients(model))
    assert_equal(values(gradients(model)), [2 * g for g in once])
    optimizer.zero_grad()
    assert_equal(values(gradients(model)), once)


def test_a_gradient_that_somebody_holds_keeps_its_values():
    model = network()
    optimizer = optim.SGD(model.parameters())
    held = gradients(model)
    before = values(held)
    optimizer.zero_grad()
    (3 * nn.softmax_cross_entropy(model(X), Y)).backward()
    assert_equal(values(held), before)
    assert not np.array_equal(model.parameters()[0].grad.numpy(), before[0])


def test_minidl_gradients_touches_no_stored_one():
    model = network()
    optim.SGD(model.parameters())
    stored = gradients(model)
    before = values(stored)
    doubled = minidl.gradients(2 * nn.softmax_cross_entropy(model(X), Y), model.parameters())
    assert_equal(values(stored), before)
    assert_equal(values(doubled), [2 * g for g in before])


def test_a_backward_that_fails_leaves_no_gradient():
    model = network()
    optimizer = optim.SGD(model.parameters())

    @Op
    def fails(a):
        return a + 0

    def formula(g, y, a):
        raise RuntimeError("no gradient today")

    fails.vjp(formula)
    before = values(model.parameters())
    with pytest.raises(RuntimeError, match="no gradient today"):
        nn.softmax_cross_entropy(model.layers[2](minidl.tanh(fails(model.layers[0](X)))), Y).backward()
    assert all(p.grad is None for p in model.parameters())
    optimizer.step()
    assert_equal(values(model.parameters()), before)


def test_a_kernel_of_ones_own_that_knows_of_no_places_is_used_as_it_is(monkeypatch):
    forward, backward = ops.dense.kernels["numpy"]
    calls = []

    def own(g, y, saved, wanted, *args):
        calls.append(1)
        return backward(g, y, saved, wanted, *args)

    expected = values(gradients(network()))
    monkeypatch.setitem(ops.dense.kernels, "numpy", (forward, own))
    model = network()
    optim.SGD(model.parameters())
    assert_equal(values(gradients(model)), expected)
    assert len(calls) == 2


def test_float64_data_give_float32_parameters_their_own_dtype():
    model = network()
    optim.SGD(model.parameters())
    nn.softmax_cross_entropy(model(X.astype(np.float64)), Y).backward()
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}


def segment_of(result, argument):
    """An op whose formula runs a backward pass of its own."""

    @Op
    def segment(x):
        return result.data

    def formula(g, y, x):
        result.backward(g)
        return argument.grad.data

    segment.vjp(formula)
    return segment


def test_a_backward_inside_a_formula_adds_to_the_same_leaf():
    """A segment that is differentiated apart, with a weight that is used outside it as well."""
    found = []
    for with_optimizer in (False, True):
        weight = minidl.Tensor(np.random.default_rng(1).standard_normal((4, 4)).astype("f"), requires_grad=True)
        if with_optimizer:
            optim.SGD([weight])
        x = minidl.Tensor(np.random.default_rng(2).standard_normal((3, 4)).astype("f"), requires_grad=True)
        copy = minidl.Tensor(x.data, requires_grad=True)
        inner = ops.dense(copy, weight, None)

        ops.dense(segment_of(inner, copy)(x), weight, None, activation="tanh").sum().backward()
        found.append([weight.grad.numpy().copy()])
    assert_equal(*found)


def test_an_array_that_was_a_gradient_may_be_an_argument_of_the_next_pass():
    found = []
    for with_optimizer in (False, True):
        rng = np.random.default_rng(0)
        w1, w2 = (minidl.Tensor(rng.standard_normal((8, 8)).astype("f"), requires_grad=True) for _ in "12")
        if with_optimizer:
            optim.SGD([w1, w2])
        ops.dense(rng.standard_normal((3, 8)).astype("f"), w1, None).sum().backward()
        features = w1.grad.data
        w1.grad = None
        (ops.dense(features, w2, None) * ops.dense(features, w1, None)).sum().backward()
        found.append([w1.grad.numpy().copy(), w2.grad.numpy().copy()])
    assert_equal(*found)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_bias_that_is_broadcast_has_the_sum_of_its_gradients(shape):
    weight = minidl.Tensor(np.ones((20, 64), np.float32), requires_grad=True)
    bias = minidl.Tensor(np.zeros(shape, np.float32), requires_grad=True)
    optim.SGD([weight, bias])
    ops.dense(np.ones((32, 20), np.float32), weight, bias).sum().backward()
    assert bias.grad.shape == shape
    assert float(bias.grad.sum()) == 32 * 64
