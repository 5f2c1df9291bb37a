"""Calling a layer: what it takes, and what is put in the way of its forward. Copies of a model."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.errors import ShapeError
from minidl.overrides import overridden

X = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)


# called


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Dense(2, 3), lambda: nn.BatchNorm(2), nn.Flatten, nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softmax,
        nn.GELU, nn.SiLU, nn.ELU, nn.Identity, lambda: nn.LayerNorm(2), lambda: nn.Residual(nn.Dense(2, 2)),
        lambda: nn.Dropout(0.0), lambda: nn.Sequential(nn.ReLU(), nn.Dense(2, 2)), lambda: nn.Sequential(nn.Dropout(0.5), nn.Dense(2, 2)),
    ],
)  # fmt: skip
def test_layers_take_lists_as_float32(make):
    model = make()
    model.eval()
    for x in ([[1, 2], [3, 4], [5, -6]], ((1.0, 2.0), (3.0, 4.0), (5.0, -6.0))):
        y, expected = model(x), model(np.array(x, np.float32))
        assert y.dtype == np.float32
        np.testing.assert_array_equal(
            np.asarray(getattr(y, "data", y)), np.asarray(getattr(expected, "data", expected))
        )


def test_lists_that_are_no_arrays_are_refused_in_one_line():
    with pytest.raises(ShapeError, match="equal lengths"):
        nn.Dense(2, 3)([[1, 2], [3]])
    with pytest.raises(minidl.errors.DTypeError, match="real numbers"):
        nn.Dense(2, 3)([["a", "b"]])


@pytest.mark.parametrize("kind", [nn.Dense, nn.ReLU, nn.BatchNorm, nn.Dropout, nn.Sequential])
@pytest.mark.parametrize(
    "how", ["instance forward", "subclass forward", "subclass call", "class forward", "class call"]
)
def test_what_is_put_in_the_way_of_a_layer_is_honoured(kind, how, monkeypatch):
    calls = []

    def make(kind):
        sizes = {nn.Dense: (2, 2), nn.BatchNorm: (2,), nn.Sequential: (nn.ReLU(),)}
        return kind(*next((sizes[base] for base in kind.__mro__ if base in sizes), ()))

    name = how.split()[1].replace("call", "__call__")
    if how.startswith("subclass"):
        method = lambda self, x: calls.append(1) or getattr(super(own, self), name)(x)
        own = type("Own", (kind,), {name: method})
        watched = make(own)
    else:
        watched = make(kind)
    model = nn.Sequential(nn.Dense(2, 2), watched, nn.ReLU())
    minidl.seed(0)
    expected = model(X).numpy()
    calls.clear()
    original = getattr(kind, name)
    if how == "instance forward":
        inner = watched.forward
        watched.forward = lambda x: calls.append(1) or inner(x)
    elif how.startswith("class"):
        monkeypatch.setattr(
            kind, name, lambda self, *args: (self is watched and calls.append(1)) or original(self, *args)
        )
    minidl.seed(0)
    found = model(X).numpy()
    assert calls == [1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_only_watches_is_not_in_the_way():
    model = nn.Sequential(nn.Dense(2, 3), nn.ReLU(), nn.BatchNorm(3), nn.Dropout(0.5), nn.Flatten(), nn.Softmax())
    assert not any(overridden(layer, "forward", "__call__") for layer in (model, *model))
    with minidl.debug():
        assert not any(overridden(layer, "forward", "__call__") for layer in (model, *model))


# copies


def keeps_activations():
    class Net(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Dense(2, 3), nn.Dense(3, 1)

        def forward(self, x):
            self.h = minidl.tanh(self.first(x))
            self.seen = {"all": [self.h, self.h * 2]}
            return self.second(self.h)

    return Net()


def test_a_copy_of_a_model_that_keeps_activations_holds_their_values():
    model = keeps_activations()
    model(X)
    twin = copy.deepcopy(model)
    assert (twin.h.numpy() == model.h.numpy()).all()
    assert (twin.seen["all"][1].numpy() == 2 * model.h.numpy()).all()
    assert twin.h._op is None
    assert twin.h.data is not model.h.data
    model.h.sum().backward()  # the model's own history is untouched
    assert model.first.weight.grad is not None


def test_a_model_that_keeps_activations_reaches_another_process():
    program = """
import pickle, sys
import numpy as np, minidl
from minidl import nn
class Net(nn.Module):
    def __init__(self): self.first = nn.Dense(2, 1)
    def forward(self, x):
        self.h = minidl.tanh(self.first(x)); self.all = [self.h]
        return self.h
model = Net(); model(np.ones((1, 2), "f4"))
twin = pickle.loads(pickle.dumps(model))
print((twin.h.numpy() == model.h.numpy()).all(), (twin(np.ones((1, 2), "f4")).numpy() == model.h.numpy()).all())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "True True\n", result.stderr


def test_pickling_keeps_what_is_shared():
    model = nn.Sequential(nn.Dense(2, 2), nn.Dense(2, 2))
    model.same = model.layers
    twin = pickle.loads(pickle.dumps(model))
    assert twin.same is twin.layers
    assert (twin(X).numpy() == model(X).numpy()).all()
