"""``minidl train --ranks``: starting the ranks of one machine, and saying what has become of them."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError, OptionError
from ..hardware.threads import CORES
from ..system.terminal import tell
from .board import BOARD, LEFT, PID, SAVED, STEP, new_board, open_board, remedy_in

PATIENCE = 8.0  # seconds that ranks have to save and end, once a signal has asked them to
_RULE = re.compile(rb"=+\s*")
_PROCESS, _SIGNAL = re.compile(rb"PID (\d+) RUNNING"), re.compile(rb"\(signal (\d+)\)")  # as MPICH's mpiexec has it
# What that says of a rank that has ended, in lines of their own.
_NOISE = re.compile(rb"=   |YOUR APPLICATION TERM|This typically refers|Please see the FAQ|Abort\(\d+\) on node")


def launch(ranks: int, arguments: Sequence[str], oversubscribe: bool, bound: bool) -> int:
    """Execute ``minidl train`` with these arguments by so many processes of this machine; returns the exit status.

    `bound`: keep each on a core of its own. Raises `OptionError` for more ranks than cores, unless `oversubscribe`;
    `MissingExtraError` where there is no mpiexec.
    """
    if ranks > CORES and not oversubscribe:
        raise OptionError(
            f"--ranks {ranks}: there are {CORES} cores, and ranks that share one wait for each other: give --ranks "
            f"{CORES}, or --oversubscribe to insist"
        )
    board = new_board(ranks)
    own = _without_launching(arguments)
    binding = ["-bind-to", "core"] if bound and ranks <= CORES else []
    command = [_mpiexec(), "-n", str(ranks), *binding, sys.executable, "-m", "minidl", "train", "--parallel", *own]
    environment = {**os.environ, BOARD: str(board), "PYTHONUNBUFFERED": "1"}
    try:
        # In a session of its own: Ctrl-C is for rank 0, which sees to it that all save and end.
        table = open_board(board, ranks)
        running: list[subprocess.Popen[bytes]] = []
        pipes: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        with (
            _passing_on(running, table) as asked,
            subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as started,
        ):
            running.append(started)
            if asked:  # before there was anybody to pass it on to
                started.terminate()
            process, number = _shown(started.stdout)
        status = started.returncode if started.returncode >= 0 else 128 - started.returncode
        vanished = status == 0 and not table[:, LEFT].all()  # which mpiexec thinks nothing of
        if asked and status:
            return 128 + asked[0]
        if number is not None or vanished:
            _tell_end(table, process, number, remedy_in(board, ranks))
        return status or int(vanished)
    finally:
        board.unlink()


def _without_launching(arguments: Sequence[str]) -> list[str]:
    """The arguments of each rank: all but those that tell how to start them."""
    kept, skip = [], False
    for argument in arguments:
        if not skip and argument not in ("--ranks", "--oversubscribe") and not argument.startswith("--ranks="):
            kept.append(argument)
        skip = argument == "--ranks"
    return kept


def _mpiexec() -> str:
    """The mpiexec of this Python's environment, else the first on the path."""
    found = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    if found is None:
        raise MissingExtraError("--ranks needs an MPI: pip install 'minidl[mpi]', or the machine's own, with mpiexec")
    return found


@contextmanager
def _passing_on(running: list[subprocess.Popen[bytes]], table: Any) -> Iterator[list[int]]:
    """Within the block a signal goes to rank 0; if all have not ended in time, or with a second one, to mpiexec.

    `running`: mpiexec, once it has been started. Yields the signals that have come.
    """
    asked: list[int] = []

    def pass_on(number: int, frame: Any) -> None:
        process = int(table[0, PID])
        asked.append(number)
        if len(asked) > 1 or not process:
            for started in running:
                started.terminate()
            return
        with suppress(ProcessLookupError):  # it has just ended, and so will mpiexec
            os.kill(process, number)
        timer = threading.Timer(PATIENCE, running[0].terminate)
        timer.daemon = True
        timer.start()

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _shown(output: Any) -> tuple[int, int | None]:
    """Show what the ranks print; returns what mpiexec says of one that a signal has ended: its process, the signal."""
    process, number, blank = 0, None, b""
    for line in output:
        if _RULE.fullmatch(line) or _NOISE.match(line):
            found = _PROCESS.search(line)
            process = int(found[1]) if found else process
            found = _SIGNAL.search(line)
            number = int(found[1]) if found else number
            blank = b""  # the report begins with one
        elif not line.strip():
            blank += line
        else:
            sys.stdout.buffer.write(blank + line)
            sys.stdout.flush()
            blank = b""
    sys.stdout.buffer.write(blank)
    sys.stdout.flush()
    return process, number


def _tell_end(table: Any, process: int, number: int | None, again: str) -> None:
    """Say which rank has ended, by which signal (None: of itself, too early), and how to go on."""
    ranks = [rank for rank in range(len(table)) if table[rank, PID] == process]
    which = f"rank {ranks[0]}" if ranks else "a rank"
    step = int(table[ranks[0] if ranks else 0, STEP]) + 1
    saved = int(table[0, SAVED])
    state = f"saved at step {saved - 1:,}" if saved else "nothing was saved"
    how = "ended too early, without a word" if number is None else f"ended by signal {number}"
    tell(
        f"Error: {which} of {len(table)} ({socket.gethostname()}), in step {step:,}: {how}; {state}"
        + (f"; to go on: {again}" if again else ""),
        error=True,
    )
