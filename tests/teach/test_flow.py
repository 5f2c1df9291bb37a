"""Activations and gradients, layer by layer: measured on the model as it is, and over a training."""

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import OptionError
from minidl.teach import Flow, flow
from minidl.train import fit

RNG = np.random.default_rng(0)
POINTS = Dataset(RNG.standard_normal((200, 6)).astype("f"), RNG.integers(0, 3, 200))


def network():
    minidl.seed(1)
    return nn.Sequential(nn.Dense(6, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.3), nn.Dense(8, 3))


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def test_each_layer_s_result_gradient_and_weight_are_measured():
    model = nn.Sequential(nn.Dense(6, 8), nn.ReLU(), nn.Dense(8, 3))
    model[0].bias.data = np.array([-100.0, 0, 0, 0, 0, 0, 0, 0], "f")  # a unit that is off
    found = flow(model, POINTS)
    first, relu, last = found.rows
    x = POINTS.inputs
    hidden = x @ model[0].weight.data + model[0].bias.data
    assert first["mean"] == pytest.approx(hidden.mean(), rel=1e-5)
    assert first["spread"] == pytest.approx(hidden.std(), rel=1e-5)
    assert relu["dead"] == 1 / 8
    loss = nn.softmax_cross_entropy(model(x), POINTS.labels)
    (gradient,) = minidl.gradients(loss, [model[2].weight])
    assert last["weight_gradient"] == pytest.approx(np.sqrt((gradient.numpy() ** 2).mean()), rel=1e-5)
    assert (first["dead"], relu["weight"], first["update"]) == (None, None, None)
    lines = str(found).splitlines()
    assert [line.split()[0] for line in lines] == ["layer", "layers.0", "layers.1", "layers.2"]
    assert "12%" in lines[2] or "13%" in lines[2]


def test_looking_changes_nothing():
    model = network().eval()
    before = bits(model), minidl.backend.generator("dropout").bit_generator.state
    flow(model, POINTS)
    assert (bits(model), minidl.backend.generator("dropout").bit_generator.state) == before
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    assert not model[0]._forward_hooks


def test_a_training_that_is_watched_is_the_same_and_still_compiled():
    found = []
    for watched in (True, False):
        model = network()
        book = Flow(POINTS, every=5)
        history = fit(model, POINTS, optimizer=optim.Adam(model.parameters()), epochs=2, batch_size=16,
                      callbacks=[book] * watched, progress=False)  # fmt: skip
        assert history[-1]["engine"] != "eager"
        found.append(bits(model))
        if watched:
            assert sorted({row["step"] for row in book.rows}) == [0, 5, 10, 15, 20, 25]
            updates = [row["update"] for row in book.rows if row["layer"] == "layers.0"]
            assert all(0 < update < 1 for update in updates)
            assert len(book.plot().axes) == 3
    assert found[0] == found[1]


def test_the_update_is_that_of_the_step_after_the_measurement():
    model = network()
    weights = {}

    def keep(run):
        weights[run.step] = run.model[0].weight.data.copy()

    book = Flow(POINTS, every=3)
    book_keeper = minidl.train.Callback()
    book_keeper.on_step = keep
    fit(model, POINTS, optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=1, batch_size=20,
        callbacks=[book, book_keeper], progress=False)  # fmt: skip
    row = next(row for row in book.rows if (row["step"], row["layer"]) == (3, "layers.0"))
    expected = np.linalg.norm(weights[4] - weights[3]) / np.linalg.norm(weights[3])
    assert row["update"] == pytest.approx(expected, rel=1e-6)


def test_what_is_no_data_is_said():
    with pytest.raises(OptionError, match="Dataset or a Loader, got a list"):
        flow(network(), [])
