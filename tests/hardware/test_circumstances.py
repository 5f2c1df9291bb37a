"""The circumstances in which every call of minidl computes: denormals are zero, and few threads share the work."""

import os
import sys
import threading
from contextlib import suppress

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.autograd import Op
from minidl.data import Dataset
from minidl.hardware import threads as hardware_threads
from minidl.hardware.arithmetic import computing
from minidl.hardware.denormals import Denormals, _library
from minidl.hardware.threads import blas_threads, both, use_blas_threads
from minidl.kernels import products
from minidl.recording import recording
from minidl.train import evaluate

OPENBLAS = blas_threads() is not None
needs_openblas = pytest.mark.skipif(not OPENBLAS, reason="this NumPy does not use OpenBLAS")
needs_switch = pytest.mark.skipif(
    _library() is None, reason="this processor or system has no switch for denormals that is known here"
)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
TINY, HALF = np.full(4, 1e-39, np.float32), np.float32(0.5)


def circumstances():
    """OpenBLAS's number of threads, and whether a denormal counts as zero, in this thread and now."""
    return blas_threads(), not (TINY * HALF).any()


INSIDE = (1 if OPENBLAS else None, _library() is not None)


@pytest.fixture
def outside():
    """A thread that had another number of OpenBLAS's threads before."""
    with use_blas_threads(3):
        before = circumstances()
        assert not before[1]
        yield before


# Each call of minidl's, with something of the user's in it that is called.


def inputs():
    return minidl.Tensor(np.ones((2, 3), np.float32), requires_grad=True)


def watched(look):
    """An op that calls `look` as its gradient is computed."""

    @Op
    def watched(a):
        return a.sum()

    watched.vjp(lambda g, y, a: (look(), g + np.zeros_like(a))[1])
    return watched


def looking(look):
    """A model that calls `look` in its forward pass."""

    class Looking(nn.Module):
        def __init__(self):
            self.layer = nn.Dense(3, 2)

        def forward(self, x):
            look()
            return self.layer(x)

    return Looking()


def looking_loss(look):
    def loss(output, labels):
        look()
        return nn.softmax_cross_entropy(output, labels)

    return loss


def compiled(look):
    model = nn.Sequential(nn.Dense(3, 2))
    step = minidl.compile(model, looking_loss(look), optim.SGD(model.parameters()))
    step(np.ones((2, 3), np.float32), np.zeros(2, int))


def at_gradients(look):
    x = inputs()
    minidl.gradients(watched(look)(x), x)


CALLS = {
    "a model": lambda look: looking(look)(np.ones((2, 3), np.float32)),
    "backward": lambda look: watched(look)(inputs()).backward(),
    "gradients": at_gradients,
    "grad": lambda look: minidl.grad(lambda x: (look(), x.sum())[1])(inputs()),
    "value_and_grad": lambda look: minidl.value_and_grad(lambda x: (look(), x.sum())[1])(inputs()),
    "evaluate": lambda look: evaluate(
        nn.Dense(3, 2), Dataset(np.ones((4, 3), np.float32), np.zeros(4, int)), loss=looking_loss(look)
    ),
    "a compiled step": compiled,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_computes_with_denormals_as_zero_and_one_blas_thread_and_leaves_nothing_behind(outside, name):
    seen = []
    CALLS[name](lambda: seen.append(circumstances()))
    assert set(seen) == {INSIDE}
    assert circumstances() == outside


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_fails_leaves_nothing_behind(outside, name):
    with pytest.raises(ZeroDivisionError):
        CALLS[name](lambda: 1 / 0)
    assert circumstances() == outside


@pytest.mark.parametrize("outer", CALLS)
@pytest.mark.parametrize("inner", CALLS)
def test_a_call_inside_another_ends_nothing_for_that_one(outside, outer, inner):
    seen = []

    def look():
        with recording(True):
            CALLS[inner](lambda: None)
        seen.append(circumstances())

    CALLS[outer](look)
    assert set(seen) == {INSIDE}
    assert circumstances() == outside


@needs_switch
def test_momentum_of_inputs_that_are_rarely_on_does_not_decay_into_denormals():
    smallest = np.finfo(np.float32).smallest_normal
    w = minidl.Tensor(np.ones(8, np.float32), requires_grad=True)
    optimizer = optim.Momentum([w], beta=0.9)
    by_hand = np.ones(8, np.float32)
    for step in range(900):  # 0.9^829 is the last that is not denormal
        optimizer.zero_grad()
        (w * np.full(8, step == 0, np.float32)).sum().backward()
        optimizer.step()
        by_hand *= np.float32(0.9 if step else 1)
    assert ((by_hand > 0) & (by_hand < smallest)).all()
    (velocity,) = optimizer.state.values()
    assert (velocity == 0).all()


@needs_switch
def test_what_a_user_switched_on_stays_on():
    mine = Denormals()
    mine.flush()
    try:
        CALLS["a model"](lambda: None)
        assert circumstances()[1]
    finally:
        mine.restore()


@needs_openblas
def test_a_thread_that_ends_its_call_changes_nothing_for_one_that_still_computes(outside):
    inside, may_end, seen = threading.Event(), threading.Event(), []
    long = threading.Thread(target=lambda: CALLS["a model"](lambda: (inside.set(), may_end.wait(20))))
    long.start()
    inside.wait(20)
    CALLS["backward"](lambda: None)
    seen.append(circumstances())
    may_end.set()
    long.join()
    assert seen == [(1, False)]
    assert circumstances() == outside


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_forked_inside_a_call_finds_everything_as_it_was_when_the_call_ends(outside):
    children = []
    model, x = nn.Dense(600, 600), np.ones((600, 600), np.float32)
    minidl.threads(2)(model)(x)
    CALLS["a model"](lambda: children.append(os.fork()))
    if children == [0]:
        alone = hardware_threads.here.now.assistant is None
        model(x)  # and it may go on
        os._exit(0 if alone and circumstances() == outside else 1)
    assert os.waitpid(children[0], 0)[1] == 0
    assert circumstances() == outside


def lines_of(*functions):
    return [(f.__code__, line) for f in functions for line in sorted({n for *_, n in f.__code__.co_lines() if n})]


model_call = nn.Module.__call__
INTERRUPTED = lines_of(
    model_call,  # as it is decorated
    hardware_threads.Circumstances.enter,
    hardware_threads.Circumstances.leave,
    hardware_threads._ThreadCounts.want,
    Denormals.flush,
    Denormals.restore,
)


def signalled(at, handle):
    """Make a call in a thread of its own, with `handle` called at one of these lines; how it is before and after."""
    code, line = INTERRUPTED[at]
    handled = []

    def trace(frame, event, argument):
        def local(frame, event, argument):
            if event == "line" and frame.f_lineno == line and not handled:
                handled.append(1)
                sys.settrace(None)
                handle()
            return local

        return local if frame.f_code is code else None

    def call():
        with use_blas_threads(3):
            seen.append(circumstances())
            model(x)
            with suppress(KeyboardInterrupt):
                sys.settrace(trace)
                model(x)
            sys.settrace(None)
            seen.append(circumstances())
            CALLS["a model"](lambda: seen.append(circumstances()))
            seen.append(circumstances())

    seen = []
    model, x = nn.Dense(3, 2), np.ones((2, 3), np.float32)
    thread = threading.Thread(target=call, daemon=True)  # should it hang, the test does not
    thread.start()
    thread.join(20)
    assert len(seen) == 4
    assert seen == [seen[0], seen[0], INSIDE, seen[0]]


@pytest.mark.parametrize("at", range(len(INTERRUPTED)))
def test_ctrl_c_may_come_at_any_line_of_entering_and_leaving(at):
    def ctrl_c():
        raise KeyboardInterrupt

    signalled(at, ctrl_c)


@pytest.mark.parametrize("at", range(len(INTERRUPTED)))
def test_a_signal_s_handler_may_compute_at_any_line_of_entering_and_leaving(at):
    def compute():
        with computing():  # as `fit` does
            CALLS["a model"](lambda: None)

    signalled(at, compute)


# Two threads in loops of one's own


def own_loop(steps=4):
    """Weights after a few steps of products and vectors that are worth a second thread."""
    minidl.seed(0)
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Dense(784, 512), nn.ReLU(), nn.Dense(512, 10))
    optimizer = optim.Adam(model.parameters())
    x, y = rng.random((256, 784), np.float32), rng.integers(0, 10, 256)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.softmax_cross_entropy(model(x), y).backward()
        optimizer.step()
    return [p.numpy().tobytes() for p in model.parameters()]


def shared(call):
    """Whether `call` gave its thread an assistant; what it returned."""

    def run():
        results.append(call())
        results.append(hardware_threads.here.now.assistant is not None)

    results = []
    thread = threading.Thread(target=run)  # a new one, which has none yet
    thread.start()
    thread.join()
    return results[1], results[0]


def test_a_loop_of_ones_own_has_the_same_bits_on_one_thread_and_on_two():
    with minidl.threads(1):
        alone, right = shared(own_loop)
    with minidl.threads(2):
        assisted, found = shared(own_loop)
    assert (alone, assisted) == (False, True)
    assert found == right


def test_two_halves_run_at_the_same_time():
    met = threading.Barrier(2)

    def halves():
        with computing(2):
            both(lambda: met.wait(20), lambda: met.wait(20))

    halves()
    assert not met.broken


def test_small_products_start_no_second_thread():
    with minidl.threads(2):
        assert shared(lambda: nn.Dense(8, 8)(np.ones((4, 8), np.float32)))[0] is False


def test_a_thread_keeps_its_assistant_and_takes_it_with_it():
    def twice():
        own_loop(1)
        first = hardware_threads.here.now.assistant
        own_loop(1)
        return first is not None and hardware_threads.here.now.assistant is first

    before = {*threading.enumerate()}
    with minidl.threads(2):
        assert shared(twice)[1]
    for thread in {*threading.enumerate()} - before:
        if thread.name == "minidl-assistant":
            thread.join(20)
            assert not thread.is_alive()


@needs_openblas
def test_where_cores_are_many_a_large_product_is_left_to_openblas(monkeypatch):
    monkeypatch.setattr(products, "WHOLE", 1e6)
    counts = []

    def counted(count):
        counts.append(count)
        return use_blas_threads(count)

    monkeypatch.setattr(products, "use_blas_threads", counted)
    with minidl.threads(3):
        nn.Dense(200, 100)(np.ones((100, 200), np.float32))
        assert counts == [3]
        nn.Dense(2, 2)(np.ones((100, 2), np.float32))
    assert counts == [3]
