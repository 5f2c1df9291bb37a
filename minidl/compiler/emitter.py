"""What collects the instructions of a program while it is written down."""

from typing import Any

import numpy as np

from .program import Buffer, Instruction


class Emitter:
    """`instructions`, and the names of their work buffers."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self._count = 0

    def work(self, shape: tuple[int, ...], dtype: Any, strides: Any = None) -> Buffer:
        """A new work buffer; `strides` if it is not to lie in C's order."""
        self._count += 1
        buffer = Buffer(f"b{self._count}", shape, np.dtype(dtype))
        if strides is not None and strides != _strides(shape, buffer.dtype):
            buffer.strides = strides
        return buffer

    def emit(self, op: str, shape: tuple[int, ...], *args: Buffer, **options: Any) -> Buffer:
        """Add an instruction with one result: a new work buffer, of the first operand's dtype."""
        out = self.work(shape, args[0].dtype)
        self.emit_to(op, (out,), args, **options)
        return out

    def emit_to(
        self, op: str, out: tuple[Buffer, ...], args: tuple[Buffer, ...], **options: Any
    ) -> None:
        """Add an instruction that writes to these buffers."""
        self.instructions.append(Instruction(op, out, args, options))


def _strides(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """The strides of an array in C's order."""
    strides, step = [], dtype.itemsize
    for length in reversed(shape):
        strides.append(step)
        step *= length
    return tuple(reversed(strides))
