"""Machine code that passes over zeros in the inputs: the dense step to rounding, and one run the same bits for ever."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
from minidl import nn, optim
from minidl.data import Dataset, Loader, mnist
from minidl.threads import assisted, blas_threads, use_blas_threads
from minidl.train import Callback, Checkpoint, faults, fit

pytest.importorskip("numba")
from minidl.compile import objects
from minidl.compile.native import needed
from minidl.compile.warm import compile_now

WEIGHT = nn.Dense(2, 2).parameters()


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    for rule in (optim.SGD, optim.Momentum, optim.Adam):
        compile_now(needed(rule(WEIGHT), [True, True]))


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:3000]


def steps(data, sparse, sizes, rule, batch, count=6, threads=1):
    """The losses, and all parameters, after some steps of machine code."""
    minidl.seed(1)
    layers = []
    for width, after in zip((data.inputs.shape[1], *sizes), (*sizes, 10), strict=True):
        layers += [nn.Dense(width, after), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = rule(model.parameters())
    step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
    order = np.random.default_rng(0).integers(0, len(data), count * batch)
    with use_blas_threads(2), assisted(threads == 2), use_blas_threads(1):
        machine = step.bound(batch, data.inputs, data.labels).native(data.inputs, data.labels, sparse)
        losses = machine.run(order, count)[0].copy()
    return losses, np.concatenate([p.numpy().ravel() for p in model.parameters()])


def bag(width, kind, share, seed):
    """Two hundred samples of `width` inputs, of which that share is not zero."""
    rng = np.random.default_rng(seed)
    inputs = np.where(rng.random((200, width)) < share, rng.integers(1, 256, (200, width)), 0)
    inputs = inputs.astype(np.uint8) if kind == "pixels" else (inputs / 100 - 1.2 * (inputs > 0)).astype(np.float32)
    return Dataset(inputs, rng.integers(0, 10, 200), classes="0123456789")


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(2, 300),
    kind=st.sampled_from(["pixels", "floats"]),
    share=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    hidden=st.lists(st.integers(2, 200), max_size=2),
    batch=st.sampled_from([1, 2, 3, 31, 64, 129, 200]),
    rule=st.sampled_from([optim.SGD, optim.Momentum]),
    seed=st.integers(0, 9),
)
def test_the_results_are_those_of_the_dense_step_to_rounding(width, kind, share, hidden, batch, rule, seed):
    data = bag(width, kind, share, seed)
    dense, sparse = (steps(data, zeros, hidden, rule, batch) for zeros in (False, True))
    np.testing.assert_allclose(sparse[0], dense[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sparse[1], dense[1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "batch", "rule"), [((128,), 32, optim.Momentum), ((300, 100), 100, optim.Adam), ((64,), 256, optim.Adam)]
)
def test_digits_train_to_the_same_numbers_on_one_thread_and_on_two(digits, sizes, batch, rule):
    if blas_threads() is None:
        pytest.skip("this NumPy does not use OpenBLAS, so there is no second thread")
    dense, sparse = (steps(digits, zeros, sizes, rule, batch, count=40) for zeros in (False, True))
    np.testing.assert_allclose(sparse[0], dense[0], rtol=2e-3)
    assert np.abs(sparse[0] - dense[0]).max() > 0  # it is another way to add up
    both = steps(digits, True, sizes, rule, batch, count=40, threads=2)
    assert both[0].tobytes() == sparse[0].tobytes()
    assert both[1].tobytes() == sparse[1].tobytes()


class Stop(Callback):
    """Breaks a run off after so many updates, as a crash does."""

    def __init__(self, last):
        self.last = last

    def interval(self, run):
        return max(self.last - run.step, 1)

    def on_pause(self, run):
        if run.step >= self.last:
            raise KeyError("crash")


class Look(Callback):
    """Has something to look at after every few updates."""

    def interval(self, run):
        return 4


class Seen(Callback):
    """Remembers whether the run passed over zeros."""

    def on_end(self, run):
        self.sparse = run.sparse


def run(data, folder=None, stop=None, hidden=64, epochs=8, batch=50, seen=None, **options):
    """The losses of a `fit` and its weights' bytes."""
    minidl.seed(2)
    model = nn.Sequential(nn.Dense(data.inputs.shape[1], hidden), nn.ReLU(), nn.Dropout(0.1), nn.Dense(hidden, 10))
    optimizer = optim.Adam(model.parameters(), lr=optim.schedules.cosine(2e-3, 360))
    callbacks = [*([seen] if seen else []), *([Stop(stop)] if stop else []), *options.pop("callbacks", [])]
    options |= {"checkpoint": Checkpoint(folder, 7), "resume": True} if folder else {}
    settings = {"optimizer": optimizer, "epochs": epochs, "progress": False, "callbacks": callbacks} | options
    try:
        history = fit(model, Loader(data, batch), **settings)
    except KeyError:
        return None
    return [row["loss"] for row in history.rows], [p.numpy().tobytes() for p in model.parameters()]


def test_fit_passes_over_zeros_by_itself_where_that_pays(digits):
    dense = Dataset(digits.inputs.astype(np.float32) / 255 + 1, digits.labels)
    for data, options, expected in (
        (digits, {}, True),
        (dense, {}, False),
        (digits, {"hidden": 16}, False),
        (digits, {"epochs": 1}, False),  # over before machine code is loaded
        (digits, {"compile": False}, None),
    ):
        seen = Seen()
        run(data, seen=seen, guards=False, **options)
        assert seen.sparse is expected, options


def test_an_interrupted_run_goes_on_to_the_bits_of_one_that_was_not(digits, tmp_path):
    whole = run(digits)
    assert run(digits) == whole
    assert run(digits, tmp_path, stop=201) is None
    assert (tmp_path / "step-00000196.safetensors").exists()
    seen = Seen()
    assert run(digits, tmp_path, seen=seen) == whole
    assert seen.sparse is True


def test_a_run_that_began_before_its_machine_code_was_there_stays_dense(digits, tmp_path, monkeypatch):
    """The first run after an installation: broken off, and resumed when the code has been compiled."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from test_sparse import Seen, mnist, run\n"
        "seen = Seen(); run(mnist()[0][:3000], Path(sys.argv[2]), stop=201, seen=seen); print(seen.sparse)"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path / "run")]
    empty = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, env=empty, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    seen = Seen()
    assert run(digits, tmp_path / "run", seen=seen) == run(digits, compile=False)
    assert seen.sparse is False


def test_a_run_whose_machine_code_has_gone_says_that_its_last_digits_may_differ(digits, tmp_path):
    run(digits, tmp_path, stop=201)
    with pytest.warns(UserWarning, match="may differ in their last digits"):
        losses, _ = run(digits, tmp_path, compile=False)
    np.testing.assert_allclose(losses, run(digits)[0], rtol=1e-2)


def test_a_batch_that_is_left_out_leaves_the_same_bits_whenever_it_is_noticed(digits, monkeypatch):
    """The stretches between two looks depend on the clock; what comes of them does not."""
    inputs = digits.inputs.astype(np.float32) / 255
    inputs[1234, 400] = np.inf
    data = Dataset(inputs, digits.labels)
    results = []
    for keep, callbacks in ((1e9, []), (0.0, [Look()])):
        monkeypatch.setattr(faults, "KEEP", keep)
        seen = Seen()
        results.append(run(data, seen=seen, callbacks=callbacks, on_nonfinite="skip", guards=False))
        assert seen.sparse
    assert results[0] == results[1]


def test_what_is_kept_needs_neither_numba_nor_the_interpreter(tmp_path):
    """The object files call nothing that is Numba's or Python's: whatever they miss would be a crash, not an error."""
    tool = shutil.which("nm")
    if tool is None:
        pytest.skip("there is no nm to list symbols with")
    for file in needed(optim.Adam(WEIGHT), [True, True]):
        kept = objects.object_file(file)
        missing = subprocess.run([tool, "-u", kept], capture_output=True, text=True, check=True).stdout.split()
        assert set(missing) - {"U"} <= {"_GLOBAL_OFFSET_TABLE_", "memset", "memcpy", "memmove"}
