"""A training step's operations on arrays, one at a time: a snippet for each, and each shape."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...program import Array, Buffer, Instruction, Program
from ..assembler import Assembler
from ..cache.objects import MACHINE
from ..snippet import Snippet, plain
from .available import available

MOST = 128  # snippets that are kept

Execute = Callable[..., bool]


def operations(seconds: float) -> Execute | None:
    """A function: ``execute(op, out, args, **options)``, as program.py has its instructions.

    It says False, and has done nothing, if one of the arrays is not as machine code reads it. The
    arrays must have the shapes that the operation asks for.

    None if the interpreter has not been compiled yet; `seconds` have been spent without it. Raises
    as `available` does.
    """
    return _Snippets().execute if available(MACHINE, seconds) else None


class _Snippets(threading.local):
    """The snippets of each thread: no two threads may write into a table."""

    def __init__(self) -> None:
        self._made: dict[Any, Snippet] = {}

    def execute(self, op: str, out: Sequence[Array], args: Sequence[Array], **options: Any) -> bool:
        """Execute ``out = op(args, **options)``; whether that was possible."""
        if not plain(*args):
            return False
        key = op, *[a.shape for a in args], *options.values()
        snippet = self._made.get(key)
        if snippet is None:
            if len(self._made) == MOST:  # should the shapes never repeat, forget
                self._made.clear()
            snippet = self._made[key] = _made(op, out, args, options)
        snippet(*out, *args)
        return True


def _made(op: str, out: Sequence[Array], args: Sequence[Array], options: dict[str, Any]) -> Snippet:
    """The snippet of an operation on arrays like these."""
    buffers = [_buffer(f"array {i}", np.empty_like(a)) for i, a in enumerate((*out, *args))]
    results, operands = tuple(buffers[: len(out)]), tuple(buffers[len(out) :])
    x = _buffer("x", np.zeros((1, 1), np.float32), "batch")
    labels = _buffer("labels", np.zeros(1, np.int64), "batch")
    program = Program(
        [
            Instruction("update", (), (x, labels)),  # there is always a batch
            Instruction(op, results, operands, options),
        ]
    )
    assembler = Assembler(program, x.array, labels.array, None)
    _gather, *code = assembler.code
    return Snippet(code, [b.array for b in buffers], assembler)


def _buffer(name: str, array: Array, kind: str = "work") -> Buffer:
    return Buffer(name, array.shape, array.dtype, kind, array)
