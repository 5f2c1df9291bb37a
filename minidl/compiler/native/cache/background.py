"""When to use machine code: if it is there, at once; if it has yet to be compiled, from when that is done.

Numba takes some ten seconds to compile the machine, once per installation, and one for an optimizer's loop. No training
waits for it: that happens in a process beside the first run that is long enough to gain from it (child.py). What could
not be compiled is not tried again for a day, unless it is asked for.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ....hardware.threads import CORES
from . import store
from .objects import NEEDS, Source, home_of, installed, log_name, there
from .trust import folder

WORTH = 3.0  # seconds of training to go, without machine code, from which on it is worth compiling
PATIENCE = 60.0  # seconds in which it is compiled with what time all others leave, if that is enough
NICE = 5  # after that, or where a system knows no such time: a quarter of a core where all are taken
_IDLE = getattr(os, "SCHED_IDLE", None) if CORES > 1 else None
_CHILD = Path(__file__).with_name("child.py")

interrupted = False  # whether a signal has asked this process to end: what it has started then ends with it
_compiling: "dict[Source, subprocess.Popen[bytes]]" = {}  # the process that was told to compile a source
_idle: "dict[subprocess.Popen[bytes], float]" = {}  # those that have only time that is left, and since when
_lock = threading.RLock()


def ready(sources: Sequence[Source], seconds: float) -> bool:
    """Whether the machine code of these sources is there, for training that has so many `seconds` to go without it.

    If it is not, and they are worth it, a process beside this one begins to compile it. Raises `OSError` if none can
    be started.
    """
    if not installed():
        return False
    missing = [source for source in sources if not there(source)]
    if missing and seconds >= WORTH and folder() is not None:
        with _lock:
            _hurry()
            _begin([source for source in missing if source not in _compiling and not failure(source)], _IDLE)
    return not missing


def compile_now(sources: Sequence[Source]) -> None:
    """See to it that the machine code of these sources is there. Raises `OSError` if it could not be compiled."""
    for _ in compiling(sources):
        pass
    for source in sources:
        if not there(source):
            told = failure(source).splitlines() or ["the process was ended"]
            raise OSError(f"compile: {source.name} could not be compiled: {told[-1]}; see `minidl info`")


def compiling(sources: Sequence[Source]) -> Iterator[tuple[Source, float]]:
    """Compile what is missing of these sources: each one when it is done, and the seconds that it took."""
    missing = [source for source in sources if not there(source)]
    if not missing:
        return
    process = _process(missing)
    try:
        assert process.stdout is not None
        yield from zip(missing, map(float, process.stdout), strict=False)
        process.wait()
    finally:
        process.kill()
        process.communicate()


def failure(source: Source) -> str:
    """What was said, here and within a day, when a source could not be compiled."""
    return store.log(log_name(source))


def _begin(sources: Sequence[Source], policy: int | None) -> None:
    """Compile these sources beside what this process does, under a policy of the system's scheduler."""
    if sources:
        process = _process(sources, NICE, policy)
        _compiling.update(dict.fromkeys(sources, process))
        if policy is not None:
            _idle[process] = time.monotonic()


def _hurry() -> None:
    """Begin again, a little more urgently, what found too little time: two busy programs may leave none at all."""
    for process in [process for process, since in _idle.items() if time.monotonic() - since > PATIENCE]:
        del _idle[process]
        if process.poll() is None:
            process.kill()
            process.communicate()
            _begin([source for source, by in _compiling.items() if by is process and not there(source)], None)


def _process(sources: Sequence[Source], nice: int = 0, policy: int | None = None) -> "subprocess.Popen[bytes]":
    """A process that compiles these sources, for as long as the pipe to it stays open; with a word in it, longer."""
    if not sys.executable or getattr(sys, "frozen", False):
        raise OSError("compile: there is no Python interpreter to run Numba with")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "MINIDL_"))}
    environment |= {"NUMBA_OPT": "0", "OPENBLAS_NUM_THREADS": "1"}  # `build` has it optimised, as a whole
    log = store.new_log(log_name(sources[0]))
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-W", "ignore", str(_CHILD)],
            bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL if nice else subprocess.PIPE, stderr=log,
            env=environment, cwd=store.home(),  # Numba reads its settings there
            process_group=0 if os.name == "posix" else None,  # Ctrl-C is for the training, which ends this
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) if nice else 0,
        )  # fmt: skip
    finally:
        os.close(log)
    homes = dict.fromkeys(str(home_of(name)) for name in NEEDS)
    told = {"path": [*homes], "minidl": str(_CHILD.parents[3] / "__init__.py"), "nice": nice, "policy": policy}
    told["sources"] = sources
    _say(process, json.dumps(told).encode() + b"\n")
    return process


def _say(process: "subprocess.Popen[bytes]", what: bytes) -> None:
    """Write to a process that may have ended."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.write(what)


def _leave() -> None:
    """Let go of what this process has started: whoever holds the other end of a pipe keeps it going."""
    for process in set(_compiling.values()):
        process.returncode = process.returncode or 0  # it is nobody's to wait for
        if process.stdin is not None:
            process.stdin.close()
    _compiling.clear()
    _idle.clear()


@atexit.register
def _end() -> None:
    """Let what is being compiled be there for the next process, unless this one was told to end."""
    if not interrupted and getattr(sys, "last_type", None) is not KeyboardInterrupt:
        for process in set(_compiling.values()):
            _say(process, b".")
    _leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
    os.register_at_fork(after_in_child=_leave)
