"""Steps of one's own that depend on more than their batch, or do what a replay must not get wrong."""

import threading
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

import minidl
from minidl import nn, ops, optim
from tests.support.recorded_steps import assert_equal, both, trained

WIDTH = 6


@pytest.fixture(params=["replay", "machine code"])
def executor(request, monkeypatch):
    """What executes recorded steps: NumPy, or machine code from the first replay on."""
    if request.param == "machine code":
        request.getfixturevalue("at_once")
    else:
        monkeypatch.setattr("minidl.compiler.tape.step.Worth.after", lambda *args: None)
    return request.param


def batches(count=12, dtype=np.float32):
    rng = np.random.default_rng(1)
    return [(rng.standard_normal((16, WIDTH)).astype(dtype), rng.integers(0, WIDTH, 16)) for _ in range(count)]


def loss_of_ones_own(output, y):
    return nn.softmax_cross_entropy(output, y) * 1.0


class Model(nn.Module):
    """A layer, and what a function makes of it and the batch."""

    def __init__(self, function):
        self.dense, self.function = nn.Dense(WIDTH, WIDTH), function
        self.settings = SimpleNamespace(scale=1.0)

    def forward(self, x):
        return self.function(self, x)


def shifted(model, x):
    h = x.copy()
    h[1:] = h[:-1]
    return model.dense(h)


def reversed_in_place(model, x):
    h = x.copy()
    h[...] = h[::-1]
    return model.dense(h)


def summed_in_place(model, x):
    h = x.copy()
    np.add(h[1:], h[:-1], out=h[1:])
    return model.dense(h)


LIMIT, HALF = np.float64(0.1), np.float64(1 / 3)

PROGRAMS = {
    "an assignment to what it is read from": shifted,
    "the same, backwards": reversed_in_place,
    "a sum written over what it still reads": summed_in_place,
    "a comparison with a float64 number": lambda m, x: m.dense(x * (x > LIMIT)),
    "large integers compared": lambda m, x: m.dense(
        x * ((x * 1e6).astype(np.int64) + 2**60 == 2**60 + 1).astype(np.float32)
    ),
    "a float64 number in place of float32": lambda m, x: m.dense(
        np.multiply(x, HALF, out=x.copy(), casting="same_kind")
    ),
    "a mean over an integer count": lambda m, x: m.dense(x - x.mean()),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_step_has_the_bits_of_the_eager_one(name, executor):
    compiled, eager = both(lambda: Model(PROGRAMS[name]), loss_of_ones_own, batches(), optim.SGD)
    assert_equal(compiled, eager)
    assert compiled[3].engine != "eager"


LOSSES = {
    "labels counted from the end": lambda output, y: -ops.log_softmax(output)[np.arange(16), y - WIDTH].mean(),
    "an integer sum beside the loss": lambda output, y: nn.softmax_cross_entropy(output, y) * y.sum(),
    "a count of each class": lambda output, y: nn.softmax_cross_entropy(output, y) * np.bincount(y, minlength=9).max(),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_the_bits_and_the_dtype_of_the_eager_one(name, executor):
    compiled, eager = both(lambda: nn.Dense(WIDTH, WIDTH), LOSSES[name], batches(), optim.SGD)
    assert_equal(compiled, eager)
    step = compiled[3]
    assert step(*batches()[0]).dtype == np.float32


@pytest.mark.parametrize("wrong", [WIDTH, -WIDTH - 1])
def test_a_label_out_of_range_is_numpys_error_and_trains_nothing(wrong, executor):

    def picked(output, y):
        return -ops.log_softmax(output)[np.arange(16), y].mean()

    # (Not a dozen: then the step would be recorded again, eagerly.)
    *_, step = trained(model := nn.Dense(WIDTH, WIDTH), picked, batches(8), True, optim.SGD)
    assert step.engine == executor
    before = model.weight.numpy().copy()
    x, y = batches()[0]
    with pytest.raises(IndexError, match=f"index {wrong} is out of bounds"):
        step(x, np.where(np.arange(16) == 3, wrong, y))
    np.testing.assert_array_equal(model.weight.numpy(), before)


def test_batches_that_lie_in_memory_column_by_column_are_summed_as_they_lie():
    def centred(model, x):
        return model.dense(x - x.sum() / 96)

    turned = [(np.asfortranarray(x), y) for x, y in batches()]
    assert_equal(*both(lambda: Model(centred), loss_of_ones_own, turned, optim.SGD))


# --- what a batch may be -----------------------------------------------------------------------------------------------
Pair = namedtuple("Pair", "first second")

BATCHES = {
    "no target": (
        lambda m, x: m.dense(x),
        lambda o, y: (o * o).mean() if y is None else (o * 0).mean(),
        lambda x, y: (x, None),
    ),
    "a named tuple": (lambda m, x: m.dense(x.first + x.second), loss_of_ones_own, lambda x, y: (Pair(x, x), y)),
    "a number in a tuple": (lambda m, x: m.dense(x[0] * x[1]), loss_of_ones_own, lambda x, y: ((x, 0.1), y)),
    "a switch in a tuple": (
        lambda m, x: m.dense(x[0] * 2) if x[1] else m.dense(x[0]),
        loss_of_ones_own,
        lambda x, y: ((x, bool(x[0, 0] > 0)), y),
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_may_be_more_than_two_arrays(name):
    function, loss, make = BATCHES[name]
    compiled, eager = both(lambda: Model(function), loss, [make(*b) for b in batches()], optim.SGD)
    assert_equal(compiled, eager)
    assert compiled[3].engine != "eager"


def test_a_batch_of_dicts_is_trained_eagerly_and_says_why():
    given = [({"a": x}, y) for x, y in batches()]
    compiled, eager = both(lambda: Model(lambda m, x: m.dense(x["a"])), loss_of_ones_own, given, optim.SGD)
    assert_equal(compiled, eager)
    assert "no array and no number" in compiled[3].reason


def test_a_batch_that_the_model_changes_in_place_is_changed_once_a_step():
    def in_place(model, x):
        x -= x.mean()
        x *= 2
        return model.dense(x)

    def found(compiled):
        three = [(x.copy(), y) for x, y in batches(3)] * 3
        minidl.seed(1)
        return trained(Model(in_place), loss_of_ones_own, three, compiled, optim.SGD)

    compiled, eager = found(True), found(False)
    assert_equal(compiled, eager)
    assert compiled[3].reason == "it changes its batch in place"


# --- what changes between two steps ------------------------------------------------------------------------------------
def switched(change, function=lambda m, x: m.dense(x) * m.settings.scale, loss=loss_of_ones_own, undo=list):
    """The losses of a compiled and of an eager training in which `change(model, step)` is called in between."""
    found = []
    for compiled in (True, False):
        minidl.seed(2)
        model = Model(function)
        optimizer = optim.SGD(model.parameters(), lr=0.05)
        step = minidl.compile(model, loss, optimizer) if compiled else SimpleNamespace(loss=loss)
        losses = []
        for k, (x, y) in enumerate(batches()):
            if k == 6:
                change(model, step)
            if compiled:
                losses.append(float(step(x, y)))
                continue
            optimizer.zero_grad()
            value = step.loss(model(x), y)
            value.backward()
            optimizer.step()
            losses.append(value.item())
        undo()
        found.append(losses)
    return found


def test_a_setting_of_a_plain_holder_counts_from_there_on():
    compiled, eager = switched(lambda model, step: setattr(model.settings, "scale", 3.0))
    assert compiled == eager


def test_an_op_that_is_replaced_counts_from_there_on(monkeypatch):
    def change(model, step):
        monkeypatch.setattr(ops.tanh, "forward", lambda a: np.tanh(a) * 2)

    compiled, eager = switched(change, lambda m, x: ops.tanh(m.dense(x)), undo=monkeypatch.undo)
    assert compiled == eager


def test_another_loss_given_to_the_step_is_the_one_that_counts():
    compiled, eager = switched(lambda model, step: setattr(step, "loss", lambda o, y: loss_of_ones_own(o, y) * 3))
    assert compiled == eager


def test_another_model_and_optimizer_given_to_the_step_are_those_that_move():
    first, second = Model(lambda m, x: m.dense(x)), Model(lambda m, x: m.dense(x))
    step = minidl.compile(first, loss_of_ones_own, optim.SGD(first.parameters()))
    for x, y in batches(4):
        step(x, y)
    before = first.dense.weight.numpy().copy(), second.dense.weight.numpy().copy()
    step.model, step.optimizer = second, optim.SGD(second.parameters())
    step(*batches()[0])
    np.testing.assert_array_equal(first.dense.weight.numpy(), before[0])
    assert np.abs(second.dense.weight.numpy() - before[1]).max() > 0


def test_a_count_that_the_model_keeps_goes_on():
    def counting(model, x):
        model.settings.calls = getattr(model.settings, "calls", 0) + 1
        return model.dense(x)

    model = Model(counting)
    step = minidl.compile(model, loss_of_ones_own, optim.SGD(model.parameters()))
    for x, y in batches():
        step(x, y)
    assert model.settings.calls == 12
    assert "the step itself changes" in step.reason


def test_two_threads_may_share_a_step():
    model = Model(lambda m, x: m.dense(x))
    step = minidl.compile(model, loss_of_ones_own, optim.SGD(model.parameters(), lr=0.0))
    given = batches(4)
    expected = [float(step(x, y)) for x, y in given for _ in range(2)][::2]
    wrong = []

    def many(x, y, value):
        wrong.extend(value for _ in range(200) if float(step(x, y)) != value)

    threads = [threading.Thread(target=many, args=(*b, v)) for b, v in zip(given, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_array_that_the_loss_uses_is_read_again_when_it_changes():
    weights = np.ones(WIDTH, np.float32)

    def weighted(output, y):
        return (ops.square(output) * weights).mean()

    def change(model, step):
        weights[...] = np.arange(WIDTH)

    compiled, eager = switched(change, lambda m, x: m.dense(x), weighted, undo=lambda: weights.fill(1))
    assert compiled == eager


def test_a_step_is_recorded_again_in_case_something_was_not_seen():
    """NumPy shows nothing of `np.asarray`: what is decided by it is found out when the step is recorded again."""

    def hidden(model, x):
        y = model.dense(x)
        return y * 2 if np.asarray(x)[0, 0] > 0 else y

    model = Model(hidden)
    step = minidl.compile(model, loss_of_ones_own, optim.SGD(model.parameters()))
    for k, (x, y) in enumerate(batches(16)):
        x[0, 0] = 1 if k < 5 else -1
        step(x, y)
        assert step.reason is None or k < 2 or k >= 12
    assert step.reason == "it is not the same ops for every batch"


def test_the_same_batch_again_and_again_is_replayed_and_another_one_is_looked_at_first():
    """As gradient descent on all of the data has it."""

    def shaped_by_its_batch(model, x):
        return model.dense(x) * (2 if np.asarray(x)[0, 0] > 0 else 1)

    (x, y), *_ = batches()
    x[0, 0] = 1
    other = x.copy()
    other[0, 0] = -1
    compiled, eager = both(lambda: Model(shaped_by_its_batch), loss_of_ones_own, [(x, y)] * 8 + [(other, y)], optim.SGD)
    assert_equal(compiled, eager)
    assert "changes from batch to batch" in compiled[3].reason

    model = Model(lambda m, x: m.dense(x))
    step = minidl.compile(model, loss_of_ones_own, optim.SGD(model.parameters()))
    for _ in range(4):
        step(x, y)
    assert step.engine != "eager"
    step(other, y)
    assert step.reason.startswith("it is recorded again")
    step(batches()[1][0], y)
    assert step.reason is None


def test_a_step_that_is_looked_at_again_keeps_its_program_and_is_never_recorded_too_often(monkeypatch):
    monkeypatch.setattr("minidl.compiler.tape.step.EVERY", 20)
    model = Model(lambda m, x: m.dense(x))
    step = minidl.compile(model, loss_of_ones_own, optim.SGD(model.parameters()))
    given = batches(7)
    for k in range(4000):
        step(*given[k % 7])
        if k == 2:
            program = step.program
    assert step.reason is None
    assert step.program is program


PICKED = {
    "one element": lambda z: z.mean(0)[1],
    "one of a list": lambda z: z.mean(0)[[2, 0]][1],
    "a list of rows": lambda z: z[[2, 0]].sum(),
    "a list of columns": lambda z: z[:, [2, 0]].sum(),
    "columns by an array": lambda z: z[:, np.array([2, 0])].sum(),
    "a list and a number": lambda z: z[3, [2, 0, 2]].sum(),
}


@pytest.mark.parametrize("name", PICKED)
def test_a_loss_may_pick_elements_in_every_way(executor, name):
    compiled, eager = both(lambda: Model(lambda model, x: model.dense(x)), lambda z, y: PICKED[name](z * z), batches())
    assert compiled[3].reason is None
    assert_equal(compiled, eager)
