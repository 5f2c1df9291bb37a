"""`fit` trains any model and loss by recorded steps, and says so where it cannot."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader
from minidl.errors import OptionError
from minidl.train import Callback, fit
from tests.support.drawn_models import WIDTH, huber


class Scaled(nn.Module):
    def __init__(self):
        self.dense, self.scale = nn.Dense(WIDTH, WIDTH), 1.0

    def forward(self, x):
        return self.dense(x) * self.scale


class Looking(Scaled):
    def forward(self, x):
        y = super().forward(x)
        return y * 2 if float(y.sum()) > 0 else y


def to_the_class_number(output, y):
    """A regression, as of ages or of stars."""
    return huber(output, y.astype(np.float32)[:, None])


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return Dataset(rng.standard_normal((2000, WIDTH)).astype("f"), rng.integers(0, 5, 2000))


def test_fit_trains_regressions_and_losses_of_ones_own_by_recorded_steps(points):
    found = []
    for compiled in (True, False):
        minidl.seed(1)
        model = Scaled()
        optimizer = optim.Adam(model.parameters())
        history = fit(model, Loader(points, 32), optimizer=optimizer, loss=to_the_class_number, epochs=3,
                      progress=False, compile=compiled)  # fmt: skip
        found.append((history["loss"], {name: a.tobytes() for name, a in model.state_dict().items()}))
        if compiled:
            assert history.reason is None
            assert history.rows[-1]["engine"] in ("replay", "machine code")
    assert found[0] == found[1]


def test_fit_records_no_steps_unasked_and_refuses_if_it_cannot_record_them(points):
    """A loss of one's own may do what nobody sees: it is called in every step, unless the user says otherwise."""
    calls = []

    def told(output, y):
        calls.append(1)
        return to_the_class_number(output, y)

    options = {"epochs": 2, "progress": False, "guards": False}
    model = Scaled()
    history = fit(model, Loader(points, 16), optimizer=optim.SGD(model.parameters()), loss=told, **options)
    assert len(calls) == 2 * 125
    assert "told" in history.reason
    model = Looking()
    with pytest.raises(OptionError, match=r"compile=True: its numbers are read or written in Python"):
        fit(model, Loader(points, 16), optimizer=optim.SGD(model.parameters()), loss=to_the_class_number,
            compile=True, **options)  # fmt: skip


@pytest.mark.parametrize("callback", ["none", "on_gradients", "on_step"])
def test_steps_of_minidls_own_layers_and_losses_are_recorded_unasked(points, callback):
    """With NaN looked for, and with whatever a callback does in a step."""
    found = []
    for compile in (None, False):
        minidl.seed(1)
        model = nn.Sequential(nn.Dense(WIDTH, 4), nn.BatchNorm(4), nn.ReLU(), nn.Dropout(0.2), nn.Dense(4, 1))
        losses, watcher = [], Callback()
        if callback == "on_step":
            watcher.on_step = lambda run, losses=losses: losses.append(run.loss.item())
        elif callback == "on_gradients":
            watcher.on_gradients = lambda run: optim.clip_grad_norm(run.model.parameters(), 0.5)
        data = Dataset(points.inputs, points.inputs[:, 0] ** 2)
        history = fit(model, data, optimizer=optim.Adam(model.parameters()), loss=nn.mean_squared_error, epochs=3,
                      batch_size=32, progress=False, compile=compile, callbacks=[watcher])  # fmt: skip
        bits = {name: a.tobytes() for name, a in model.state_dict().items()}
        found.append((history["loss"], history["mean_absolute_error"], losses, bits))
        if compile is None:
            assert history.reason is None
            assert history.rows[-1]["engine"] in ("replay", "machine code")
    assert found[0] == found[1]
    assert len(found[0][2]) == (3 * 63 if callback == "on_step" else 0)


def test_a_bad_number_in_a_recorded_step_is_found_before_its_update_with_a_callback_too(points):
    """And a batch that is left out changes nothing: the steps after it are still the recorded ones."""
    inputs = points.inputs.copy()
    inputs[1000] = np.nan
    found = []
    for compile in (None, False):
        minidl.seed(1)
        model, seen = nn.Sequential(nn.Dense(WIDTH, 4), nn.BatchNorm(4), nn.Dense(4, 1)), Callback()
        seen.on_gradients = lambda run: None
        history = fit(model, Dataset(inputs, points.inputs[:, 0]), optimizer=optim.Adam(model.parameters()),
                      loss=nn.mean_squared_error, epochs=2, batch_size=32, progress=False, compile=compile,
                      callbacks=[seen], on_nonfinite="skip")  # fmt: skip
        assert history["skipped"] == [1, 1]
        assert (history[-1]["engine"] == "eager") is (compile is False)
        found.append({name: a.tobytes() for name, a in model.state_dict().items()})
    assert found[0] == found[1]


def test_a_function_of_ones_own_among_the_layers_keeps_the_steps_eager(points):
    calls = []

    def doubled(x):
        calls.append(1)
        return x * 2

    model = nn.Sequential(nn.Dense(WIDTH, 1), doubled)
    history = fit(model, Dataset(points.inputs, points.inputs[:, 0]), optimizer=optim.SGD(model.parameters()),
                  loss=nn.mean_squared_error, epochs=1, batch_size=50, progress=False, guards=False)  # fmt: skip
    assert "doubled" in history.reason
    assert len(calls) == 40
