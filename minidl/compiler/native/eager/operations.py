"""A training step's operations on arrays, one at a time: a snippet for each, and each shape."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .... import machine_code
from ....backend import Array
from ....errors import UnsupportedError
from ...program import Buffer, Instruction
from ..cache.objects import MACHINE
from ..layers import Layers
from ..snippet import Snippet, plain
from .available import available

MOST = 128  # snippets that are kept

Execute = Callable[..., bool]


def operations(seconds: float) -> Execute | None:
    """A function: ``execute(op, out, args, **options)``, as program.py has its instructions.

    It says False, and has done nothing, if one of the arrays is not as machine code reads it, or if
    a floating-point error is to be more than a warning. The arrays must have the shapes that the
    operation asks for.

    None if the interpreter has not been compiled yet; `seconds` have been spent without it. Raises
    as `available` does.
    """
    return _Snippets().execute if available(MACHINE, seconds) else None


class _Snippets(threading.local):
    """The snippets of each thread: no two threads may write into a table."""

    def __init__(self) -> None:
        self._made: dict[Any, Snippet | None] = {}  # None: machine code lacks something
        self._busy = False  # a signal's handler that computes may not write into a table in use

    def execute(self, op: str, out: Sequence[Array], args: Sequence[Array], **options: Any) -> bool:
        """Execute ``out = op(args, **options)``; whether that was possible."""
        if self._busy or not plain(*args) or not machine_code.silent():
            return False
        in_place = out[0] is args[0]
        key = op, in_place, *[a.shape for a in args], *options.values()
        if key not in self._made:
            if len(self._made) == MOST:  # should the shapes never repeat, forget
                self._made.clear()
            self._made[key] = _made(op, out, args, options)
        snippet = self._made[key]
        if snippet is None:
            return False
        try:
            self._busy = True
            snippet(*out, *args)
        finally:
            self._busy = False
        return True


def _made(
    op: str, out: Sequence[Array], args: Sequence[Array], options: dict[str, Any]
) -> Snippet | None:
    """The snippet of an operation on arrays like these; None if machine code lacks something."""
    # Each operand has an array of its own here: at the next call one array may be two no longer.
    results = tuple(_operand(a) for a in out)
    operands = tuple(_operand(a) for a in args)
    if out[0] is args[0]:
        operands = (results[0], *operands[1:])
    assembler = Layers(max(b.bytes for b in (*results, *operands)))
    try:
        code = assembler.assembled(Instruction(op, results, operands, options))
    except UnsupportedError:
        return None
    return Snippet(code, [b.array for b in (*results, *operands)], assembler)


def _operand(array: Array) -> Buffer:
    return Buffer("an operand", array.shape, array.dtype, "work", np.empty_like(array))
