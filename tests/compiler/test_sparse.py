"""Machine code that passes over zeros in the inputs: the bits of the dense step, so that one seed gives one run."""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minidl
from minidl import kernels, nn, optim
from minidl.arrays import PIXEL
from minidl.data import Dataset, Loader, mnist
from minidl.hardware.arithmetic import computing
from minidl.hardware.threads import blas_threads
from minidl.train import Callback, Checkpoint, fit
from minidl.train.engines import nonfinite
from minidl.train.saving.archive import read_archive, write_archive

pytest.importorskip("numba")
from minidl.compiler.native import executor, zeros
from minidl.compiler.native.assembler import Assembler
from minidl.compiler.native.cache import objects, store
from minidl.compiler.native.cache.background import compile_now
from minidl.compiler.native.executor import needed
from minidl.compiler.native.jit import dense
from minidl.compiler.native.summation_order import STRAIGHT, Order

WEIGHT = nn.Dense(2, 2).parameters()


def kernel():
    """Which processor OpenBLAS computes for; None if that cannot be told."""
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)
    name = getattr(library, "scipy_openblas_get_corename64_", None)
    if name is None:
        return None
    name.restype = ctypes.c_char_p
    return name().decode()


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    for rule in (optim.SGD, optim.Momentum, optim.Adam):
        compile_now(needed(rule(WEIGHT)))


@pytest.fixture(scope="module")
def digits():
    return mnist()[0][:3000]


def steps(data, order, sizes, rule, batch, count=6, threads=1):
    """The losses, and all parameters, after some steps of machine code, in that order without zeros, or dense."""
    minidl.seed(1)
    layers = []
    for width, after in zip((data.inputs.shape[1], *sizes), (*sizes, 10), strict=True):
        layers += [nn.Dense(width, after), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = rule(model.parameters())
    step = minidl.compile(model, nn.softmax_cross_entropy, optimizer)
    numbers = np.random.default_rng(0).integers(0, len(data), count * batch)
    with computing(threads):
        bound = step.bound(batch, data.inputs, data.labels)
        found = bound.order_without_zeros(data.inputs) if order == "found" else order
        machine = bound.native(data.inputs, data.labels, found)
        losses = machine.run(numbers, count)[0].copy()
    return losses, np.concatenate([p.numpy().ravel() for p in model.parameters()]), found


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
def test_the_results_are_those_of_the_dense_step_in_any_order(width, kind, share, hidden, batch, rule, seed):
    """To rounding, if they add up straight on, or begin anew somewhere."""
    data = bag(width, kind, share, seed)
    cuts = Order((width // 2,) if width > 2 else (), (batch // 2,) if batch > 2 else ())
    anew = Order(grouped=True) if batch == 1 else cuts
    dense, *others = (steps(data, order, hidden, rule, batch, count=2) for order in (None, STRAIGHT, anew))
    for losses, weights, _ in others:
        np.testing.assert_allclose(losses, dense[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(weights, dense[1], rtol=1e-3, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(2, 900),
    kind=st.sampled_from(["pixels", "floats"]),
    share=st.sampled_from([0.0, 0.02, 0.2]),
    hidden=st.sampled_from([64, 65, 96, 128, 200, 256]),
    batch=st.sampled_from([1, 2, 3, 8, 31, 64, 129, 200]),
    seed=st.integers(0, 9),
)
@example(width=256, kind="pixels", share=0.02, hidden=65, batch=1, seed=2)  # the last of 65 has an order of its own
@example(width=17, kind="pixels", share=0.2, hidden=66, batch=1, seed=0)
def test_zeros_are_passed_over_to_the_very_bits_of_the_dense_step(width, kind, share, hidden, batch, seed):
    data = bag(width, kind, share, seed)
    dense, sparse = (steps(data, order, [hidden], optim.Momentum, batch) for order in (None, "found"))
    assert sparse[0].tobytes() == dense[0].tobytes()
    assert sparse[1].tobytes() == dense[1].tobytes()


@pytest.mark.parametrize(
    ("sizes", "batch", "rule"),
    [((128,), 32, optim.Momentum), ((512, 256), 128, optim.Adam), ((64,), 256, optim.Adam), ((256,), 1, optim.SGD)],
)
def test_digits_train_to_the_bits_of_the_dense_step_on_one_thread_and_on_two(digits, sizes, batch, rule):
    if blas_threads() is None:
        pytest.skip("this NumPy does not use OpenBLAS, so there is no second thread")
    dense = steps(digits, None, sizes, rule, batch, count=40)
    for threads in (1, 2):
        sparse = steps(digits, "found", sizes, rule, batch, count=40, threads=threads)
        assert sparse[0].tobytes() == dense[0].tobytes()
        assert sparse[1].tobytes() == dense[1].tobytes()
    if kernel() in ("Haswell", "SkylakeX"):  # on others their order may be known one day
        assert sparse[2] is not None


@pytest.mark.slow
@pytest.mark.skipif(kernel() != "SkylakeX", reason="this processor is not asked for another one's order")
def test_the_order_of_another_processor_is_found_as_well():
    """OpenBLAS as it is with AVX2, which adds up in another order and by twos at the rims of a matrix."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_sparse import bag, kernel, optim, steps\n"
        "assert kernel() == 'Haswell'\n"
        "for batch, width, hidden in ((32, 784, 128), (100, 784, 300), (128, 300, 64), (200, 500, 96), (1, 784, 128)):\n"
        "    data = bag(width, 'pixels', 0.2, 0)\n"
        "    dense, sparse = (steps(data, order, [hidden], optim.Adam, batch) for order in (None, 'found'))\n"
        "    assert sparse[2] is not None, (batch, width, hidden)\n"
        "    assert [a.tobytes() for a in sparse[:2]] == [a.tobytes() for a in dense[:2]]\n"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_order_that_is_not_openblas_s_is_found_out(digits, monkeypatch):
    """Whatever the order is thought to be: if it gives other bits than the dense products, zeros are not passed over."""
    zeros._tried.cache_clear()
    monkeypatch.setattr(zeros, "likely_order", lambda *shape: Order((8, 16, 24)))
    assert steps(digits, "found", (128,), optim.SGD, 32, count=1)[2] is None
    zeros._tried.cache_clear()


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


def run(data, folder=None, stop=None, hidden=64, epochs=8, batch=50, **options):
    """The losses of a `fit` and its weights' bytes."""
    minidl.seed(2)
    model = nn.Sequential(nn.Dense(data.inputs.shape[1], hidden), nn.ReLU(), nn.Dropout(0.1), nn.Dense(hidden, 10))
    optimizer = optim.Adam(model.parameters(), lr=optim.schedules.cosine(2e-3, 360))
    callbacks = [*([Stop(stop)] if stop else []), *options.pop("callbacks", [])]
    options |= {"checkpoint": Checkpoint(folder, 7), "resume": True} if folder else {}
    settings = {"optimizer": optimizer, "epochs": epochs, "progress": False, "callbacks": callbacks} | options
    try:
        history = fit(model, Loader(data, batch), **settings)
    except KeyError:
        return None
    return [row["loss"] for row in history.rows], [p.numpy().tobytes() for p in model.parameters()]


@pytest.mark.slow
def test_fit_passes_over_zeros_by_itself_where_that_pays(digits, monkeypatch):
    dense = Dataset(digits.inputs.astype(np.float32) / 255 + 1, digits.labels)
    seen = []
    monkeypatch.setattr(executor, "Assembler", lambda program, inputs, labels, order: (
        seen.append(order is not None) or Assembler(program, inputs, labels, order)))  # fmt: skip
    monkeypatch.setattr(zeros, "_tried", lambda *shape: STRAIGHT)  # whatever this machine's order is
    monkeypatch.setattr(
        kernels.eager, "_products", SimpleNamespace(found=None, look=bool)
    )  # eager steps would keep that order
    for data, options, expected in (
        (digits, {}, [True]),
        (dense, {}, [False]),
        (digits, {"hidden": 16}, [False]),
        (digits, {"on_nonfinite": "continue"}, [False]),  # 0 times infinity is not to be passed over
        (digits, {"compile": False}, []),
    ):
        seen.clear()
        run(data, guards=False, **options)
        assert seen == expected, options


def test_an_interrupted_run_goes_on_to_the_bits_of_one_that_was_not(digits, tmp_path):
    whole = run(digits)
    assert run(digits) == whole
    assert run(digits, tmp_path, stop=201) is None
    assert (tmp_path / "step-00000196.safetensors").exists()
    assert run(digits, tmp_path) == whole


@pytest.mark.slow
def test_the_first_run_after_an_installation_and_all_later_ones_give_the_same_bits(digits, tmp_path):
    """With an empty cache, with machine code, without it from some step on, and without a program at all."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from test_sparse import mnist, run\n"
        "run(mnist()[0][:3000], Path(sys.argv[2]), stop=201)"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path / "cold")]
    empty = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run(command, env=empty, capture_output=True, text=True, check=True)
    whole = run(digits)
    assert run(digits, tmp_path / "cold") == whole  # begun without machine code
    run(digits, tmp_path / "warm", stop=201)
    assert run(digits, tmp_path / "warm", compile=False) == whole  # begun with it
    assert run(digits, compile=False) == whole


@pytest.mark.slow
def test_a_run_that_an_older_minidl_began_goes_on_in_its_order_or_says_that_it_cannot(digits, tmp_path):
    """That added up straight on, passing over zeros; so it said in its checkpoints."""
    run(digits, tmp_path / "run", stop=201)
    file = max((tmp_path / "run").glob("step-*.safetensors"))
    arrays, content = read_archive(file, "run")
    content.pop("sha256", None)
    del content["run"]["straight"], content["run"]["made"]
    write_archive(file, "run", arrays, content | {"run": content["run"] | {"sparse": True}})
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    losses, _ = run(digits, tmp_path / "run")
    assert losses != run(digits)[0]
    np.testing.assert_allclose(losses, run(digits)[0], rtol=1e-2)
    with pytest.warns(UserWarning, match="may differ in their last digits"):
        losses, _ = run(digits, tmp_path / "other", compile=False)
    np.testing.assert_allclose(losses, run(digits)[0], rtol=1e-2)


@pytest.mark.slow
def test_a_batch_that_is_left_out_leaves_the_same_bits_whenever_it_is_noticed(digits, monkeypatch):
    """The stretches between two looks depend on the clock; what comes of them does not."""
    inputs = digits.inputs.astype(np.float32) / 255
    inputs[1234, 400] = np.inf
    data = Dataset(inputs, digits.labels)
    results = []
    for keep, callbacks in ((1e9, []), (0.0, [Look()])):
        monkeypatch.setattr(nonfinite, "BLOCK_SECONDS", keep)
        results.append(run(data, callbacks=callbacks, on_nonfinite="skip", guards=False))
    assert results[0] == results[1]


def test_machine_code_scales_pixels_as_the_loader_does():
    assert dense.PIXEL == PIXEL
    assert dense.PIXEL.dtype == PIXEL.dtype


def test_what_is_kept_needs_neither_numba_nor_the_interpreter(tmp_path):
    """The object files call nothing that is Numba's or Python's: whatever they miss would be a crash, not an error."""
    tool = shutil.which("nm")
    if tool is None:
        pytest.skip("there is no nm to list symbols with")
    for file in needed(optim.Adam(WEIGHT)):
        kept = store.home() / objects.object_name(file)
        missing = subprocess.run([tool, "-u", kept], capture_output=True, text=True, check=True).stdout.split()
        assert set(missing) - {"U"} <= {"_GLOBAL_OFFSET_TABLE_", "memset", "memcpy", "memmove"}
