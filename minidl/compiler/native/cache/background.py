"""Compilation in the background: machine code is used at once if cached, else when it is done.

Numba takes some ten seconds to compile the interpreter, once per installation, and one for an
optimizer's loop. No training waits for it: a child process (child.py) compiles beside the first run
that is long enough to gain from it. What could not be compiled is not tried again for a day, unless
it is asked for.
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
from .objects import NEEDS, Source, cached, home_of, installed, log_name
from .trust import folder

WORTH = 3.0  # seconds of training without machine code that are worth compiling it
PATIENCE = 60.0  # seconds that the child runs at idle priority; if that is not enough, ...
NICE = 5  # ... it restarts with this niceness: a quarter of a core where all are busy
_IDLE = getattr(os, "SCHED_IDLE", None) if CORES > 1 else None
_CHILD = Path(__file__).with_name("child.py")

# Whether a signal has asked this process to end; its children then end with it.
interrupted = False
_compiling: "dict[Source, subprocess.Popen[bytes]]" = {}  # each source's child process
_idle: "dict[subprocess.Popen[bytes], float]" = {}  # children at idle priority, and since when
_lock = threading.RLock()


def ready(sources: Sequence[Source], seconds: float) -> bool:
    """Whether the machine code of these sources is cached.

    If it is not, and training has at least WORTH `seconds` to go without it, a child process begins
    to compile it. Raises `OSError` if none can be started.
    """
    if not installed():
        return False
    missing = [source for source in sources if not cached(source)]
    if missing and seconds >= WORTH and folder() is not None:
        with _lock:
            _restart_starved()
            new = [s for s in missing if s not in _compiling and not failure(s)]
            _begin(new, _IDLE)
    return not missing


def compile_now(sources: Sequence[Source]) -> None:
    """Compile what is not cached, and wait for it. Raises `OSError` if that fails."""
    for _ in compiling(sources):
        pass
    for source in sources:
        if not cached(source):
            log = failure(source).splitlines() or ["the process was ended"]
            raise OSError(
                f"compile: {source.name} could not be compiled: {log[-1]}; see `minidl info`"
            )


def compiling(sources: Sequence[Source]) -> Iterator[tuple[Source, float]]:
    """Compile what is not cached; yields each source when it is done, with the seconds."""
    missing = [source for source in sources if not cached(source)]
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
    """The log of a source that failed to compile within the last day; empty if there is none."""
    return store.log(log_name(source))


def _begin(sources: Sequence[Source], policy: int | None) -> None:
    """Compile these sources in a child process, under a policy of the system's scheduler."""
    if sources:
        process = _process(sources, NICE, policy)
        _compiling.update(dict.fromkeys(sources, process))
        if policy is not None:
            _idle[process] = time.monotonic()


def _restart_starved() -> None:
    """Restart, at a higher priority, children that got too little time from busy cores."""
    now = time.monotonic()
    for process in [process for process, since in _idle.items() if now - since > PATIENCE]:
        del _idle[process]
        if process.poll() is None:
            process.kill()
            process.communicate()
            unfinished = [s for s, by in _compiling.items() if by is process and not cached(s)]
            _begin(unfinished, None)


def _process(
    sources: Sequence[Source], nice: int = 0, policy: int | None = None
) -> "subprocess.Popen[bytes]":
    """A child process that compiles these sources.

    It ends when the pipe to it is closed, unless a byte was written to that before (`_end`).
    """
    if not sys.executable or getattr(sys, "frozen", False):
        raise OSError("compile: there is no Python interpreter to run Numba with")
    # Numba's settings would change the code, but not the name that it has in the cache.
    ours = "NUMBA_", "MINIDL_"
    environment = {k: value for k, value in os.environ.items() if not k.startswith(ours)}
    environment["NUMBA_OPT"] = "0"  # build.py optimises, the whole module at once
    environment["OPENBLAS_NUM_THREADS"] = "1"
    log = store.new_log(log_name(sources[0]))
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-W", "ignore", str(_CHILD)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if nice else subprocess.PIPE,  # read by who waits, if anyone
            stderr=log,
            env=environment,
            cwd=store.home(),  # Numba looks for settings there
            process_group=0 if os.name == "posix" else None,  # Ctrl-C goes to the training alone
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) if nice else 0,
        )
    finally:
        os.close(log)
    request = {
        "path": [*dict.fromkeys(str(home_of(name)) for name in NEEDS)],
        "minidl": str(_CHILD.parents[3] / "__init__.py"),
        "nice": nice,
        "policy": policy,
        "sources": sources,
    }
    _send(process, json.dumps(request).encode() + b"\n")
    return process


def _send(process: "subprocess.Popen[bytes]", what: bytes) -> None:
    """Write to a process that may have ended."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.write(what)


def _let_go() -> None:
    """Close this process's ends of its children's pipes; a child ends when all ends are closed."""
    for process in set(_compiling.values()):
        process.returncode = process.returncode or 0  # nobody waits for it
        if process.stdin is not None:
            process.stdin.close()
    _compiling.clear()
    _idle.clear()


@atexit.register
def _end() -> None:
    """Let the children finish for the next process, unless this one was told to end."""
    if not interrupted and not issubclass(getattr(sys, "last_type", object), KeyboardInterrupt):
        for process in set(_compiling.values()):
            _send(process, b".")
    _let_go()


# A forked process must find the lock open. And it lets go of the children's pipes: as long as it
# held them, the children would not notice that their parent has ended.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
    os.register_at_fork(after_in_child=_let_go)
