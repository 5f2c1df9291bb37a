"""The process that compiles beside a training: what it imports, when it ends, what it says, and how it gives way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("numba")
from minidl.compiler.native.cache import background, objects
from minidl.hardware.threads import CORES

PACKAGE = Path(objects.__file__).parents[3]
SHORT = 'SOURCE = objects.Source("update", "def update(a, b, c, d):\\n    pass\\n")\n'
WRONG = 'SOURCE = objects.Source("update", "def update(a, b, c, d):\\n    return unheard_of(a)\\n")\n'
LONG = "SOURCE = objects.MACHINE\n"
START = "import sys, time; sys.path.insert(0, {path!r})\nfrom minidl.compiler.native.cache import background, objects\n"
BEGIN = "background.ready([SOURCE], 60.0)\nprocess = background._compiling[SOURCE]\nprint(process.pid, flush=True)\n"


@pytest.fixture
def environment(tmp_path):
    """That of a user with an empty cache."""
    names = ("PATH", "LANG", "OPENBLAS_NUM_THREADS")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}


def start(program, environment, **options):
    """A process that is not itself led to import from where it stands."""
    command = [sys.executable, "-P", "-W", "error", "-c", START.format(path=str(PACKAGE.parent)) + program]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, **options)


def run(program, environment, code=0, **options):
    process = start(program, environment, **options)
    printed, errors = process.communicate(timeout=600)
    assert process.returncode == code, printed + errors
    return printed


def files(environment, kind):
    return sorted(Path(environment["XDG_CACHE_HOME"], "minidl").glob(f"*.{kind}"))


def running(number):
    """Whether a process goes on: one that has ended may still wait for somebody to notice."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def comes_true(condition, seconds=300.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


# what it imports


@pytest.mark.slow
def test_nothing_in_the_working_folder_is_imported_or_read(tmp_path, environment):
    """Not under any of the ways in which a folder comes to be on Python's path."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("hashlib", "json", "random", "numba", "llvmlite", "numpy", "minidl", "faulthandler", "sitecustomize"):
        trap = f"open({str(tmp_path / name)!r} + '.imported', 'w').close()\nraise ImportError('the wrong {name}')\n"
        (folder / f"{name}.py").write_text(trap)
    (folder / ".numba_config.yaml").write_text("{")
    program = (
        "import os, llvmlite.binding\n"
        "os.environ |= {'PYTHONPATH': f':.:{os.getcwd()}', 'NUMBA_DISABLE_JIT': '1', 'MINIDL_BACKEND': 'cupy'}\n"
        "sys.path[:0] = ['', '.', os.getcwd()]\n"
        "background.compile_now([SOURCE])\nprint(objects.cached(SOURCE))"
    )
    assert run(SHORT + program, environment, cwd=folder) == "True\n"
    assert not list(tmp_path.glob("*.imported"))


@pytest.mark.slow
def test_a_rules_source_is_handed_over_and_not_read_from_a_file(environment):
    run(SHORT + "background.compile_now([SOURCE])", environment)
    assert not list(Path(environment["XDG_CACHE_HOME"]).rglob("*.py"))
    assert len(files(environment, "o")) == 1


# when it ends


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_a_process_that_is_killed(environment, how):
    parent = start(LONG + BEGIN + "time.sleep(60)", environment)
    child = int(parent.stdout.readline())
    assert running(child)
    parent.send_signal(how)
    parent.communicate()
    assert comes_true(lambda: not running(child), 30)
    assert not files(environment, "o")


@pytest.mark.slow
def test_it_ends_with_a_training_that_a_signal_stops_between_two_steps(environment):
    program = (
        "import signal\nfrom minidl.train.signals import deferring\n"
        "with deferring(signal.SIGTERM):\n    print('listening', flush=True)\n    time.sleep(2)\n"
    )
    parent = start(LONG + BEGIN + program, environment)
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "listening\n"
    parent.send_signal(signal.SIGTERM)
    parent.communicate()
    assert parent.returncode == 128 + signal.SIGTERM
    assert comes_true(lambda: not running(child), 30)
    assert not files(environment, "o")


@pytest.mark.slow
def test_after_a_short_training_that_ended_by_itself_the_next_finds_its_work(environment):
    child = int(run(SHORT + BEGIN, environment))
    assert comes_true(lambda: not running(child))
    assert run(SHORT + "print(background.ready([SOURCE], 0.0))", environment) == "True\n"


def test_it_ends_with_its_parent_although_a_fork_of_that_lives_on(environment):
    program = (
        "import os\nif os.fork() == 0:\n    os.close(1); os.close(2); time.sleep(40); os._exit(0)\ntime.sleep(60)\n"
    )
    parent = start(LONG + BEGIN + program, environment)
    child = int(parent.stdout.readline())
    time.sleep(0.3)
    parent.kill()
    parent.communicate()
    assert comes_true(lambda: not running(child), 30)


# what it says


@pytest.mark.slow
def test_what_cannot_be_compiled_is_told_and_not_tried_again_by_itself(environment):
    tried = "background.ready([SOURCE], 60.0); print(len(background._compiling))\n"
    wait = "for process in background._compiling.values(): process.wait()\n"
    assert run(WRONG + tried + wait, environment) == "1\n"
    (log,) = files(environment, "log")
    assert "unheard_of" in log.read_text()
    assert run(WRONG + tried + wait, environment) == "0\n"
    asked = "try: background.compile_now([SOURCE])\nexcept OSError as error: print(error)"
    assert "update could not be compiled: " in run(WRONG + asked, environment)
    os.utime(log, (time.time() - 2 * 24 * 3600,) * 2)
    assert run(WRONG + tried + wait, environment) == "1\n"


def test_what_crashes_the_compiler_is_told_too(environment):
    crash = "import ctypes\nctypes.string_at(0)\ndef update(a, b):\n    pass\n"
    program = f'SOURCE = objects.Source("update", {crash!r})\n' + (
        "try: background.compile_now([SOURCE])\nexcept OSError as error: print(error)\n"
        "print('Segmentation fault' in background.failure(SOURCE), background.ready([SOURCE], 60.0), len(background._compiling))"
    )
    assert run(program, environment).endswith("True False 0\n")


def test_without_an_interpreter_to_start_numpy_goes_on(environment):
    """As in a program that was frozen into one file: starting that again would not compile anything."""
    program = "sys.frozen = True\ntry: background.ready([SOURCE], 60.0)\nexcept OSError as error: print(error)"
    assert "no Python interpreter" in run(SHORT + program, environment)


# how it gives way


@pytest.mark.slow
@pytest.mark.skipif(CORES < 2 or not hasattr(os, "SCHED_IDLE"), reason="needs Linux, and two cores")
def test_it_has_only_the_time_that_others_leave_and_a_little_of_its_own_if_that_is_too_little(environment):
    program = (
        "import os\nbackground.PATIENCE = 1.0\n"
        "def seen():\n"
        "    time.sleep(0.5)\n"
        "    number = background._compiling[SOURCE].pid\n"
        "    nicer = os.getpriority(os.PRIO_PROCESS, number) - os.getpriority(os.PRIO_PROCESS, 0)\n"
        "    print(os.sched_getscheduler(number) == os.SCHED_IDLE, nicer)\n"
        "background.ready([SOURCE], 60.0); seen()\ntime.sleep(1)\n"
        "background.ready([SOURCE], 60.0); seen()\ntime.sleep(1)\n"
        "background.ready([SOURCE], 60.0); seen()\nbackground.interrupted = True"
    )
    nicer = min(background.NICE, 19 - os.getpriority(os.PRIO_PROCESS, 0))
    assert run(LONG + program, environment).splitlines() == [f"True {nicer}", *[f"False {nicer}"] * 2]


@pytest.mark.slow
def test_what_found_no_time_in_its_first_minute_is_compiled_all_the_same(environment):
    program = (
        "import os\nbackground.PATIENCE = 0.2\n"
        "background.ready([SOURCE], 60.0); first = background._compiling[SOURCE]\ntime.sleep(0.3)\n"
        "background.ready([SOURCE], 60.0); second = background._compiling[SOURCE]\n"
        "second.wait()\nprint(first is second, first.returncode, background.ready([SOURCE], 60.0))"
    )
    assert run(SHORT + program, environment) == f"False {-signal.SIGKILL} True\n"


@pytest.mark.slow
def test_two_processes_that_compile_the_same_at_once_both_have_it(environment):
    program = SHORT + (
        "seconds = sum(took for _, took in background.compiling([SOURCE]))\nassert objects.load(SOURCE)\nprint(seconds)"
    )
    both = [start(program, environment) for _ in range(2)]
    waited, took = sorted(float(process.communicate(timeout=600)[0]) for process in both)
    assert waited < took / 2  # it was compiled once
    assert len(files(environment, "o")) == 1
    assert not files(environment, "log")


@pytest.mark.slow
def test_a_link_where_a_lock_once_was_is_left_alone(tmp_path, environment):
    victim, place = tmp_path / "victim", tmp_path / "cache" / "minidl"
    victim.write_text("mine")
    place.mkdir(parents=True, mode=0o700)
    (place / "compiling.lock").symlink_to(victim)
    run(SHORT + "background.compile_now([SOURCE])", environment)
    assert victim.read_text() == "mine"
