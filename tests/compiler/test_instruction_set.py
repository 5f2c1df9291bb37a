"""Machine instructions: what the assembler writes and the interpreter reads is named once, and fits."""

import numpy as np
import pytest

from minidl.compiler.native.jit import instruction_set, opcodes
from minidl.compiler.native.jit.instruction_set import OPCODES, Bias, Copy
from minidl.compiler.native.table import Pair, halves, table

COPY = Copy(size=3, source=64, target=128, plus_zero=True)
LAYOUTS = [
    kind
    for kind in vars(instruction_set).values()
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")
]


def test_every_instruction_has_an_opcode_of_its_own():
    assert set(OPCODES) == set(LAYOUTS)
    assert sorted(OPCODES.values()) == list(range(len(OPCODES)))


def test_every_instruction_fits_in_a_row():
    assert max(len(layout._fields) for layout in LAYOUTS) <= opcodes.WIDTH - opcodes.OPERANDS


def test_an_operand_that_is_missing_or_misspelt_is_an_error():
    with pytest.raises(TypeError, match="plus_zero"):
        Copy(size=3, source=64, target=128)
    with pytest.raises(TypeError, match="sauce"):
        Copy(size=3, sauce=64, target=128, plus_zero=True)


def test_a_row_is_the_opcode_the_pairing_and_the_operands():
    (row,) = table([COPY])
    assert row.tolist() == [opcodes.COPY, 0, 3, 64, 128, 1] + [0] * 10
    assert row.dtype == np.int64


def test_two_instructions_for_two_threads_are_two_rows_of_which_the_first_says_so():
    rows = table([COPY, Pair(COPY, COPY)])
    assert rows[:, opcodes.PAIRED].tolist() == [0, 1, 0]


def test_a_pass_over_enough_elements_is_halved_and_all_of_it_is_done():
    def part(first, last):
        return Bias(rows=last - first, width=512, y=first, bias=0, activation=opcodes.NONE)

    assert halves(3, 3 * 512, part) == part(0, 3)
    first, second = halves(100, 100 * 512, part)
    assert first.rows + second.rows == 100
    assert second.y == first.rows
