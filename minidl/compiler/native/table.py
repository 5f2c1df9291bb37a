"""The interpreter's program as a table of int64: an instruction a row, some of them in pairs."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ...backend import Array
from .jit.instruction_set import OPCODES, Instruction
from .jit.opcodes import WIDTH

SHARED = 16384  # elements from which on two threads that halve a pass over them gain from it


class Pair(NamedTuple):
    """Two instructions that two threads may execute at the same time."""

    first: Instruction
    second: Instruction


Code = list[Instruction | Pair]


def address(array: Array) -> int:
    """The address of an array's first element."""
    return int(array.ctypes.data)


def halves(
    length: int,
    elements: int,
    part: Callable[[int, int], Instruction],
    middle: int | None = None,
) -> Instruction | Pair:
    """``part(0, length)``, or a pair of halves if its `elements` are enough for two threads."""
    if elements < SHARED or length < 2:
        return part(0, length)
    # Whole cache lines of float32: one that both threads write to would go back and forth.
    if middle is None:
        middle = -(-length // 32) * 16
        if middle >= length:  # a few rows, of many numbers each
            middle = length // 2
    return Pair(part(0, middle), part(middle, length))


def table(code: Sequence[Instruction | Pair]) -> Array:
    """The instructions as an array (N, WIDTH) of int64."""
    rows: list[list[int]] = []
    for item in code:
        if isinstance(item, Pair):  # the interpreter looks ahead from the first one
            rows += [_row(item.first, paired=True), _row(item.second)]
        else:
            rows.append(_row(item))
    return np.array(rows, np.int64).reshape(-1, WIDTH)


def _row(instruction: Instruction, paired: bool = False) -> list[int]:
    """Opcode, pairing and operands, padded with zeros."""
    row = [OPCODES[type(instruction)], int(paired), *map(int, instruction)]
    return row + [0] * (WIDTH - len(row))
