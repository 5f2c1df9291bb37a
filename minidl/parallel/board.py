"""What each rank of a machine is doing, in memory that its ranks share, and that `minidl train --ranks` reads too."""

import os
import tempfile
from pathlib import Path

import numpy as np

TEXT = 4096  # bytes behind the table, for the command that goes on with the run
BOARD = "MINIDL_BOARD"  # the environment variable that names the file, where there is one already
COLUMNS = PID, STEP, CALLS, WAITING, SAVED, LEFT, FIRST = tuple(range(7))
ROW = 8 * len(COLUMNS)  # bytes


def new_board(size: int) -> Path:
    """A file for so many ranks, in memory where the system has a place for such files."""
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    handle, path = tempfile.mkstemp(prefix="minidl-", dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(bytes(ROW * size + TEXT))
    return Path(path)


def open_board(path: str | Path, size: int) -> np.ndarray:
    """The table in such a file: a row for each rank; those of ranks on other machines stay zero.

    Columns: the process, its step, how many messages it has begun, whether it waits in one, one more than the step
    that was saved last, whether the process has left, and its step when a call of machine code began.
    """
    return np.memmap(path, np.int64, "r+", shape=(size, len(COLUMNS)))


def write_remedy(path: str | Path, size: int, remedy: str) -> None:
    """Write the command that goes on with the run, for whoever has launched the ranks."""
    with open(path, "r+b") as file:
        file.seek(ROW * size)
        file.write(remedy.encode()[: TEXT - 1] + bytes(1))


def remedy_in(path: str | Path, size: int) -> str:
    """What `write_remedy` has written; "" if it has not."""
    return Path(path).read_bytes()[ROW * size :].partition(bytes(1))[0].decode(errors="replace")
