"""A compiled step called batch by batch, by machine code: the bits of the loop that one would write instead."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import mnist
from minidl.errors import LabelError, ShapeError
from minidl.hardware.threads import use_blas_threads

SIZES = {"one layer": [], "W1": [128], "W2": [256, 128]}


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:2000]


def network(hidden, norm=False, rate=0.0):
    minidl.seed(2)
    layers = []
    for before, after in zip([784, *hidden], [*hidden, 10], strict=True):
        layers += [nn.Dense(before, after)]
        if after != 10:
            layers += [nn.BatchNorm(after)] * norm + [nn.ReLU(), nn.Dropout(rate)]
    return nn.Sequential(*layers)


def batches(digits, size, count=12):
    order = np.random.default_rng(1).permutation(len(digits))
    for rows in order[: size * count].reshape(count, size):
        yield (digits.inputs[rows] / np.float32(255)).astype(np.float32), digits.labels[rows]


def trained(model, optimizer, data, compiled):
    """The losses, then all numbers and gradients after some steps."""
    step, losses = minidl.compile(model, nn.softmax_cross_entropy, optimizer), []
    for x, y in data:
        if compiled:
            losses.append(float(step(x, y)))
            continue
        with use_blas_threads(1):
            optimizer.zero_grad()
            loss = nn.softmax_cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        losses.append(float(loss))
    arrays = model.state_dict() | {f"d {n}": p.grad.numpy().copy() for n, p in model.named_parameters()}
    return losses, {name: array.tobytes() for name, array in arrays.items()}, step


def both(make_model, make_optimizer, data):
    found = []
    for compiled in (True, False):
        model = make_model()
        found.append(trained(model, make_optimizer(model.parameters()), data, compiled))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 32, 100])
@pytest.mark.parametrize("hidden", sorted(SIZES))
@pytest.mark.parametrize("rule", [optim.SGD, optim.Momentum, optim.Adam])
def test_losses_gradients_and_weights_are_those_of_an_own_loop(digits, at_once, size, hidden, rule):
    data = list(batches(digits, size))
    compiled, eager = both(lambda: network(SIZES[hidden]), lambda p: rule(p, lr=0.01), data)
    assert compiled[2].engine == "machine code"
    assert compiled[:2] == eager[:2]


def test_batch_norm_dropout_and_a_schedule_too(digits, at_once):
    rate = optim.schedules.cosine(0.01, 12)
    compiled, eager = both(
        lambda: network([64], norm=True, rate=0.3), lambda p: optim.Adam(p, lr=rate), list(batches(digits, 32))
    )
    assert compiled[2].engine == "machine code"
    assert compiled[:2] == eager[:2]


def test_a_rate_that_is_changed_and_a_clipped_gradient_count(digits, at_once):
    """What is changed between two calls holds from the next one on."""
    found = []
    for compiled in (True, False):
        model = network([64])
        optimizer = optim.Momentum(model.parameters(), lr=0.05)
        step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
        for k, (x, y) in enumerate(batches(digits, 32)):
            if k == 5:
                optimizer.lr = 0.01
            if k == 7:
                model.layers[0].weight.data = model.layers[0].weight.data * np.float32(0.5)
            if k == 9:
                optimizer.groups[0]["weight_decay"] = 0.1
            if compiled:
                step(x, y)
                continue
            with use_blas_threads(1):
                optimizer.zero_grad()
                nn.softmax_cross_entropy(model(x), y).backward()
                optimizer.step()
        found.append({name: array.tobytes() for name, array in model.state_dict().items()})
    assert found[0] == found[1]


def test_an_infinite_weight_behind_a_zero_is_noticed(digits, at_once):
    """0 times infinity is NaN, also where zeros are passed over."""
    model = network([128])
    step = minidl.compile(model, nn.softmax_cross_entropy, optim.SGD(model.parameters(), lr=0.01))
    data = list(batches(digits, 32, 40))
    for x, y in data[:5]:
        step(x, y)
    assert not data[0][0][:, 0].any()  # the corner of a digit is empty
    model.layers[0].weight.data[0, 0] = np.inf
    losses = [float(step(x, y)) for x, y in data[5:]]
    assert np.isnan(losses[-1])


def test_wrong_labels_are_found_before_anything_moves(digits, at_once):
    model = network([64])
    step = minidl.compile(model, nn.softmax_cross_entropy, optim.SGD(model.parameters(), lr=0.01))
    data = list(batches(digits, 32))
    for x, y in data[:4]:
        step(x, y)
    before = {name: array.tobytes() for name, array in model.state_dict().items()}
    for wrong in (10, -1):
        with pytest.raises(LabelError, match=f"label {wrong} at index 3"):
            step(data[4][0], np.where(np.arange(32) == 3, wrong, data[4][1]))
    for count in (1, 31):  # one label would fit all samples, as NumPy broadcasts
        with pytest.raises(ShapeError, match=r"expected labels of shape \(32,\)"):
            step(data[4][0], data[4][1][:count])
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == before
