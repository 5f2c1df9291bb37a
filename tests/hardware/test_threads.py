"""The number of threads that matrix products use."""

import os
import sys
import threading

import numpy as np
import pytest

import minidl
from minidl import nn, optim
from minidl.data import Dataset, mnist
from minidl.errors import OptionError
from minidl.hardware import assistant as second_thread
from minidl.hardware.arithmetic import computing
from minidl.hardware.threads import CORES, assistant, blas_threads, here, use_blas_threads
from minidl.kernels import products
from minidl.train import fit

OPENBLAS = blas_threads() is not None
needs_openblas = pytest.mark.skipif(not OPENBLAS, reason="this NumPy does not use OpenBLAS")


@needs_openblas
def test_the_number_holds_for_the_block_also_if_it_fails():
    before = blas_threads()
    seen = []

    def fails():
        with use_blas_threads(before + 1):
            seen.append(blas_threads())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert [*seen, blas_threads()] == [before + 1, before]


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_a_wrong_number_is_refused(count):
    with pytest.raises(OptionError, match="at least 1"), use_blas_threads(count):
        pass


@pytest.mark.slow
@needs_openblas
@pytest.mark.parametrize(
    ("threads", "width", "expected"),
    [
        (None, 8, (1, True)),
        (1, 8, (1, False)),
        (3, 8, (1, True)),
        (None, 40_000, (1, True) if CORES <= 2 else (2, False)),
        (1, 40_000, (1, False)),
        (3, 40_000, (3, False)),
    ],
)
def test_an_assistant_shares_the_work_unless_products_are_large_and_cores_many(threads, width, expected):
    seen = []
    model = nn.Sequential(nn.Dense(32, width), nn.Dense(width, 2))
    data = Dataset(np.zeros((500, 32), np.float32), np.zeros(500, int), classes="ab")
    optimizer = optim.SGD(model.parameters())

    def watch(run):
        seen.append((blas_threads(), assistant() is not None))

    options = {"epochs": 1, "batch_size": 500, "callbacks": [watch], "progress": False, "threads": threads}
    with use_blas_threads(2):
        fit(model, data, optimizer=optimizer, **options)
    assert seen == [expected]
    assert assistant() is None


@needs_openblas
def test_two_threads_give_the_same_bits_as_one():
    data = mnist()[0][:1280]
    weights = []
    for threads in (1, 2):
        minidl.seed(0)
        model = nn.Sequential(nn.Dense(784, 160), nn.BatchNorm(160), nn.ReLU(), nn.Dense(160, 10))
        with use_blas_threads(2):
            fit(model, data, optimizer=optim.Adam(model.parameters()), epochs=2, progress=False, threads=threads)
        weights.append(model.state_dict())
    for name, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][name], err_msg=name)


@needs_openblas
@pytest.mark.filterwarnings("error")
def test_what_fails_on_the_second_thread_is_raised_on_the_first_and_both_go_on():
    with computing(2):
        assert assistant() is not None
        with pytest.raises(ZeroDivisionError):
            assistant().both(list, lambda: 1 / 0)
        with pytest.raises(KeyError):
            assistant().both(lambda: {}["mine"], list)
        seen = []
        assistant().both(lambda: seen.append(1), lambda: seen.append(2))
        assert sorted(seen) == [1, 2]
        large = np.full(3, 3e38, np.float32)
        assistant().both(list, lambda: seen.append((large * large).tolist()))
        assert seen[-1] == [np.inf] * 3


def in_a_thread(function):
    """Call `function` in a thread of its own; its result, or what it raised."""
    results = []

    def call():
        try:
            results.append(function())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def assistants():
    return {t for t in threading.enumerate() if t.name == "minidl-assistant"}


def ended(threads):
    """Wait for `threads` to end, which their owners have left behind."""
    for thread in threads:
        thread.join(60)
    assert not [t for t in threads if t.is_alive()]


def lines_of(*functions):
    """Every line of these functions at which something may come in between."""
    return [(f.__code__, line) for f in functions for line in sorted({n for *_, n in f.__code__.co_lines() if n})]


@pytest.mark.parametrize("at", range(len(lines_of(second_thread.Assistant.both, second_thread._Task.wait))))
def test_a_signal_may_come_at_any_line_of_what_two_threads_share(at):
    """What its handler raises comes out; nothing hangs, and the two go on with the next."""
    code, line = lines_of(second_thread.Assistant.both, second_thread._Task.wait)[at]
    raised = []

    def trace(frame, event, argument):
        def local(frame, event, argument):
            if event == "line" and frame.f_lineno == line and not raised:
                raised.append(1)
                sys.settrace(None)
                raise KeyboardInterrupt
            return local

        return local if frame.f_code is code else None

    def shares_work():
        waits, begun = threading.Event(), threading.Event()
        other = lambda: (begun.set(), waits.wait(20))  # as machine code waits for the other thread's
        try:
            sys.settrace(trace)
            assistant().both(lambda: (begun.wait(1), waits.set()), other, waits.set)
            assert not raised
        except KeyboardInterrupt:
            assert raised
        finally:
            sys.settrace(None)
        seen = []
        assistant().both(lambda: seen.append(1), lambda: seen.append(2))
        assert sorted(seen) == [1, 2]

    before = assistants()
    in_a_thread(computing(2)(shares_work))
    ended(assistants() - before)


@needs_openblas
def test_an_assistant_serves_the_thread_that_it_was_made_in_and_no_other():
    found = []
    with computing(2):
        worker = threading.Thread(target=lambda: found.append(assistant()))
        worker.start()
        worker.join()
        assert assistant() is not None
    assert found == [None]


@needs_openblas
def test_the_number_of_threads_is_what_it_was_however_blocks_overlap():
    before = blas_threads()
    first, second = use_blas_threads(1), use_blas_threads(1)
    first.__enter__()

    def other():
        second.__enter__()
        entered.set()
        ended.wait()
        second.__exit__(None, None, None)

    entered, ended = threading.Event(), threading.Event()
    worker = threading.Thread(target=other)
    worker.start()
    entered.wait()
    first.__exit__(None, None, None)
    assert blas_threads() == 1  # the other still wants it
    ended.set()
    worker.join()
    assert blas_threads() == before


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_no_assistant_and_computes_alone():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal((600, 600)).astype(np.float32) for _ in range(2))
    with computing(2):
        right = products.matmul(x, w)
        child = os.fork()
        if child == 0:
            alone = assistant() is None and np.array_equal(products.matmul(x, w), right)
            os._exit(0 if alone else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert assistant() is not None


def test_where_the_system_grants_no_thread_the_work_is_done_alone(monkeypatch):
    def no_more(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(here.now, "assistant", None)
    monkeypatch.setattr(threading.Thread, "start", no_more)
    with computing(2):
        assert assistant() is None


@needs_openblas
def test_a_large_update_in_two_halves_is_the_update():
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(200_000).astype(np.float32) for _ in range(4)]
    found = []
    for count in (1, 2):
        p, q, r = (minidl.tensor(v.copy(), requires_grad=True) for v in (values[0], values[1], values[2][:7]))
        optimizer = optim.Adam([p, q, r])
        with computing(count):
            for step in range(100):
                p.grad, r.grad = minidl.tensor(values[3]), minidl.tensor(values[3][:7])
                q.grad = minidl.tensor(values[0]) if step != 2 else None
                optimizer.step()
        found.append([t.numpy().tobytes() for t in (p, q, r)] + [v.tobytes() for v in optimizer.state.values()])
    assert found[0] == found[1]


SHAPES = [
    (128, 784, 256),
    (784, 128, 256),
    (200, 300, 100),
    (33, 1000, 71),
    (32, 784, 128),
    (13, 9000, 40),
    (12, 8000, 70),
]


@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_a_product_in_halves_is_the_product(m, k, n):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
    assert products.cut(m, k, n) is not None
    for a, b in ((x, w), (x.T.copy().T, w), (x, w.T.copy().T)):
        out = np.empty((m, n), np.float32)
        parts = products.halves(a, b, out)
        with use_blas_threads(1):
            parts.first()
            parts.second()
            np.testing.assert_allclose(out, a.astype(np.float64) @ b, rtol=1e-4, atol=1e-3)
            np.testing.assert_array_equal(products.matmul(a, b), out)
        with computing(2):
            np.testing.assert_array_equal(products.matmul(a, b), out)


def test_what_is_too_small_to_be_cut_is_not():
    for m, k, n in ((4, 4, 4), (12, 10**6, 11), (1, 10**4, 10**4), (10**4, 10**3, 10**3)):
        assert products.cut(m, k, n) is None or 0 < products.cut(m, k, n)[1] < max(m, n)
    assert products.cut(32, 784, 10) is None
    assert (products.cut(2000, 2000, 2000) is None) == (CORES > 2)  # there, OpenBLAS has more threads than two
