"""When to use the machine: at once if it is loaded, or quick to load; if Numba has yet to compile it, later.

Compiling takes Numba some ten seconds, once per installation; then it comes from Numba's cache on disk in less than
one. As the machine's results are those of NumPy's replay, bit for bit, training may begin without it and change
over when it is there.
"""

import functools
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LOADING = 1.5  # seconds that loading from the cache may take: less training than this is not worth it
_compiling: "subprocess.Popen[bytes] | None" = None
_held: list[Any] = []  # the file whose lock says that this process compiles


def loaded() -> bool:
    """Whether the machine is in this process already."""
    return f"{__package__}.machine" in sys.modules


def ready(seconds: float) -> bool:
    """Whether to load the machine now, for training that has so many `seconds` to go without it.

    If it has not been compiled on this computer, that begins, in a process beside this one.
    """
    global _compiling
    if loaded():
        return True
    if seconds < 2 * LOADING or not installed():
        return False
    if _compiling is not None:
        return _compiling.poll() == 0 and cached()
    if cached():
        return True
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    _compiling = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.warm"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    return False


@functools.cache
def installed() -> bool:
    """Whether Numba is there."""
    return importlib.util.find_spec("numba") is not None


def cached() -> bool:
    """Whether Numba's cache holds the machine, by the looks of it: a file that is younger than its source."""
    source = Path(__file__).with_name("machine.py")
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    places = [] if chosen else [source.parent / "__pycache__"]
    root = Path(chosen) if chosen else Path.home() / ".cache" / "numba"
    places += [folder for folder in root.glob("compile_*") if folder.is_dir()]
    index = f"machine.run-*.py{sys.version_info.major}{sys.version_info.minor}.nbi"
    return any(file.stat().st_mtime > source.stat().st_mtime for place in places for file in place.glob(index))


def cache_folder() -> Path:
    """Where minidl keeps what it has compiled: $NUMBA_CACHE_DIR, or ~/.cache/minidl; made if need be."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path.home() / ".cache" / "minidl")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def compile_machine() -> None:
    """Have Numba compile the machine, or load it from its cache; `run` is the last, as `cached` looks for it."""
    import numpy as np

    from . import machine

    empty = np.zeros((0, 1), np.int64)
    none = np.zeros(0, np.int64)
    for function, board in ((machine.assist, np.ones(32, np.int64)), (machine.run, none)):
        function(empty, np.zeros(1, np.float32), empty, np.zeros(0, np.float32), none, board, 0)


def alone() -> bool:
    """Whether no other process is at it; if so, others will find that this one is, until it ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    _held.append(open(cache_folder() / "machine.lock", "w"))  # noqa: SIM115 (open as long as the process lives)
    try:
        fcntl.flock(_held[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)  # training goes first
    if alone():
        compile_machine()
