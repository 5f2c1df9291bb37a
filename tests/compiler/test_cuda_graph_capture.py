"""Steps that a GPU captures, executed in every kind of order that its streams allow: no GPU, but its rules."""

import random
from contextlib import nullcontext
from types import SimpleNamespace

import capture
import numpy as np
import pytest
from cuda_on_cpu import COMPILER, launch, serve
from epochs import epoch_by_hand
from strict import StrictArray, strict

import minidl
from minidl import backend, nn, ops, optim
from minidl.compiler import cuda_graph
from minidl.data import Dataset, Loader
from minidl.kernels import cupy_nn

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs g++ to run CUDA source on the CPU")
ORDERS = {"first come": min, "the other stream first": max, "at random": random.Random(0).choice}


@pytest.fixture
def device(monkeypatch):
    device = capture.Device()

    class StandIn:
        cuda = SimpleNamespace(
            Stream=capture.Stream,
            get_current_stream=lambda: device.current,
            MemoryPool=lambda: SimpleNamespace(malloc=None),
            using_allocator=lambda malloc: nullcontext(),
        )

        def __getattr__(self, name):
            return getattr(strict, name)

    modules = {"numpy": np, "cupy": StandIn(), "strict": strict}
    for place in ("minidl.backend", "minidl.data.loader", "minidl.compiler.cuda_graph"):
        monkeypatch.setattr(f"{place}.module_of", modules.__getitem__)
    monkeypatch.setattr(cuda_graph, "uses_tf32", lambda: False)
    monkeypatch.setattr(cuda_graph, "Products", capture.Products)
    monkeypatch.setattr(cuda_graph, "MANY", 3)
    serve(monkeypatch, capture.installed(monkeypatch, device, launch))
    monkeypatch.setitem(backend.registry, ("follow", "strict"), cupy_nn.follow)
    for op in (ops.dense, ops.softmax_cross_entropy, ops.batch_norm):
        monkeypatch.setitem(op.kernels, "strict", op.kernels["cupy"])
    return device


def data():
    rng = np.random.default_rng(1)
    return Dataset(rng.standard_normal((40, 6)), rng.integers(0, 3, 40))


def model(rate=0.0):
    minidl.seed(3)
    hidden = [nn.Dense(18, 18), nn.Tanh(), nn.Dense(18, 18), nn.Tanh()]  # of one size, so that memory is used again
    first = nn.Dense(6, 18), nn.BatchNorm(18), nn.ReLU(), nn.Dropout(rate)
    net = nn.Sequential(*first, *hidden, nn.Dropout(rate / 2), nn.Dense(18, 3))
    for tensor in net._state().values():
        tensor.data = tensor.data.astype(np.float64)
    return net.train()


def trained(net, epochs=2):
    loader = Loader(data(), 4)
    steps = cuda_graph.GraphStep(net, nn.softmax_cross_entropy, optim.Adam(net.parameters()), loader)
    sums = [steps.run(backend.generator("shuffle").permutation(40), 0, 10) for _ in range(epochs)]
    return steps, [(loss.item(), hits.item()) for loss, hits in sums]


def on_the_gpu(net):
    for tensor in net._state().values():
        tensor.data = StrictArray(tensor.data)
    return net


def state(net):
    return {name: np.asarray(value) for name, value in net.state_dict().items()}


@pytest.fixture(params=[0.0, 0.4], ids=["plain", "dropout"])
def rate(request):
    return request.param


@pytest.fixture
def expected(rate):
    """What the eager loop on NumPy comes to: the state, and of each epoch the losses' sum and the hits."""
    net = model(rate)
    optimizer = optim.Adam(net.parameters())
    loader = Loader(data(), 4)
    epochs = [epoch_by_hand(net, optimizer, loader) for _ in range(2)]
    return state(net), epochs


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_captured_steps_train_as_the_eager_loop_in_whatever_order_the_streams_run(order, rate, device, expected):
    device.choose = ORDERS[order]
    steps, epochs = trained(on_the_gpu(model(rate)))
    assert steps.reason is None
    assert sorted(steps._graphs) == [(4, 1), (4, 3)]
    values, sums = expected
    for name, value in state(steps.model).items():
        np.testing.assert_allclose(value, values[name], rtol=1e-6, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(epochs, sums, rtol=1e-9)


@pytest.mark.slow
def test_captured_steps_read_the_inputs_that_a_transform_makes_for_each_epoch(device):
    noisy = data()[:20].with_transform(lambda inputs, rng: inputs + rng.standard_normal(inputs.shape))
    taken_away = noisy.with_transform(None)
    net = model()
    optimizer = optim.Adam(net.parameters())
    for epoch in (noisy, noisy, taken_away):
        epoch_by_hand(net, optimizer, Loader(epoch, 4))

    there = on_the_gpu(model())
    loader = Loader(noisy, 4)
    steps = cuda_graph.GraphStep(there, nn.softmax_cross_entropy, optim.Adam(there.parameters()), loader)
    place = StrictArray(np.empty((20, 6)))
    for _ in range(2):
        place[...] = StrictArray(loader.transformed(loader.transform_seed()))
        steps.run(loader.order(), 0, 5, place)
    steps.run(loader.order(), 0, 5)
    assert steps.reason is None
    expected = state(net)
    for name, value in state(there).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.slow
def test_large_masks_are_kept_for_one_step_at_a_time(device, monkeypatch):
    monkeypatch.setattr(cuda_graph, "MOST_BYTES", 100)
    steps, _ = trained(on_the_gpu(model(0.5)), epochs=1)
    assert steps.reason is None
    assert sorted(steps._graphs) == [(4, 1)]


@pytest.mark.slow
def test_a_layer_that_is_used_twice_is_captured_too(device):
    def twice():
        minidl.seed(3)
        shared = nn.Dense(6, 6)
        net = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), nn.Dense(6, 3))
        for tensor in net._state().values():
            tensor.data = tensor.data.astype(np.float64)
        return on_the_gpu(net.train())

    found = []
    for device.choose in ORDERS.values():
        steps, _ = trained(twice())
        assert steps.reason is None
        found.append(state(steps.model))
    for other in found[1:]:
        for name, value in found[0].items():
            np.testing.assert_array_equal(other[name], value)


def test_what_a_gpu_refuses_while_it_captures_leaves_the_step_eager(device):
    class Waiting(nn.Module):
        def forward(self, x):
            x.data.get()
            return x

    net = nn.Sequential(nn.Dense(6, 5), Waiting(), nn.Dense(5, 3))
    for tensor in net._state().values():
        tensor.data = tensor.data.astype(np.float64)
    steps, _ = trained(on_the_gpu(net.train()), epochs=1)
    assert steps.reason == "it cannot be recorded: get: refused while a stream captures"
    assert device.graph is None
