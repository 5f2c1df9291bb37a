"""``fit`` with an optimizer that averages: what is validated, kept, restored and left is the average."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.train import Callback, Checkpoint, EarlyStopping, evaluate, fit, load

RNG = np.random.default_rng(6)
INPUTS = RNG.normal(size=(240, 6)).astype(np.float32)
LABELS = (INPUTS[:, 0] + 0.5 * RNG.normal(size=240) > 0).astype(int)
DATA, HELD_OUT = Dataset(INPUTS[:180], LABELS[:180]), Dataset(INPUTS[180:], LABELS[180:])


class Kept(Callback):
    """The weights and their averages after each epoch."""

    def __init__(self):
        self.weights, self.averages = [], []

    def on_epoch(self, run):
        self.weights.append(run.optimizer.vectors.values.copy())
        self.averages.append(run.optimizer.state["average"].copy())


def training(kind=optim.Adam, ema=0.9, lr=0.05, epochs=4, **options):
    minidl.seed(3)
    model = nn.Sequential(nn.Dense(6, 8), nn.BatchNorm(8), nn.Tanh(), nn.Dropout(0.2), nn.Dense(8, 2))
    optimizer = kind(model.parameters(), lr=lr, ema=ema)
    options = {"validation": HELD_OUT, "progress": False, "guards": False, "batch_size": 20} | options
    return model, optimizer, fit(model, DATA, optimizer=optimizer, epochs=epochs, **options)


@pytest.mark.parametrize("kind", [optim.Adam, optim.Nesterov])
def test_fit_validates_with_the_averages_and_leaves_them_in_the_model(kind):
    kept = Kept()
    model, optimizer, history = training(kind, callbacks=[kept])
    measured = evaluate(model, HELD_OUT)
    assert measured == {n: history[-1][f"validation_{n}"] for n in ("loss", "accuracy")}
    np.testing.assert_array_equal(optimizer.vectors.values, kept.averages[-1])
    assert np.abs(kept.weights[-1] - kept.averages[-1]).max() > 1e-3
    _, _, plain = training(kind, ema=None)
    assert plain["loss"] == history["loss"]
    assert plain["validation_loss"] != history["validation_loss"]


def test_a_resumed_run_has_the_same_bits_though_the_first_ended_with_averages(tmp_path):
    def bits(model, optimizer, history):
        arrays = model.state_dict() | optimizer.state
        return {name: a.tobytes() for name, a in arrays.items()}, history["validation_loss"]

    whole = bits(*training())
    training(epochs=2, checkpoint=tmp_path)
    assert bits(*training(checkpoint=tmp_path, resume=True)) == whole
    assert bits(*training(checkpoint=tmp_path, resume=True)) == whole  # of which nothing is left to do


def test_the_best_model_is_the_averaged_one_in_its_file_and_after_early_stopping(tmp_path):
    model, _, history = training(lr=0.5, epochs=8, callbacks=[EarlyStopping(patience=3)],
                                 checkpoint=Checkpoint(tmp_path, best="validation_loss"))  # fmt: skip
    best = min(history["validation_loss"])
    assert best < history["validation_loss"][-1]
    assert evaluate(model, HELD_OUT)["loss"] == best
    assert evaluate(load(tmp_path / "best.safetensors"), HELD_OUT)["loss"] == best


def test_a_fit_that_raises_leaves_the_weights_themselves():
    class Broken(Kept):
        def on_epoch(self, run):
            super().on_epoch(run)
            raise KeyboardInterrupt

    kept, model = Broken(), nn.Sequential(nn.Dense(6, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.5, ema=0.9)
    with pytest.raises(KeyboardInterrupt):
        fit(model, DATA, optimizer=optimizer, epochs=2, callbacks=[kept], progress=False)
    np.testing.assert_array_equal(optimizer.vectors.values, kept.weights[0])


def test_batchnorms_statistics_stay_those_of_training_until_they_are_estimated_anew():
    model, _, _ = training(ema=0.999)
    reference, _, _ = training(ema=None)
    name = "layers.1.running_mean"
    np.testing.assert_array_equal(model.state_dict()[name], reference.state_dict()[name])
    model.estimate_statistics([(DATA.inputs, DATA.labels)])
    weight, bias = (model.state_dict()[f"layers.0.{n}"] for n in ("weight", "bias"))
    np.testing.assert_allclose(model.state_dict()[name], (DATA.inputs @ weight + bias).mean(axis=0), atol=1e-5)
