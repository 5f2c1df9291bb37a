"""The optimizer's two flat vectors: parameters and gradients are views of them, whatever is done behind its back."""

import copy

import numpy as np
import pytest
from optimizer_steps import assert_equal, parameters, put_gradients, train, values
from rule_cases import OPTIMIZERS
from strict import StrictArray

from minidl import Tensor, optim
from minidl.errors import (
    GradientError,
    MixedBackendError,
    OptionError,
    ShapeError,
)


def test_parameters_and_gradients_are_views_of_two_vectors_that_start_at_64_bytes():
    params = parameters("float32")
    before = values(params)
    optim.Adam(params)
    assert_equal(values(params), before)
    put_gradients(params)
    for arrays in ([p.data for p in params], [p.grad.data for p in params]):
        address = arrays[0].ctypes.data
        assert address % 64 == 0
        for array in arrays:
            assert array.ctypes.data == address
            address += array.nbytes
    assert [p.shape for p in params] == [(3, 4), (4,), (), (2, 1, 2)]


def test_gradients_are_deposited_without_a_copy_and_accumulate():
    params = parameters()
    optimizer = optim.SGD(params, lr=1.0)
    put_gradients(params)
    slots = [p.grad.data for p in params]
    once = [g.copy() for g in slots]
    for i, p in enumerate(params):
        ((p * p).sum() * 0.5 + (p * float(np.cos(i))).sum()).backward()
        assert p.grad.data is slots[i]
    before = values(params)
    optimizer.step()
    assert_equal(values(params), [b - 2 * g for b, g in zip(before, once, strict=True)], rtol=1e-14)


def test_a_value_assigned_to_data_is_taken_over():
    params = parameters()
    optimizer = optim.Momentum(params, lr=0.1)
    train(optimizer, params, 2)
    twin = copy.deepcopy(optimizer)
    theirs = [p for group in twin.groups for p in group["params"]]
    new = np.arange(12.0).reshape(3, 4)
    params[0].data = new
    theirs[0].data[...] = new
    for either in (params, theirs):
        put_gradients(either, 2)
    optimizer.step()
    twin.step()
    assert_equal(values(params), values(theirs))
    assert np.array_equal(new, np.arange(12.0).reshape(3, 4))
    assert np.shares_memory(params[0].data, params[1].data.base)


def test_exchanged_arrays_and_gradients_arrive_exchanged():
    a, b = (Tensor(np.full(3, x), requires_grad=True) for x in (1.0, 2.0))
    optimizer = optim.SGD([a, b], lr=1.0)
    (a.sum() * 10 + b.sum() * 20).backward()
    a.data, b.data = b.data, a.data
    a.grad, b.grad = b.grad, a.grad
    optimizer.step()
    assert a.tolist() == [2 - 20] * 3
    assert b.tolist() == [1 - 10] * 3


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda k: k.__name__)
def test_two_optimizers_over_the_same_parameters_take_turns(kind):
    shared, alone = parameters(), parameters()
    mine, other = kind(shared, lr=0.1), optim.SGD(shared[:2], lr=0.01)
    reference = kind(alone, lr=0.1)
    for k in range(6):
        train(mine, shared, 1)
        train(reference, alone, 1)
        put_gradients(shared, k)
        put_gradients(alone, k)
        other.step()
        for p in alone[:2]:
            p.data[...] -= 0.01 * p.grad.numpy()
        assert_equal(values(shared), values(alone), rtol=1e-12, atol=1e-14)


def test_a_gradient_put_in_place_of_the_deposited_one_counts():
    params = parameters()
    optimizer = optim.SGD(params, lr=1.0)
    put_gradients(params)
    before = values(params)
    clipped = [Tensor(np.clip(p.grad.numpy(), -0.1, 0.1)) for p in params]
    for p, g in zip(params, clipped, strict=True):
        p.grad = g
    optimizer.step()
    assert_equal(values(params), [b - g.numpy() for b, g in zip(before, clipped, strict=True)])
    put_gradients(params)
    before = values(params)
    for p in params:
        p.grad.data = p.grad.data * 0.5  # the other way to write it
    halves = [p.grad.numpy().copy() for p in params]
    optimizer.step()
    assert_equal(values(params), [b - g for b, g in zip(before, halves, strict=True)])


def test_a_gradient_recorded_with_create_graph_counts():
    p = Tensor(np.array([2.0]), requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0)
    (p * p).sum().backward(create_graph=True)
    optimizer.step()
    assert p.tolist() == [-2.0]


def test_a_model_moved_to_another_backend_is_followed():
    params = parameters()
    for p in params:
        p.data = StrictArray(p.data)
    optimizer = optim.Adam(params, lr=0.1)
    reference_params = parameters()
    reference = optim.Adam(reference_params, lr=0.1)
    for k in range(6):
        for p, r in zip(params, reference_params, strict=True):
            g = np.cos(r.data + k)
            r.grad = Tensor(g.copy())
            p.grad = Tensor(StrictArray(g)) if k < 3 else Tensor(g.copy())
        if k == 3:
            for p in params:
                p.data = p.data.get()
        optimizer.step()
        reference.step()
    assert all(isinstance(p.data, np.ndarray) for p in params)
    assert all(isinstance(vector, np.ndarray) for vector in optimizer.state.values())
    assert_equal(values(params), values(reference_params), rtol=1e-12)


def test_a_model_converted_to_another_dtype_is_followed():
    params = parameters()
    optimizer = optim.Momentum(params, lr=0.1)
    train(optimizer, params, 2)
    before = optimizer.state["v"].copy()
    for p in params:
        p.data, p._slot = p.data.astype("float32"), None
    for p in params:
        p.grad = None
    optimizer.step()
    assert optimizer.state["v"].dtype == np.float32
    np.testing.assert_allclose(optimizer.state["v"], before, rtol=1e-6)
    train(optimizer, params, 1)
    assert all(p.dtype == np.float32 for p in params)


def test_only_a_part_that_has_moved_is_refused():
    params = parameters()
    optimizer = optim.SGD(params)
    params[1].data = params[1].data.astype("float32")
    with pytest.raises(OptionError, match="two dtypes: parameter 0 is float64, parameter 1 float32"):
        optimizer.step()
    params[0].data = params[0].data.copy()  # taking this one back must not hide the other
    with pytest.raises(OptionError, match="two dtypes"):
        optimizer.step()
    params[1].data = StrictArray(params[1].data.astype("float64"))
    with pytest.raises(MixedBackendError, match=r"parameter 0 is a numpy array, parameter 1 a strict array.*model.to"):
        optimizer.step()
    params[1].data = np.zeros((2, 2))
    with pytest.raises(ShapeError, match=r"parameter 1 had shape \(4,\) when the optimizer was made, and has \(2, 2\)"):
        optimizer.step()
    assert optimizer.t == 0


@pytest.mark.parametrize(
    ("grad", "error", "message"),
    [
        (Tensor(np.zeros(3)), ShapeError, r"the gradient of parameter 1 has shape \(3,\), the parameter has \(4,\)"),
        (np.zeros(4), GradientError, "the gradient of parameter 1 is a ndarray, not a Tensor"),
        (Tensor(StrictArray(np.zeros(4))), MixedBackendError, "the gradient of parameter 1: one argument is a numpy"),
    ],
)
def test_a_gradient_that_does_not_fit_is_refused_before_anything_moves(grad, error, message):
    params = parameters()
    optimizer = optim.SGD(params)
    put_gradients(params)
    before = values(params)
    params[1].grad = grad
    with pytest.raises(error, match=message):
        optimizer.step()
    assert_equal(values(params), before)
    assert optimizer.t == 0
