"""Whoever looks at the gradients of each step sees what the update takes, whatever engine makes the step."""

import numpy as np
import pytest
from watched_cases import BATCH, SIZE, bits, engines, network, train

import minidl
from minidl import optim
from minidl.data import Dataset, mnist
from minidl.errors import NonFiniteError
from minidl.hardware.threads import use_blas_threads
from minidl.train import Callback, evaluate


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:SIZE]


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
