"""What is watched, overridden or hooked is what runs: no fast path passes by what a user has put in the way of a step."""

import functools
from unittest import mock

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader, mnist
from minidl.errors import GradientError, NonFiniteError, OptionError, StateError
from minidl.hardware.threads import use_blas_threads
from minidl.teach import ledger
from minidl.train import Callback, evaluate, fit

pytest.importorskip("numba")
from minidl.compiler.native.cache.background import compile_now
from minidl.compiler.native.executor import needed

BATCH, SIZE = 32, 20 * 32 + 7  # an epoch of 20 whole batches and a smaller one


@pytest.fixture(scope="module", autouse=True)
def _machine_code():
    weight = nn.Dense(2, 2).parameters()
    for rule in (optim.SGD, optim.Momentum, optim.Adam):
        compile_now(needed(rule(weight)))


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:SIZE]


@pytest.fixture(params=["machine code", "replay", "eager"])
def engine(request, monkeypatch):
    """Each way to make a step; the options of `fit` that ask for it."""
    from minidl.train.engines.compiled import Compiled

    if request.param == "machine code":
        monkeypatch.setattr(Compiled, "_worth_loading", lambda self, bound: True)
    else:
        monkeypatch.setattr(Compiled, "_native", lambda self, block, apart: None)
    return request.param, {"compile": False} if request.param == "eager" else {}


@pytest.fixture
def warm(monkeypatch):
    """Machine code for however short a run."""
    from minidl.train.engines.compiled import Compiled

    monkeypatch.setattr(Compiled, "_worth_loading", lambda self, bound: True)


def network(hidden=64, plain=False):
    """The same model whenever it is made; a `plain` one has no state of its own."""
    minidl.seed(3)
    first, last = nn.Dense(784, hidden), nn.Dense(hidden, 10)
    if plain:
        return nn.Sequential(first, nn.ReLU(), last)
    return nn.Sequential(first, nn.BatchNorm(hidden), nn.ReLU(), nn.Dropout(0.2), last)


def train(data, model=None, optimizer=None, epochs=2, batch=BATCH, **options):
    """The model after a `fit`, and its history."""
    model = network() if model is None else model
    optimizer = optim.Adam(model.parameters(), lr=2e-3) if optimizer is None else optimizer
    options = {"progress": False, "guards": False} | options
    return model, fit(model, Loader(data, batch), optimizer=optimizer, epochs=epochs, **options)


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def engines(history):
    return [row["engine"] for row in history.rows]


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
    assert engines(history) == ["replay"]  # the step is recorded, from the batches that came


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
    assert "on_step" in history.reason


class Gradients(Callback):
    """Sees each step's gradients, and does something with them."""

    def __init__(self, act=lambda run: None):
        self.act, self.seen = act, []

    def on_gradients(self, run):
        gradients = [p.grad.data for p in run.model.parameters() if p.grad is not None]
        norm = sum(float((gradient.astype(np.float64) ** 2).sum()) for gradient in gradients)
        self.seen.append((run.step, norm, float(run.loss.item())))
        self.act(run)


def clip(run):
    for p in run.model.parameters():
        p.grad.data[...] = np.clip(p.grad.data, -1e-3, 1e-3)


def replace(run):
    for p in run.model.parameters():
        p.grad = minidl.Tensor(p.grad.data * np.float32(0.5))


def leave_out(run):
    if run.step % 2:
        run.model.parameters()[0].grad = None


def freeze(run):
    if run.step == 25:
        run.model.parameters()[0].requires_grad = False


def slow_down(run):
    run.optimizer.lr = 1e-3 / (1 + run.step)


@pytest.mark.slow
@pytest.mark.parametrize("act", [lambda run: None, clip, replace, leave_out, freeze, slow_down])
@pytest.mark.parametrize("checks", ["stop", "skip", "continue"])
def test_what_a_callback_does_to_gradients_is_what_the_update_takes(digits, engine, act, checks):
    """Clipped, replaced, taken away; by machine code, replayed or eager: the same bits, and all 42 are seen."""
    name, options = engine
    callback, reference = Gradients(act), Gradients(act)
    model, history = train(digits, callbacks=[callback], on_nonfinite=checks, **options)
    other, _ = train(digits, callbacks=[reference], compile=False, on_nonfinite=checks)
    assert engines(history) == [name, name]
    assert len(callback.seen) == 42
    assert callback.seen == reference.seen
    assert bits(model) == bits(other)
    if act is clip:
        assert bits(model) != bits(train(digits)[0])


def test_an_empty_look_at_the_gradients_changes_no_bit(digits, engine):
    _, options = engine
    watched, _ = train(digits, callbacks=[Gradients()], **options)
    assert bits(watched) == bits(train(digits, **options)[0])


@pytest.mark.parametrize("batch", [1, 32])
def test_two_threads_share_a_step_that_is_looked_at(digits, warm, batch):
    found = []
    for threads in (1, 2):
        model = network(256, plain=True)
        with use_blas_threads(2):
            train(digits[:200], model, optim.SGD(model.parameters(), lr=0.01), batch=batch, threads=threads,
                  callbacks=[Gradients()])  # fmt: skip
        found.append(bits(model))
    assert found[0] == found[1]


@pytest.mark.slow
def test_thousands_of_steps_are_looked_at_one_by_one(warm):
    """More than machine code makes in one call."""
    data, found = mnist()[0][:5000], []
    for callbacks in ([Gradients()], []):
        model = network(plain=True)
        _, history = train(data, model, optim.SGD(model.parameters(), lr=1e-3), epochs=1, batch=1, callbacks=callbacks)
        assert engines(history) == ["machine code"]
        found.append(bits(model))
    assert found[0] == found[1]


def test_a_callback_may_evaluate_and_train_while_it_looks_at_gradients(digits, engine):
    _, options = engine
    inner = []

    def act(run):
        if run.step in (3, 10):
            other, _ = train(digits[:200], network(32), epochs=1)
            inner.append((bits(other), evaluate(network(plain=True), digits)))

    with use_blas_threads(2):
        watched, _ = train(digits, network(256, plain=True), epochs=1, callbacks=[Gradients(act)], **options)
        alone, _ = train(digits, network(256, plain=True), epochs=1, **options)
    assert bits(watched) == bits(alone)
    assert inner[0][1] == evaluate(network(plain=True), digits)


def test_a_batch_that_is_not_sound_is_left_out_after_it_was_shown(digits, engine):
    _, options = engine
    inputs = digits.inputs.astype(np.float32) / 255
    inputs[100, 300] = np.inf
    found = []
    for again in (options, {"compile": False}):
        callback = Gradients()
        with np.errstate(all="ignore"):
            model, history = train(Dataset(inputs, digits.labels), callbacks=[callback], on_nonfinite="skip", **again)
        assert [row["skipped"] for row in history.rows] == [1, 1]
        assert len(callback.seen) == 42
        found.append(bits(model))
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("place", ["the first", "the last of a thread's", "another thread's first", "the last"])
def test_a_gradient_that_a_callback_spoils_moves_nothing(digits, engine, value, place):
    """Wherever the number is; what is left out leaves statistics, random numbers and the count of updates alone."""
    _, options = engine

    def spoil(run):
        parameters = run.model.parameters()
        count = sum(p.size for p in parameters)
        half = -(-count // 32) * 16
        number = {"the first": 0, "the last of a thread's": half - 1, "another thread's first": half}.get(
            place, count - 1
        )
        if run.batch in (3, 10):
            for p in parameters:
                if 0 <= number < p.size:
                    p.grad.data.reshape(-1)[number] = value
                number -= p.size
        if run.batch == 12:
            run.optimizer.lr = 3e-3

    found = []
    for again in (options, {"compile": False}):
        model, history = train(digits, network(256), callbacks=[Gradients(spoil)], on_nonfinite="skip", **again)
        assert [row["skipped"] for row in history.rows] == [2, 2]
        found.append(bits(model))
    assert found[0] == found[1]


@pytest.mark.parametrize("value", [1e25, -1e38])
def test_an_update_whose_squares_overflow_is_not_made_for_who_looks_at_gradients(digits, engine, value):
    """A finite gradient, whose square is infinite in Adam's memory."""
    _, options = engine

    def spoil(run):
        if run.step == 15:
            run.model.parameters()[0].grad.data[3, 4] = value

    model = network()
    optimizer = optim.Adam(model.parameters())
    with pytest.raises(
        NonFiniteError, match=r"step 16 .*the gradients are finite, .*but after this update s holds inf"
    ):
        train(digits, model, optimizer, epochs=1, callbacks=[Gradients(spoil)], **options)
    assert all(np.isfinite(vector).all() for vector in optimizer.state.values())


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


def test_gradients_that_are_repaired_count_as_sound(digits, engine):
    _, options = engine

    def spoil_and_repair(run):
        for p in run.model.parameters():
            p.grad.data[...] = np.inf
        for p in run.model.parameters():
            p.grad.data[...] = np.clip(p.grad.data, -1e-3, 1e-3)

    _, history = train(digits, callbacks=[Gradients(spoil_and_repair)], **options)
    assert all("skipped" not in row for row in history.rows)


@pytest.mark.parametrize("batch", [1, BATCH])
def test_after_training_the_last_gradients_are_there(digits, engine, batch):
    """As after a loop of one's own, whatever made the steps."""
    _, options = engine
    data = digits[: 20 * BATCH]
    found = []
    for again in (options, {"compile": False}):
        model = network(plain=True)
        train(data, model, optim.SGD(model.parameters(), lr=0.01), epochs=1, batch=batch, **again)
        found.append([p.grad.data.tobytes() for p in model.parameters()])
    assert found[0] == found[1]


@pytest.mark.parametrize("batch", [1, BATCH])
def test_gradients_are_there_for_who_looks_between_stretches(digits, warm, batch):
    class Look(Callback):
        def interval(self, run):
            return 7 - run.step % 7  # at every seventh, whatever pauses time makes in between

        def on_pause(self, run):
            seen.append((run.step, *(p.grad.data.tobytes() for p in run.model.parameters())))

    found = []
    for options in ({}, {"compile": False}):
        seen = []
        model = network(plain=True)
        train(digits[: 20 * BATCH], model, optim.SGD(model.parameters(), lr=0.01), epochs=1, batch=batch,
              callbacks=[Look()], **options)  # fmt: skip
        found.append({step[0]: step[1:] for step in seen if step[0] % 7 == 0})
    assert found[0] == found[1]
    assert len(found[0]) >= 2


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
