"""Training on the GPU: as on the CPU from one seed, without waiting, as a CUDA graph, to a file and back."""

import warnings

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn, optim
from minidl.compiler.cuda_graph import GraphStep
from minidl.data import Dataset, Loader
from minidl.errors import DeviceMemoryError
from minidl.train import evaluate, fit

pytestmark = pytest.mark.gpu


def data(count=1000):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, count)
    means = rng.integers(0, 200, (10, 40))
    return Dataset((means[labels] + rng.integers(0, 56, (count, 40))).astype(np.uint8), labels)


def model(backend, rate=0.0):
    minidl.seed(1)
    with minidl.use_backend(backend):
        layers = nn.Dense(40, 32), nn.ReLU(), nn.BatchNorm(32), nn.Dropout(rate), nn.Dense(32, 10)
        return nn.Sequential(*layers)


@pytest.mark.parametrize("rule", [optim.SGD, optim.Momentum, optim.Adam, optim.AdamW])
@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_one_seed_gives_one_run_on_both(rule, rate):
    histories = []
    for backend in ("numpy", "cupy"):
        net = model(backend, rate)
        with minidl.use_backend(backend):
            histories.append(
                fit(net, data(), optimizer=rule(net.parameters(), lr=0.01), epochs=3, batch_size=64, progress=False)
            )
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(histories[1][name], histories[0][name], rtol=2e-2)
    assert histories[1]["loss"][-1] < histories[1]["loss"][0]


def test_a_step_waits_for_nothing():
    import cupyx

    net = model("cupy")
    optimizer = optim.Adam(net.parameters())
    batches = list(Loader(data(), 100, backend="cupy"))
    total = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may miss some waits; those it sees are real
        for number, (x, y) in enumerate(batches):
            with cupyx.allow_synchronize(number == 0):  # the first step compiles
                optimizer.zero_grad()
                loss = nn.softmax_cross_entropy(net(x), y)
                loss.backward()
                optimizer.step()
                total = total + loss.data * len(y)
    assert np.isfinite(float(total))


@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam, optim.NAdam])
def test_a_cuda_graph_trains_as_the_eager_step_does(rule):
    schedule = optim.schedules.inverse_time(0.02, 1, 0.1)
    eager, recorded = model("cupy").train(), model("cupy").train()
    loader = Loader(data(), 96, backend="cupy")  # the last batch is smaller
    optimizer = rule(eager.parameters(), lr=schedule)
    steps = GraphStep(recorded, nn.softmax_cross_entropy, rule(recorded.parameters(), lr=schedule), loader)
    for epoch in range(3):
        minidl.seed(epoch)
        losses = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.softmax_cross_entropy(eager(x), y)
            loss.backward()
            optimizer.step()
            losses += loss.item() * len(y)
        minidl.seed(epoch)
        order = minidl.backend.generator("shuffle").permutation(1000)
        sums = [steps.run(order, first, min(first + 4, 11)) for first in range(0, 11, 4)]
        assert sum(float(s) for s, _ in sums) == pytest.approx(losses, rel=1e-3)
        assert 0 < sum(int(hits) for _, hits in sums) <= 1000
    assert steps.reason is None
    assert all(graph is not None for graph in steps._graphs.values())
    assert steps.optimizer.t == optimizer.t == 33
    x = next(iter(Loader(data(), "full", shuffle=False, backend="cupy")))[0]
    np.testing.assert_allclose(recorded.eval()(x).numpy(), eager.eval()(x).numpy(), rtol=2e-2, atol=2e-2)


def test_captured_steps_use_the_masks_that_eager_ones_would():
    found = []
    for compile in (True, False):
        net = model("cupy", rate=0.4)
        optimizer = optim.Adam(net.parameters())
        with minidl.use_backend("cupy"):
            options = {"epochs": 3, "batch_size": 50, "progress": False, "guards": False}
            history = fit(net, data(), optimizer=optimizer, compile=compile, **options)
        assert (history[-1]["engine"] == "cuda graph") is compile
        found.append(history["loss"])
    np.testing.assert_allclose(*found, rtol=1e-3)


def test_a_model_moves_between_the_two_and_through_a_file(tmp_path):
    with minidl.use_backend("cupy"):
        net = model("cupy")
        optimizer = optim.Adam(net.parameters())
        fit(net, data(), optimizer=optimizer, epochs=1, batch_size=100, progress=False)
        minidl.save(tmp_path / "model.safetensors", net)
        there = evaluate(net, data())
    loaded = minidl.load(tmp_path / "model.safetensors")
    assert loaded.layers[0].weight.backend == "numpy"
    here = evaluate(loaded, data())
    assert here["loss"] == pytest.approx(there["loss"], rel=1e-4)
    back = loaded.to("cupy")
    with minidl.use_backend("cupy"):
        assert evaluate(back, data())["loss"] == pytest.approx(there["loss"], rel=1e-4)
    saved = optimizer.state_dict()
    other = optim.Adam(model("numpy").parameters())
    other.load_state_dict(saved)
    for name, vector in saved["state"].items():
        assert isinstance(vector, np.ndarray)
        np.testing.assert_array_equal(other.state[name], vector)


def test_out_of_memory_names_the_op_its_shapes_and_the_batch_and_training_goes_on():
    import cupy

    net = model("cupy")
    optimizer = optim.SGD(net.parameters())
    columns = cupy.cuda.runtime.memGetInfo()[1] // 4 // 1000  # all that the card has, whoever holds it now
    x = Tensor(cupy.ones((1000, 1), np.float32), requires_grad=True)
    with pytest.raises(DeviceMemoryError, match=r"GPU has no memory.*float32\[1000, 1\].*batch of 1000.*batch_size"):
        x * cupy.ones((1, columns), np.float32)
    del x
    (x, y), *_ = Loader(data(), 100, backend="cupy")
    loss = nn.softmax_cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    assert np.isfinite(loss.item())
