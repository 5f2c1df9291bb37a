"""The step that becomes a CUDA graph, where there is no GPU: what it does on each step, on the stand-in for CuPy.

The stand-in cannot record, so here every step is the eager one that a GPU would record; tests/gpu has the rest.
"""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_on_cpu import COMPILER, serve
from epochs import epoch_by_hand
from strict import StrictArray, strict

import minidl
from minidl import backend, deposit, nn, ops, optim
from minidl.compiler import cuda_graph
from minidl.data import Dataset, Loader
from minidl.train.callbacks import Run
from minidl.train.engines.cuda_graph import CudaGraphEngine
from minidl.train.metrics import RunningMetrics

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs g++ to run CUDA source on the CPU")
RNG = np.random.default_rng(0)


class Stream:
    """A stream on which nothing can be recorded."""

    def __init__(self, non_blocking=True):
        pass

    def record(self):
        return None

    def wait_event(self, event):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def begin_capture(self):
        raise NotImplementedError("no recording here")


class StandIn:
    """``cupy``, as the strict stand-in, with what GraphStep asks of its streams and its memory."""

    cuda = SimpleNamespace(
        Stream=Stream,
        get_current_stream=Stream,
        MemoryPool=lambda: SimpleNamespace(malloc=None),
        using_allocator=lambda malloc: nullcontext(),
        runtime=SimpleNamespace(CUDARuntimeError=OSError),
    )

    def __getattr__(self, name):
        return getattr(strict, name)


@pytest.fixture(autouse=True)
def _gpu(monkeypatch):
    modules = {"numpy": np, "cupy": StandIn(), "strict": strict}
    for place in ("minidl.backend", "minidl.data.loader", "minidl.compiler.cuda_graph"):
        monkeypatch.setattr(f"{place}.module_of", modules.__getitem__)
    monkeypatch.setattr(cuda_graph, "uses_tf32", lambda: False)
    monkeypatch.setattr(cuda_graph, "Products", lambda *streams: SimpleNamespace(active=lambda beside: nullcontext()))
    serve(monkeypatch)
    for op in (ops.dense, ops.softmax_cross_entropy, ops.batch_norm):
        monkeypatch.setitem(op.kernels, "strict", op.kernels["cupy"])


def data():
    rng = np.random.default_rng(1)
    return Dataset(rng.standard_normal((22, 6)), rng.integers(0, 3, 22))


def model(rate=0.0):
    """In float64: in float32 Adam turns the noise of a gradient that is zero in truth into steps."""
    minidl.seed(3)
    net = nn.Sequential(nn.Dense(6, 5), nn.BatchNorm(5), nn.ReLU(), nn.Dropout(rate), nn.Dense(5, 3))
    for tensor in net._state().values():
        tensor.data = tensor.data.astype(np.float64)
    return net.train()


def groups(net):
    parameters = net.parameters()
    return [{"params": parameters[:2], "lr": optim.schedules.inverse_time(0.1, 1, 0.2)}, {"params": parameters[2:]}]


def moved(net):
    for tensor in net._state().values():
        tensor.data = StrictArray(tensor.data)
    return net


def trained_eagerly(rate=0.0, epochs=2):
    """The model after so many epochs on NumPy; the sums of losses and hits of the last; and its order."""
    net = model(rate)
    optimizer = optim.Adam(groups(net))
    loader = Loader(data(), 5)
    for _ in range(epochs):
        losses, right = epoch_by_hand(net, optimizer, loader)
    return net, losses, right, optimizer


def stepper(rate=0.0):
    net = moved(model(rate))
    return cuda_graph.GraphStep(net, nn.softmax_cross_entropy, optim.Adam(groups(net)), Loader(data(), 5))


def assert_equal(net, other):
    for name, value in other.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[name], value, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("stretches", [[(0, 5)], [(0, 1), (1, 4), (4, 5)]])
def test_it_trains_as_the_eager_step_on_numpy_does(stretches):
    expected, losses, right, optimizer = trained_eagerly()
    steps = stepper()
    for _ in range(2):
        order = backend.generator("shuffle").permutation(22)
        sums = [steps.run(order, first, last) for first, last in stretches]
    assert_equal(steps.model, expected)
    assert sum(float(loss.item()) for loss, _ in sums) == pytest.approx(losses, rel=1e-9)
    assert sum(hits.item() for _, hits in sums) == right
    assert steps.optimizer.t == optimizer.t == 10
    assert steps.reason == "it cannot be recorded: no recording here"


@pytest.mark.slow
def test_with_dropout_it_trains_as_on_numpy_where_nothing_can_be_recorded():
    expected, *_ = trained_eagerly(rate=0.4)
    steps = stepper(rate=0.4)
    for _ in range(2):
        steps.run(backend.generator("shuffle").permutation(22), 0, 5)
    assert_equal(steps.model, expected)
    assert steps.reason == "it cannot be recorded: no recording here"


@pytest.mark.slow
def test_each_size_of_batch_is_recorded_once_and_again_after_a_change(monkeypatch):
    steps, order, recorded, launched = stepper(), np.arange(22), [], []

    def graph(rows, count):
        recorded.append(rows)
        return SimpleNamespace(launch=lambda: (launched.append(rows), steps._work(rows)))

    monkeypatch.setattr(steps, "_captured", graph)
    steps.run(order, 0, 5)
    steps.run(order, 0, 5)
    assert recorded == [5, 2]
    assert launched == [5, 5, 5, 5, 5, 5, 5, 2]
    steps.model.layers[1].momentum = 0.5
    steps.run(order, 0, 2)
    assert recorded == [5, 2, 5]
    steps.optimizer.groups[0]["weight_decay"] = 0.1
    steps.run(order, 0, 2)
    assert recorded == [5, 2, 5, 5]
    steps.optimizer.groups[0]["lr"] = 0.5
    steps.run(order, 0, 2)
    assert recorded == [5, 2, 5, 5]


@pytest.mark.slow
def test_many_steps_are_recorded_as_one_where_so_many_are_to_be_made(monkeypatch):
    monkeypatch.setattr(cuda_graph, "MANY", 2)
    monkeypatch.setattr(cuda_graph, "ROWS", 3)
    expected, *_ = trained_eagerly()
    steps, launched = stepper(), []

    def graph(rows, count):
        def launch():
            launched.append((rows, count))
            for k in range(count):
                steps._work(rows, k, count)

        return SimpleNamespace(launch=launch)

    monkeypatch.setattr(steps, "_captured", graph)
    for _ in range(2):
        steps.run(backend.generator("shuffle").permutation(22), 0, 5)
    assert launched == [(5, 2), (5, 1), (5, 2), (5, 2), (2, 1)]
    assert_equal(steps.model, expected)


def test_the_sums_returned_lie_where_no_later_step_writes(monkeypatch):
    """Not in the pool that the recorded steps allocate from: they write there at every launch."""
    inside, copies = [], []

    @contextmanager
    def using_allocator(malloc):
        inside.append(malloc)
        yield
        inside.pop()

    def copy(array):
        copies.append((array, bool(inside)))
        return StrictArray(array._array.copy())

    steps = stepper()
    monkeypatch.setattr(StandIn.cuda, "using_allocator", using_allocator)
    monkeypatch.setattr(StrictArray, "copy", copy)
    steps.run(np.arange(22), 0, 2)
    assert [pooled for array, pooled in copies if array is steps._loss_sum or array is steps._correct] == [False, False]


def test_gradients_are_computed_where_the_optimizer_reads_them(monkeypatch):
    """A copy would be a launch for each parameter, in steps that have no more than some twenty."""
    copies = []
    monkeypatch.setattr(deposit.hooks, "write", lambda run, target, *rest: (copies.append(target), run(target, *rest)))
    steps = stepper()
    steps.run(np.arange(22), 0, 5)
    slots = [piece.gradient for piece in steps.optimizer.vectors.pieces]
    assert not [target for target in copies if any(target is slot for slot in slots)]


def test_a_gradient_that_somebody_holds_keeps_its_numbers():
    steps = stepper()
    steps.run(np.arange(22), 0, 2)
    held = steps.model.layers[0].weight.grad
    numbers = held.data.get()
    steps.run(np.arange(22), 2, 4)
    np.testing.assert_array_equal(held.data.get(), numbers)
    now = steps.model.layers[0].weight.grad.data
    assert np.abs(now.get() - numbers).max() > 0
    assert np.shares_memory(now._array, steps.optimizer.vectors.gradients._array)


@pytest.mark.slow
def test_a_changed_array_or_graph_is_noticed():
    steps = stepper()
    x = StrictArray(np.ones((2, 6)))
    before = steps.model(x)
    steps.run(np.arange(22), 0, 1)
    with pytest.raises(minidl.errors.GradientError, match="changed in place"):
        before.sum().backward()


def test_as_the_engine_of_a_fit_it_counts_what_the_eager_loop_counts():
    expected, losses, right, optimizer = trained_eagerly()
    steps = stepper()
    run = Run(steps.model, steps.optimizer, epochs=2, steps=5)
    engine = CudaGraphEngine(run, steps)
    for run.epoch in (1, 2):
        run.batch, run.order, run.metrics = 0, backend.generator("shuffle").permutation(22), RunningMetrics()
        engine.advance(2)
        assert (run.batch, run.step) == (2, 5 * run.epoch - 3)
        while run.batch < run.steps:
            engine.advance(run.steps)
    assert_equal(steps.model, expected)
    assert run.metrics.loss.item() == pytest.approx(losses, rel=1e-9)
    assert (run.metrics.correct.item(), run.metrics.samples) == (right, 22)
    assert run.lr == optimizer.rate(10)
    assert run.step == 10
