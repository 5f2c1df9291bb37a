"""Each layer and loss that has no instructions of its own is recorded, to the bits of the eager step; hooks are not."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import DataError, LabelError, OptionError
from minidl.train import fit
from tests.support.recorded_steps import assert_equal, both

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 16, 5)).astype(np.float32)
CLASSES = RNG.integers(0, 3, (6, 16))
SHARES = RNG.random((6, 16, 3)).astype(np.float32)
SHARES /= SHARES.sum(axis=2, keepdims=True)
QUIET = {"epochs": 2, "batch_size": 16, "progress": False, "guards": False}


def model(layer):
    return lambda: nn.Sequential(nn.Dense(5, 8), layer(), nn.Dense(8, 3))


@pytest.mark.parametrize(
    "layer",
    [
        nn.GELU, nn.SiLU, nn.ELU, lambda: nn.ELU(0.3), nn.Identity, lambda: nn.LayerNorm(8),
        lambda: nn.Residual(nn.Dense(8, 8), nn.Tanh()), lambda: nn.Residual(nn.BatchNorm(8), nn.Dropout(0.3)),
    ],
)  # fmt: skip
def test_a_step_of_each_layer_is_recorded_to_the_bits_of_the_eager_one(layer):
    compiled, eager = both(model(layer), nn.softmax_cross_entropy, list(zip(X, CLASSES, strict=True)))
    assert_equal(compiled, eager)
    assert compiled[3].reason is None


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (nn.mean_absolute_error, SHARES),
        (nn.huber, SHARES),
        (nn.hinge, np.sign(SHARES - 0.3)),
        (lambda output, y: nn.kl_divergence(nn.log_softmax(output), y), SHARES),
        (lambda output, y: nn.negative_log_likelihood(nn.log_softmax(output), y), CLASSES),
        (lambda output, y: nn.binary_cross_entropy(nn.sigmoid(output), y), SHARES),
        (lambda output, y: 0.3 * nn.softmax_cross_entropy(output, y), CLASSES),
        (lambda output, y: nn.softmax_cross_entropy(output, y) * minidl.mean(output * output), CLASSES),
        (lambda output, y: nn.softmax_cross_entropy(0.7 * nn.softmax_cross_entropy(output, y) * output, y), CLASSES),
    ],
)
def test_a_step_of_each_loss_is_recorded_to_the_bits_of_the_eager_one(loss, targets):
    batches = [(x[:7], y[:7]) for x, y in zip(X, targets, strict=True)]  # a number that is no power of two
    compiled, eager = both(model(nn.Tanh), loss, batches)
    assert_equal(compiled, eager)
    assert compiled[3].reason is None


@pytest.mark.parametrize(
    ("loss", "bad", "error"),
    [
        (nn.hinge, 0 * SHARES[0], LabelError),
        (lambda output, y: nn.kl_divergence(nn.log_softmax(output), y), -SHARES[0], DataError),
    ],
)
def test_a_recorded_step_still_refuses_targets_that_a_loss_is_not_about(loss, bad, error):
    made = model(nn.Tanh)()
    step = minidl.compile(made, loss, optim.SGD(made.parameters()))
    good = np.sign(SHARES - 0.3) if loss is nn.hinge else SHARES
    for x, y in zip(X, good, strict=True):
        step(x, y)
    assert step.reason is None
    before = made.state_dict()
    with pytest.raises(error):
        step(X[0], bad)
    for name, array in made.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_fit_compiles_the_new_layers_and_losses_without_being_asked():
    for loss, y in ((nn.softmax_cross_entropy, CLASSES.ravel()), (nn.huber, SHARES.reshape(-1, 3))):
        made = nn.Sequential(
            nn.Dense(8), nn.LayerNorm(8), nn.GELU(), nn.Residual(nn.Dense(8, 8), nn.SiLU()), nn.Dense(3)
        )
        data = Dataset(X.reshape(-1, 5), y)
        made(data.inputs[:1])
        history = fit(made, data, optimizer=optim.Adam(made.parameters()), loss=loss, **QUIET)
        assert history.reason is None
        assert history.rows[-1]["engine"] in ("replay", "machine code")


def test_a_hook_keeps_the_steps_of_fit_eager_and_sees_every_one():
    seen = []
    made = model(nn.ReLU)()
    data = Dataset(np.tile(X.reshape(-1, 5), (10, 1)), np.tile(CLASSES.ravel(), 10))
    with made[1].register_forward_hook(lambda layer, args, output: seen.append(output.shape)):
        history = fit(made, data, optimizer=optim.SGD(made.parameters()), **QUIET)
        assert history.reason == "a forward hook was registered on this ReLU"
        assert seen == [(16, 8)] * 120
        with pytest.raises(OptionError, match="compile=True: a forward hook was registered on this ReLU"):
            fit(made, data, optimizer=optim.SGD(made.parameters()), compile=True, **QUIET)
    assert fit(made, data, optimizer=optim.SGD(made.parameters()), **QUIET).reason is None


class Own(nn.Module):
    def __init__(self):
        self.inner = nn.Dense(5, 3)

    def forward(self, x):
        return minidl.tanh(self.inner(x))


@pytest.mark.parametrize("make", [model(nn.ReLU), Own])
def test_a_hook_that_comes_later_is_seen_by_the_next_compiled_step_and_one_that_goes_is_forgotten(make):
    made = make()
    step = minidl.compile(made, nn.softmax_cross_entropy, optim.SGD(made.parameters()))
    batches = list(zip(X, CLASSES, strict=True))
    for x, y in batches:
        step(x, y)
    assert step.reason is None
    seen = []
    hook = made.register_forward_hook(lambda module, args, output: seen.append(1))
    for x, y in batches:
        step(x, y)
    assert seen == [1] * 6
    assert "a forward hook was registered" in step.reason
    hook.remove()
    for x, y in batches:
        step(x, y)
    assert seen == [1] * 6
    assert step.reason is None
