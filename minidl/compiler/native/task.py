"""A task for the interpreter: what to execute, and where to write the results."""

import ctypes
import sys

import numpy as np

from ...backend import Array
from ...optim.flat import aligned
from .jit.opcodes import MAILBOX_BYTES, OFFER
from .jit.structures import Task
from .table import address

_TASK = np.dtype([(name, np.int64) for name in Task._fields])
# The C library that Python itself is linked with has it; Windows has no such function.
_YIELD = getattr(ctypes.CDLL(None), "sched_yield", None) if sys.platform != "win32" else None
_YIELD_ADDRESS = ctypes.cast(_YIELD, ctypes.c_void_p).value or 0 if _YIELD else 0


def new_mailbox() -> Array:
    """A mailbox, through which two threads share a task."""
    return aligned(MAILBOX_BYTES // 8, np.int64)


def dismiss(mailbox: Array) -> None:
    """Let the thread that assists with this mailbox's task return, even if it never began."""
    mailbox[OFFER // 8] = -1


def new_task(
    *,
    code: Array,
    constants: Array,
    samples: Array,
    steps: int,
    batch: int,
    losses: Array,
    correct: Array,
    mailbox: Array,
    shared: bool,
) -> Array:
    """The task of running all of `code` on `steps` batches of the `samples`, by their addresses.

    Returns an array of dimension 0 with a field for each of `Task`'s. The arrays have to be kept
    alive as long as it is used. Clears the mailbox.
    """
    mailbox[...] = 0
    task = Task(
        code=address(code),
        length=len(code),
        constants=address(constants),
        samples=address(samples),
        steps=steps,
        batch=batch,
        first=0,
        last=steps,
        begin=0,
        end=len(code),
        open=0,
        gradients=0,
        losses=address(losses),
        correct=address(correct),
        mailbox=address(mailbox),
        shared=shared,
        yield_function=_YIELD_ADDRESS,
    )
    return np.array(tuple(task), _TASK)
