"""When to use machine code: if it is there, at once; if it has yet to be compiled, from when that is done.

Numba takes some ten seconds to compile the machine, once per installation, and one for an optimizer's loop. No training
waits for it: that happens in a process beside the first run that is long enough to gain from it.
"""

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..threads import CORES
from .objects import build, cache_folder, installed, object_file

WORTH = 3.0  # seconds of training to go, without machine code, from which on it is worth compiling
_compiling: "dict[Path, subprocess.Popen[bytes]]" = {}  # the process that was told to compile a file


def ready(files: Sequence[Path], seconds: float) -> bool:
    """Whether the machine code of these files is there, for training that has so many `seconds` to go without it.

    If it is not, and they are worth it, a process beside this one begins to compile it.
    """
    if not installed():
        return False
    missing = [file for file in files if not object_file(file).exists()]
    if missing and seconds >= WORTH and not all(file in _compiling for file in missing):
        process = _process(missing)
        with contextlib.suppress(OSError):  # a system may forbid it
            _give_way(process.pid)
        _compiling.update(dict.fromkeys(missing, process))
    return not missing


def compile_now(files: Sequence[Path]) -> None:
    """See to it that the machine code of these files is there. Raises `OSError` if it could not be compiled."""
    missing = [file for file in files if not object_file(file).exists()]
    if missing and _process(missing).wait():
        raise OSError(f"compile: Numba failed; to see how: {shlex.join(_command(missing))}")


def _process(files: Sequence[Path]) -> "subprocess.Popen[bytes]":
    """A process that compiles these files."""
    paths = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_OPT": "0"}  # `build` has them optimised, as a whole
    quiet = subprocess.DEVNULL
    return subprocess.Popen(_command(files), stdin=quiet, stdout=quiet, stderr=quiet, env=environment)


def _give_way(process: int) -> None:
    """Let a process have what training leaves: no time that another wants or, where there is one core, a tenth."""
    if CORES > 1 and hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))
    elif hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, process, 10)


def _command(files: Sequence[Path]) -> list[str]:
    return [sys.executable, "-c", f"from {__name__} import compile_missing; compile_missing()", *map(str, files)]


def compile_missing() -> None:
    """Compile what is missing of the files on the command line, one process at a time."""
    with (cache_folder() / "compiling.lock").open("w") as lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        except ImportError:  # Windows: two may compile the same, to the same result
            pass
        for file in map(Path, sys.argv[1:]):
            if not object_file(file).exists():
                build(file)
