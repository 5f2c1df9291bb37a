"""A task for the machine: what it is to carry out and where it notes the results, as addresses and sizes (codes.py)."""

import ctypes
import sys
from typing import Any

import numpy as np

from ..optim.flat import aligned
from . import codes
from .program import Array
from .rows import address

_YIELD = getattr(ctypes.CDLL(None), "sched_yield", None) if sys.platform != "win32" else None
_REST = ctypes.cast(_YIELD, ctypes.c_void_p).value if _YIELD else 0  # lets other threads have the processor


def new_board() -> Array:
    """A board, on which two threads share a task."""
    return aligned(codes.BOARD_BYTES // 8, np.int64)


def dismiss(board: Array) -> None:
    """Let the thread that helps with the task of this board come to its end, though that was never begun."""
    board[codes.OFFER // 8] = -1


def written_task(
    code: Array, numbers: Array, rows: Array, steps: int, batch: int, losses: Array, rights: Array, board: Array, *,
    shared: bool,
) -> Array:  # fmt: skip
    """The task of running all of `code` on so many batches of the samples `rows`, by the addresses of them all."""
    board[...] = 0
    given: dict[int, Any] = {
        codes.CODE: address(code), codes.LENGTH: len(code), codes.NUMBERS: address(numbers),
        codes.ROWS: address(rows), codes.STEPS: steps, codes.FIRST: 0, codes.LAST: steps,
        codes.BEGIN: 0, codes.END: len(code), codes.OPEN: 0, codes.GRADIENTS: 0, codes.BATCH: batch,
        codes.LOSSES: address(losses), codes.RIGHTS: address(rights), codes.BOARD: address(board),
        codes.SHARED: shared, codes.REST: _REST,
    }  # fmt: skip
    return np.array([given[place] for place in range(len(given))], np.int64)
