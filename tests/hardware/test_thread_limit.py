"""How many threads minidl's calls may use: what a program, a block and the environment say of it, and who decides."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import minidl
from minidl.errors import OptionError
from minidl.hardware.arithmetic import computing
from minidl.hardware.threads import CORES, allowed_threads, blas_threads, use_blas_threads

needs_openblas = pytest.mark.skipif(blas_threads() is None, reason="this NumPy does not use OpenBLAS")


def test_the_number_of_threads_holds_for_a_block_a_function_or_from_here_on():
    with computing():
        before = allowed_threads()
        with minidl.threads(5) as chosen:
            assert (chosen.n, allowed_threads()) == (5, 5)
            with minidl.threads(1):
                assert allowed_threads() == 1
            assert allowed_threads() == 5
            minidl.threads(3)
            assert allowed_threads() == 3
            minidl.threads(5)
        assert allowed_threads() == before

        @minidl.threads(4)
        def function():
            return allowed_threads()

        assert (function(), allowed_threads()) == (4, before)


def in_another_thread(call):
    """What a call returns there."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_the_number_is_that_of_all_threads_and_set_back_after_an_error():
    with use_blas_threads(2):
        with pytest.raises(ZeroDivisionError), minidl.threads(7):
            [1 / 0 for number in [in_another_thread(allowed_threads)] if number == 7]
        assert allowed_threads() == 2


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2", None])
def test_a_number_of_threads_that_is_none_is_refused_and_changes_nothing(count):
    with minidl.threads(5):
        with pytest.raises(OptionError, match="threads: n must be an integer of at least 1, got"):
            minidl.threads(count)
        assert allowed_threads() == 5


def run(program, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    return subprocess.run(
        [sys.executable, "-c", program], env=kept | environment, capture_output=True, text=True, timeout=60
    )


LOOP = """
import threading, numpy as np, minidl
from minidl import data, nn, optim, train
{}
model, x = nn.Dense(784, 512), np.ones((256, 784), np.float32)
def own(): model(x)
def fit(threads=None):
    optimizer, digits = optim.SGD(model.parameters()), data.Dataset(x, np.zeros(256, int))
    train.fit(model, digits, optimizer=optimizer, epochs=1, batch_size=256, progress=False, threads=threads,
              compile=False, guards=False)
{}
print(sum(t.name == "minidl-assistant" for t in threading.enumerate()) + 1)
"""


@pytest.mark.slow
@needs_openblas
@pytest.mark.parametrize(
    ("environment", "before", "call", "expected"),
    [
        ({"OPENBLAS_NUM_THREADS": "1"}, "", "own()", 1),
        ({"OPENBLAS_NUM_THREADS": "1"}, "", "fit()", 1),
        pytest.param(
            {"OPENBLAS_NUM_THREADS": "2"}, "", "own()", 2, marks=pytest.mark.skipif(CORES < 2, reason="a single core")
        ),
        ({"OPENBLAS_NUM_THREADS": "1", "MINIDL_THREADS": "2"}, "", "own()", 2),
        ({"OPENBLAS_NUM_THREADS": "2", "MINIDL_THREADS": "1"}, "", "own()", 1),
        ({"MINIDL_THREADS": "1"}, "minidl.threads(2)", "own()", 2),
        ({"MINIDL_THREADS": "2"}, "minidl.threads(1)", "own()", 1),
        ({"MINIDL_THREADS": "2"}, "minidl.threads(1)", "fit()", 1),
        ({"MINIDL_THREADS": "1"}, "minidl.threads(1)", "fit(threads=2)", 2),
        ({"MINIDL_THREADS": "2"}, "minidl.threads(2)", "fit(threads=1)", 1),
        ({"MINIDL_THREADS": "", "OPENBLAS_NUM_THREADS": "1"}, "", "own()", 1),
    ],
)
def test_what_was_said_last_and_nearest_decides_the_number_and_python_ends(environment, before, call, expected):
    result = run(LOOP.format(before, call), **environment)
    assert (result.stdout, result.stderr, result.returncode) == (f"{expected}\n", "", 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MINIDL_THREADS", "OPENBLAS_NUM_THREADS"])
@pytest.mark.parametrize("value", ["two", "0", "-1", "1.5"])
def test_a_bad_number_in_the_environment_is_named(name, value):
    result = run("import minidl", **{name: value})
    shown = "0" if value == "0" else f"'{value}'"
    expected = f"minidl.errors.OptionError: {name} must be an integer of at least 1, got {shown}"
    assert result.stderr.splitlines()[-1] == expected


@needs_openblas
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_while_another_thread_computes_has_openblas_threads_of_its_own():
    """Of the thread that computes there is nothing left in it."""
    program = (
        "import os, threading, numpy as np\n"
        "from minidl import nn\n"
        "from minidl.hardware.threads import blas_threads\n"
        "begun, end = threading.Event(), threading.Event()\n"
        "class Waits(nn.Module):\n"
        "    def forward(self, x): begun.set(); end.wait(); return x\n"
        "before = blas_threads()\n"
        "thread = threading.Thread(target=lambda: Waits()(np.zeros((2, 2), 'f')))\n"
        "thread.start(); begun.wait()\n"
        "assert blas_threads() == 1\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(blas_threads())\n"
        "status = os.waitpid(child, 0)[1]\n"
        "end.set(); thread.join()\n"
        "print(before, os.waitstatus_to_exitcode(status), blas_threads())\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, env=environment
    )
    before, child, after = done.stdout.split()
    assert before == child == after
