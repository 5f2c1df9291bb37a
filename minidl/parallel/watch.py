"""A thread that ends all ranks when one does not come to a message that the others wait in."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .board import CALLS, LEFT, PID, STEP, WAITING

PERIOD = 0.1  # seconds between two looks
CERTAIN = 0.5  # seconds after which a rank that has left is not going to come
TIMES = 20  # the longest step so far may be waited for, if that is more than the deadline


class Watch:
    """Looks whether this rank, number `rank` on the `board`, waits for one that does not come.

    `deadline`: seconds to wait for a rank that is still there; 0 for as long as it takes. `end` is called with the
    ranks of this machine that are late and with what has become of them.
    """

    def __init__(self, board: np.ndarray, rank: int, deadline: float, end: Callable[[list[int], str], None]) -> None:
        self._board, self._rank, self._deadline, self._end = board, rank, deadline, end
        self._mine = board[rank]
        threading.Thread(target=self._look, name="minidl-watch", daemon=True).start()

    def enter(self) -> None:
        """Before a message."""
        self._mine[CALLS] += 1
        self._mine[WAITING] = 1

    def leave(self) -> None:
        """After it."""
        self._mine[WAITING] = 0

    def here(self) -> list[int]:
        """The ranks of this machine."""
        return [int(rank) for rank in np.flatnonzero(self._board[:, PID] > 0)]

    def late(self) -> list[int]:
        """Those that have begun fewer messages than this one."""
        return [rank for rank in self.here() if self._board[rank, CALLS] < self._mine[CALLS]]

    def _gone(self, rank: int, late: bool) -> bool:
        """Whether a rank is not going to come: it was ended, maybe within a message; or has left before this one."""
        if self._board[rank, LEFT]:
            return late
        return not _alive(int(self._board[rank, PID]))

    def someone_waits(self) -> bool:
        """Whether a rank of this machine waits in a message."""
        return bool(self._board[:, WAITING].any())

    def _look(self) -> None:
        # By the board alone, where machine code, which calls MPI itself, notes its messages as well.
        longest, known, since = 0.0, -1, time.monotonic()
        while True:
            time.sleep(PERIOD)
            now, calls = time.monotonic(), int(self._mine[CALLS])
            if calls != known:
                if self._mine[STEP] > 0:  # what comes before the first step takes its time, once
                    longest = max(longest, now - since)
                known, since = calls, now
            waited = now - since
            if waited < CERTAIN or not self._mine[WAITING]:
                continue
            late = self.late()
            gone = [rank for rank in self.here() if self._gone(rank, rank in late)]
            too_long = self._deadline and waited > max(self._deadline, TIMES * longest)
            if gone or too_long:
                what = "has ended" if gone else f"has not come for {waited:.0f} s (deadline)"
                self._tell(
                    gone or late or [rank for rank in self.here() if _stopped(int(self._board[rank, PID]))], what
                )

    def _tell(self, ranks: list[int], what: str) -> None:
        """End all; the first of the ranks that wait says so."""
        if int(np.flatnonzero(self._board[:, WAITING])[0]) != self._rank:
            time.sleep(2 * CERTAIN)
        self._end(ranks, what)


def _stopped(process: int) -> bool:
    """Whether a process has been stopped by a signal, maybe within a message; False where there is no /proc."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
