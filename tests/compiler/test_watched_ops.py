"""An op that somebody has put another function into, or in the place of, is what every engine runs."""

import functools

import numpy as np
import pytest

import minidl
from minidl import nn, ops, optim
from minidl.train import Callback, fit

X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(int)
STEPS, EPOCHS = 20, 4  # in an epoch
LOSSES = {
    "a program of layers": (nn.softmax_cross_entropy, CLASSES),
    "recorded steps": (nn.mean_squared_error, X[:, :2]),
}
SOURCES = {  # the name of an op, and what of it is wrapped
    "an activation's forward": ("tanh", "forward"),
    "an activation's formula": ("tanh", "formula"),
    "an activation": ("tanh", "name"),
    "the one behind a BatchNorm": ("relu", "forward"),
    "its formula": ("relu", "formula"),
    "a kernel": ("dense", "kernel"),
    "a kernel of BatchNorm": ("batch_norm", "kernel"),
    "dropout's product": ("multiply", "forward"),
}


def wrapped(original, calls):
    @functools.wraps(original)
    def call(*args, **options):
        calls.append(1)
        return original(*args, **options)

    return call


def wrap(patch, name, what, calls):
    op = getattr(ops, name)
    if what == "name":
        patch.setattr(ops, name, wrapped(op, calls))
    elif what == "formula":
        patch.setattr(op, "formulas", (wrapped(op.formulas[0], calls), *op.formulas[1:]))
    elif what == "kernel":
        forward, backward = op.kernels["numpy"]
        patch.setitem(op.kernels, "numpy", (wrapped(forward, calls), backward))
    else:
        patch.setattr(op, "forward", wrapped(op.forward, calls))


def network():
    minidl.seed(0)
    hidden = nn.Dense(4, 5), nn.BatchNorm(5), nn.ReLU(), nn.Dropout(0.1), nn.Dense(5, 5), nn.Tanh()
    return nn.Sequential(*hidden, nn.Dense(5, 2))


class InTheMiddle(Callback):
    def __init__(self, change):
        self.change = change

    def on_epoch(self, run):
        if run.epoch == EPOCHS / 2:
            self.change(run.model)


def train(loss, change, beginning, **options):
    """The weights' bits, and the history."""
    loss, targets = LOSSES[loss]
    model = network()
    if beginning:
        change(model)
    callbacks = [] if beginning else [InTheMiddle(change)]
    history = fit(model, X, targets, loss=loss, optimizer=optim.SGD(model.parameters()), epochs=EPOCHS, batch_size=10,
                  progress=False, guards=False, callbacks=callbacks, **options)  # fmt: skip
    return {name: array.tobytes() for name, array in model.state_dict().items()}, history


@pytest.mark.parametrize("beginning", [True, False], ids=["from the beginning", "from the middle on"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("source", SOURCES)
def test_an_op_that_was_wrapped_is_called_in_every_step(source, loss, beginning, monkeypatch):
    name, what = SOURCES[source]
    found = []
    for options in ({}, {"compile": False}):
        calls = []
        with monkeypatch.context() as patch:
            bits, history = train(loss, lambda _, p=patch, c=calls: wrap(p, name, what, c), beginning, **options)
        assert len(calls) >= STEPS * (EPOCHS if beginning else EPOCHS / 2)
        assert history[-1]["engine"] == "eager"
        found.append((len(calls), bits))
    assert found[0] == found[1]
    assert train(loss, lambda _: None, True)[1][-1]["engine"] != "eager"  # and once it is gone, all is as before


def test_a_layer_of_ones_own_that_comes_in_the_middle_of_a_training_is_called_in_every_step():
    """Its steps are not recorded: nobody asked for that."""
    calls = []

    class Own(nn.Module):
        def forward(self, x):
            calls.append(1)
            return minidl.tanh(x)

    def exchange(model):
        model.layers[5] = Own()

    history = train("recorded steps", exchange, beginning=False)[1]
    assert len(calls) == STEPS * EPOCHS / 2
    assert [row["engine"] == "eager" for row in history.rows] == [False, False, True, True]
    assert "Own" in history.reason


def test_an_op_of_ones_own_among_the_layers_keeps_the_steps_eager_whatever_its_parameters():
    calls = []

    @minidl.Op
    def scaled(a, *, by=2.0):
        calls.append(1)
        return a * by

    scaled.vjp(lambda g, y, a, by: g * by)
    history = train("recorded steps", lambda model: model.append(scaled), beginning=True)[1]
    assert "scaled" in history.reason
    assert len(calls) == STEPS * EPOCHS


def test_a_derivative_that_is_planted_is_the_one_that_trains(monkeypatch):
    """As a teacher shows what a wrong one does, in a Dense and its activation, too, which run as one op."""
    monkeypatch.setattr(ops.relu, "formulas", (lambda g, y, a: g * 0,))
    model = nn.Sequential(nn.Dense(4, 3), nn.ReLU(), nn.Dense(3, 2))
    nn.softmax_cross_entropy(model(X), CLASSES).backward()
    assert not model.layers[0].weight.grad.numpy().any()
    assert model.layers[2].weight.grad.numpy().any()
