"""A task for the machine: what it is to carry out and where it notes the results, as addresses and sizes (codes.py)."""

import ctypes
import sys
from typing import Any

import numpy as np

from ...optim.flat import aligned
from ..program import Array
from .jit import opcodes
from .table import address

_YIELD = getattr(ctypes.CDLL(None), "sched_yield", None) if sys.platform != "win32" else None
_REST = ctypes.cast(_YIELD, ctypes.c_void_p).value if _YIELD else 0  # lets other threads have the processor


def new_board() -> Array:
    """A board, on which two threads share a task."""
    return aligned(opcodes.BOARD_BYTES // 8, np.int64)


def dismiss(board: Array) -> None:
    """Let the thread that helps with the task of this board come to its end, though that was never begun."""
    board[opcodes.OFFER // 8] = -1


def written_task(
    code: Array, numbers: Array, rows: Array, steps: int, batch: int, losses: Array, rights: Array, board: Array, *,
    shared: bool,
) -> Array:  # fmt: skip
    """The task of running all of `code` on so many batches of the samples `rows`, by the addresses of them all."""
    board[...] = 0
    given: dict[int, Any] = {
        opcodes.CODE: address(code), opcodes.LENGTH: len(code), opcodes.NUMBERS: address(numbers),
        opcodes.ROWS: address(rows), opcodes.STEPS: steps, opcodes.FIRST: 0, opcodes.LAST: steps,
        opcodes.BEGIN: 0, opcodes.END: len(code), opcodes.OPEN: 0, opcodes.GRADIENTS: 0, opcodes.BATCH: batch,
        opcodes.LOSSES: address(losses), opcodes.RIGHTS: address(rights), opcodes.BOARD: address(board),
        opcodes.SHARED: shared, opcodes.REST: _REST,
    }  # fmt: skip
    return np.array([given[place] for place in range(len(given))], np.int64)
