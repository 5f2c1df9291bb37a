"""What is watched, overridden or hooked is what runs: no fast path passes by what a user has put in the way of a step."""

import functools
from unittest import mock

import numpy as np
import pytest
from watched_cases import BATCH, SIZE, bits, engines, network, train

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader, mnist
from minidl.errors import GradientError, OptionError, StateError
from minidl.hardware.threads import use_blas_threads
from minidl.teach import ledger
from minidl.train import Callback, fit


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:SIZE]


class Counted(optim.Adam, rule=optim.rules.Adam):
    """An optimizer as people write it to clip gradients."""

    calls = 0

    def step(self):
        self.calls += 1
        for group in self.groups:
            for p in group["params"]:
                p.grad = minidl.Tensor(np.clip(p.grad.data, -1e-3, 1e-3))
        super().step()


def test_the_engine_of_each_epoch_is_told(digits, engine):
    name, options = engine
    _, history = train(digits, **options)
    assert engines(history) == [name, name]
    assert history.reason is None


def test_an_overridden_step_is_called_for_every_update(digits, warm):
    found = []
    for options in ({}, {"compile": False}):
        model = network()
        optimizer = Counted(model.parameters(), lr=2e-3)
        _, history = train(digits, model, optimizer, **options)
        assert optimizer.calls == 2 * 21
        assert engines(history) == ["eager", "eager"]
        found.append(bits(model))
        if not options:
            assert "Counted.step" in history.reason
    assert found[0] == found[1]
    model = network()
    with pytest.raises(OptionError, match=r"Counted\.step is not minidl's own"):
        train(digits, model, Counted(model.parameters()), compile=True)


def wrapped(original, calls):
    @functools.wraps(original)
    def call(*args, **options):
        calls.append(1)
        return original(*args, **options)

    return call


@pytest.mark.parametrize(
    "place",
    [
        lambda model, optimizer: (optimizer, "step"),
        lambda model, optimizer: (optimizer, "zero_grad"),
        lambda model, optimizer: (model, "forward"),
        lambda model, optimizer: (model.layers[0], "forward"),
        lambda model, optimizer: (model.layers[2], "forward"),
        lambda model, optimizer: (optim.Optimizer, "step"),
        lambda model, optimizer: (nn.Dense, "forward"),
        lambda model, optimizer: (nn.Sequential, "__call__"),
        lambda model, optimizer: (minidl.Tensor, "backward"),
    ],
    ids=["step", "zero_grad", "model", "dense", "relu", "class's step", "class's forward", "class's call", "backward"],
)
def test_what_is_wrapped_is_called_in_every_step(digits, warm, place):
    """On the object itself or on its class, as hooks and instruments are put there."""
    model, calls = network(), []
    optimizer = optim.Adam(model.parameters())
    holder, name = place(model, optimizer)
    with mock.patch.object(holder, name, wrapped(getattr(holder, name), calls)):
        _, history = train(digits, model, optimizer)
    assert len(calls) >= 2 * 21
    assert engines(history) == ["eager", "eager"]
    assert name in history.reason


def test_a_hook_that_is_set_between_two_epochs_is_called(digits, warm):
    model, calls = network(plain=True), []

    def hook(run):
        if run.epoch == 1:
            model.layers[1].forward = wrapped(model.layers[1].forward, calls)

    _, history = train(digits, model, callbacks=[hook])
    assert engines(history) == ["machine code", "eager"]
    assert len(calls) == 21


def test_a_loss_that_took_the_place_of_minidl_s_is_the_one_that_counts(digits, warm, monkeypatch):
    calls = []
    monkeypatch.setattr(nn, "softmax_cross_entropy", wrapped(nn.softmax_cross_entropy, calls))
    train(digits, loss=nn.softmax_cross_entropy)
    assert len(calls) == 2 * 21


def test_batches_of_one_s_own_are_those_that_are_trained_on(digits, warm):
    loader, seen = Loader(digits, BATCH), []
    original = loader.batches
    loader.batches = lambda *numbers: ((seen.append(len(x)) or x, y) for x, y in original(*numbers))
    model = network()
    history = fit(model, loader, optimizer=optim.Adam(model.parameters()), epochs=1, progress=False, guards=False)
    assert sum(seen) == SIZE
    assert engines(history) != ["eager"]  # steps on them are recorded


def test_data_that_change_between_two_epochs_are_trained_on_as_they_are(digits, engine):
    """In place, or other arrays; also of labels, and of arrays that are not contiguous."""
    _, options = engine
    found = []
    for again in (options, {"compile": False}):
        wide = np.zeros((SIZE, 2 * 784), np.uint8)
        wide[:, ::2] = digits.inputs
        data = Dataset(wide[:, ::2], digits.labels.copy(), classes=digits.classes)

        def change(run, data=data):
            if run.epoch == 1:
                data.inputs[:, ::3] //= 2
                data.labels[:] = (data.labels + 1) % 10
            if run.epoch == 2:
                data.inputs = np.ascontiguousarray(data.inputs[::-1])

        model, _ = train(data, epochs=3, callbacks=[change], **again)
        found.append(bits(model))
    assert found[0] == found[1]


@pytest.mark.parametrize("way", ["attached", "callback"])
def test_a_ledger_holds_every_step_with_machine_code_too(digits, warm, way):
    model = network()
    optimizer = optim.Adam(model.parameters())
    elements = [(model.layers[0].bias, 1)]
    book = ledger(optimizer, elements) if way == "attached" else ledger(elements=elements)
    _, history = train(digits, model, optimizer, callbacks=[book] if way == "callback" else [])
    assert len(book) == 2 * 21
    assert {entry.t for entry in book} == set(range(1, 43))
    assert "step" in history.reason


def test_a_callback_s_method_may_be_set_on_the_instance(digits, warm):
    callback, seen = Callback(), []
    for name in ("on_step", "on_epoch", "on_pause", "on_start", "on_end", "on_gradients"):
        setattr(callback, name, lambda run, name=name: seen.append(name))
    _, history = train(digits, callbacks=[callback])
    assert seen.count("on_step") == seen.count("on_gradients") == 42
    assert {"on_epoch", "on_pause", "on_start", "on_end"} <= set(seen)
    assert engines(history) == ["machine code"] * 2


class BetweenEpochs(Callback):
    """Changes something that a compiled step was made for, after the first epoch."""

    def __init__(self, change):
        self.change, self.changed = change, 0

    def on_epoch(self, run):
        if run.epoch == 1:
            self.change(run)
            self.changed += 1


class BetweenSteps(BetweenEpochs):
    """Changes it in the middle of an epoch."""

    on_epoch = Callback.on_epoch

    def on_gradients(self, run):
        if run.step == 13:
            self.change(run)
            self.changed += 1


def decay(run):
    run.optimizer.groups[0]["weight_decay"] = 1e-2  # a term of the equation that was not there


def other_statistics(run):
    norm = next(m for _, m in run.model.named_modules() if isinstance(m, nn.BatchNorm))
    norm.running_mean.data = np.full_like(norm.running_mean.data, 3.0)


def other_buffer(run):
    norm = next(m for _, m in run.model.named_modules() if isinstance(m, nn.BatchNorm))
    norm.running_var = nn.Buffer(np.full_like(norm.running_var.data, 3.0))


def other_values(run):
    run.model.layers[0].weight.data = run.model.layers[0].weight.data * np.float32(0.5)


def other_parameter(run):
    run.model.layers[0].weight = nn.Parameter(run.model.layers[0].weight.data * np.float32(0.5))


def other_rate(run):
    next(m for _, m in run.model.named_modules() if isinstance(m, nn.Dropout)).rate = 0.6


def other_method(run):
    """A step that does nothing, in the place of the class's."""
    type(run.optimizer).step = lambda self: None


@pytest.mark.slow
@pytest.mark.parametrize("callback", [BetweenEpochs, BetweenSteps])
@pytest.mark.parametrize(
    "change", [decay, other_statistics, other_buffer, other_values, other_parameter, other_rate, other_method]
)
def test_what_changes_in_the_middle_of_a_training_counts_from_there_on(digits, engine, change, callback, monkeypatch):
    """A term of the equation, a layer's numbers, its arrays and its tensors: by every engine, to the same bits."""
    _, options = engine
    found = []
    for again in (options, {"compile": False}):
        model, changes = network(), callback(change)
        with monkeypatch.context() as patch:
            patch.setattr(optim.SGD, "step", optim.SGD.step)  # and puts it back
            train(digits, model, optim.SGD(model.parameters(), lr=0.05), callbacks=[changes], **again)
        assert changes.changed == 1
        found.append(bits(model))
    assert found[0] == found[1]


def test_the_line_of_fit_says_why_steps_are_eager(digits, warm, capsys):
    model = network()
    train(digits, model, Counted(model.parameters()), epochs=1, progress=True)
    assert "steps are made eagerly: Counted.step is not minidl's own" in capsys.readouterr().out
    train(digits, epochs=1, progress=True)
    assert "eagerly" not in capsys.readouterr().out


# A compiled step of one's own


def step_of(model, optimizer):
    return minidl.compile(model, nn.softmax_cross_entropy, optimizer)


def batch_of(digits):
    return digits.inputs[:BATCH].astype(np.float32) / 255, digits.labels[:BATCH]


@pytest.mark.parametrize("place", ["step", "zero_grad", "forward", "relu"])
def test_a_compiled_step_goes_through_what_is_put_in_its_way(digits, place):
    x, y = batch_of(digits)
    found = []
    for compiled in (True, False):
        model, calls = network(plain=True), []
        optimizer = optim.Momentum(model.parameters())
        step = step_of(model, optimizer)
        step(x, y)
        assert step.reason is None
        holder = {"forward": model.layers[0], "relu": model.layers[1]}.get(place, optimizer)
        name = "forward" if place == "relu" else place
        setattr(holder, name, wrapped(getattr(holder, name), calls))
        for _ in range(3):
            if compiled:
                step(x, y)
            else:
                with use_blas_threads(1):  # as a compiled step has it
                    optimizer.zero_grad()
                    nn.softmax_cross_entropy(model(x), y).backward()
                    optimizer.step()
        assert len(calls) == 3
        if compiled:
            assert name in step.reason
        found.append(bits(model))
        delattr(holder, name)
        step(x, y)
        assert step.reason is None
    assert found[0] == found[1]


def test_a_compiled_step_is_watched_by_debug_and_refuses_what_an_eager_one_does(digits):
    x, y = batch_of(digits)
    model = network(plain=True)
    optimizer = optim.Nesterov(model.parameters())
    step = step_of(model, optimizer)
    step(x, y)
    with minidl.debug():
        step(x, y)
        assert "debug" in step.reason
    with minidl.no_grad(), pytest.raises(GradientError):
        step(x, y)
    with optimizer.at_iterate(), pytest.raises(StateError):
        step(x, y)
    step(x, y)
    assert step.reason is None


def test_fit_inside_at_iterate_is_refused_by_every_engine(digits, engine):
    _, options = engine
    model = network(plain=True)
    optimizer = optim.Nesterov(model.parameters())
    with optimizer.at_iterate(), pytest.raises(StateError, match="at_iterate"):
        train(digits, model, optimizer, **options)


def test_a_compiled_step_takes_what_an_eager_one_takes(digits):
    """Lists of numbers, and integers as labels of any kind."""
    model = nn.Sequential(nn.Dense(3, 4), nn.Tanh(), nn.Dense(4, 2))
    step = step_of(model, optim.SGD(model.parameters()))
    rows = [[0.0, 1.0, 2.0], [1, 0, 1]]
    first = step(rows, [0, 1])
    assert step.reason is None
    assert step(np.array(rows, np.float32), np.array([0, 1], np.uint8)) < first
