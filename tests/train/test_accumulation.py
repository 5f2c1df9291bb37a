"""``fit(accumulate=k)``: k batches for an update, as one batch of all their samples; ``fit(clip_norm=)``."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import OptionError
from minidl.train import Callback, Checkpoint, fit

RNG = np.random.default_rng(5)
INPUTS = RNG.normal(size=(203, 6)).astype(np.float32)
DATA = Dataset(INPUTS, (INPUTS[:, 0] > 0).astype(int))


def network(norm=False):
    minidl.seed(2)
    extra = [nn.BatchNorm(8), nn.Dropout(0.1)] if norm else []
    return nn.Sequential(nn.Dense(6, 8), *extra, nn.Tanh(), nn.Dense(8, 2))


def training(data=DATA, model=None, optimizer=None, **options):
    model = model or network()
    lr = optim.schedules.cosine(0.05, 20)
    optimizer = optimizer or optim.Adam(model.parameters(), lr=lr)
    history = fit(model, data, optimizer=optimizer, **{"epochs": 3, "progress": False, "guards": False} | options)
    return optimizer.vectors.values.copy(), history, optimizer


@pytest.mark.parametrize("k", [2, 3, 7, 99])
def test_accumulating_is_training_on_batches_as_much_larger(k):
    """With the last updates of an epoch smaller, and the schedule counting updates."""
    large, expected, _ = training(batch_size=min(20 * k, len(DATA)))
    values, history, optimizer = training(batch_size=20, accumulate=k)
    np.testing.assert_allclose(values, large, atol=2e-6)
    assert history["step"] == expected["step"]
    assert history["lr"] == expected["lr"]
    assert optimizer.t == history["step"][-1] == 3 * -(-203 // (20 * k))
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(history["accuracy"], expected["accuracy"], atol=0.01)


class Twice(Loader):
    """Batches of one's own: every sample twice."""

    def batches(self, order, first=0, last=None):
        for x, y in super().batches(order, first, last):
            yield np.concatenate([x, x]), np.concatenate([y, y])


@pytest.mark.parametrize("kind", [Loader, Twice])
@pytest.mark.parametrize("drop_last", [False, True])
def test_any_loaders_batches_are_taken_and_no_others(kind, drop_last):
    loader, seen = kind(DATA, 20, drop_last=drop_last), []

    def loss(output, labels):
        seen.append(len(labels))
        return nn.softmax_cross_entropy(output, labels)

    _, history, _ = training(loader, loss=loss, accumulate=4, epochs=1)
    factor = 2 if kind is Twice else 1
    assert sum(seen) == factor * (200 if drop_last else 203)
    assert history["step"] == [3]
    assert max(seen) <= 20 * factor


def test_batchnorm_sees_one_batch_at_a_time_and_a_resumed_run_has_the_same_bits(tmp_path):
    class Stop(Callback):
        def interval(self, run):
            return 1

        def on_pause(self, run):
            if run.step == 5:
                raise RuntimeError("power cut")

    def run(**options):
        model = network(norm=True)
        values, history, _ = training(model=model, batch_size=20, accumulate=3, **options)
        return values.tobytes(), {n: a.tobytes() for n, a in model.state_dict().items()}, history["loss"]

    whole = run()
    with pytest.raises(RuntimeError, match="power cut"):
        run(checkpoint=Checkpoint(tmp_path, "1 steps"), callbacks=[Stop()])
    assert run(checkpoint=tmp_path, resume=True) == whole
    batches = []
    model = network(norm=True)
    model.layers[1].forward = lambda x: batches.append(len(x)) or x
    training(model=model, batch_size=20, accumulate=3, epochs=1)
    assert set(batches) == {20, 3}


def test_batches_that_are_streamed_are_joined_as_they_come():
    def batches():
        for start in range(0, 203, 20):
            yield INPUTS[start : start + 20], DATA.labels[start : start + 20]

    streamed, history, _ = training(batches, accumulate=3)
    values, expected, _ = training(Loader(DATA, 20, shuffle=False), accumulate=3)
    np.testing.assert_array_equal(streamed, values)
    assert history["step"] == expected["step"] == [4, 8, 12]


def test_weights_of_samples_count_as_in_one_large_batch():
    weights = np.random.default_rng(1).uniform(0, 2, 203)
    data = Dataset(INPUTS, DATA.labels, sample_weight=weights)
    large, expected, _ = training(data, batch_size=60)
    values, history, _ = training(data, batch_size=20, accumulate=3)
    np.testing.assert_allclose(values, large, atol=2e-6)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)


class Sometimes(nn.Module):
    """Takes its second layer for some batches only."""

    def __init__(self):
        minidl.seed(4)
        self.first, self.second = nn.Dense(6, 2), nn.Dense(6, 2)

    def forward(self, x):
        return self.first(x) if x[0, 0] < 0 else self.first(x) + self.second(x)


def test_a_parameter_without_gradient_in_some_batches_has_the_mean_over_all():
    model, reference = Sometimes(), Sometimes()
    data = Dataset(INPUTS[:12], DATA.labels[:12])
    fit(model, Loader(data, 4, shuffle=False), optimizer=optim.SGD(model.parameters(), lr=1.0), epochs=1, accumulate=3,
        progress=False, guards=False)  # fmt: skip
    assert {bool(INPUTS[i, 0] < 0) for i in (0, 4, 8)} == {True, False}
    for i in (0, 4, 8):
        (nn.softmax_cross_entropy(reference(INPUTS[i : i + 4]), DATA.labels[i : i + 4]) / 3).backward()
    for p, expected in zip(model.parameters(), reference.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), expected.numpy() - expected.grad.numpy(), atol=1e-6)


@pytest.mark.parametrize("value", [0, -1, 1.5, "4", True])
def test_what_is_no_number_of_batches_is_refused_before_training(value):
    model = network()
    with pytest.raises(OptionError, match="fit: accumulate"):
        training(model=model, accumulate=value)
    assert model.training


class Loud(Callback):
    """Makes gradients a thousand times larger, and remembers them."""

    def on_gradients(self, run):
        self.seen = [p.grad.numpy().copy() for p in run.model.parameters()]
        for p in run.model.parameters():
            p.grad.data[...] *= 1000


def test_the_update_gets_no_more_than_clip_norm_whatever_callbacks_do():
    model, loud = network(), Loud()
    before = [p.numpy().copy() for p in model.parameters()]
    training(model=model, optimizer=optim.SGD(model.parameters(), lr=1.0), batch_size="full", epochs=1, clip_norm=0.25,
             callbacks=[loud])  # fmt: skip
    step = np.concatenate([(b - p.numpy()).ravel() for b, p in zip(before, model.parameters(), strict=True)])
    seen = np.concatenate([g.ravel() for g in loud.seen])
    np.testing.assert_allclose(step, 0.25 * seen / np.linalg.norm(seen), atol=1e-6)


def test_clip_value_limits_each_element_before_the_norm_is_clipped():
    model, loud = network(), Loud()
    before = [p.numpy().copy() for p in model.parameters()]
    training(model=model, optimizer=optim.SGD(model.parameters(), lr=1.0), batch_size="full", epochs=1, clip_norm=0.25,
             clip_value=2.0, callbacks=[loud])  # fmt: skip
    step = np.concatenate([(b - p.numpy()).ravel() for b, p in zip(before, model.parameters(), strict=True)])
    limited = np.clip(1000 * np.concatenate([g.ravel() for g in loud.seen]), -2, 2)
    np.testing.assert_allclose(step, 0.25 * limited / np.linalg.norm(limited), atol=1e-6)


@pytest.mark.parametrize("name", ["clip_norm", "clip_value"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "1", True])
def test_what_is_no_limit_is_refused_before_training(name, value):
    with pytest.raises(OptionError, match=f"fit: {name} must be a number above 0"):
        training(**{name: value})
