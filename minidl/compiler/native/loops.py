"""Instructions that go over arrays of any layout: loops of NumPy's, two axes at a time."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...backend import Array
from ...errors import UnsupportedError
from .addresses import ufunc_loop
from .jit import instruction_set as isa
from .table import Code, address, halves

MOST_PARTS = 32  # instructions, at most, for one function of an array

# (size, repeats, addresses, steps, jumps) -> an instruction
Make = Callable[[int, int, list[int], list[int], list[int]], Any]


def loops(ufunc: np.ufunc, arrays: Sequence[Array]) -> Code:
    """Calls of a function's loop on operands and result, all broadcast to one shape.

    A result that is broadcast too, by steps of 0, is what a sum is made in. Raises
    `UnsupportedError` if NumPy has no loop for these dtypes.
    """
    types = "".join(a.dtype.char for a in arrays)
    loop, data = ufunc_loop(ufunc, f"{types[:-1]}->{types[-1]}")

    def make(size: int, repeats: int, at: Any, steps: Any, jumps: Any) -> isa.Ufunc:
        return isa.Ufunc(loop, data, size, repeats, *_three(at), *_three(steps), *_three(jumps))

    return spread(arrays, make)


def _three(numbers: list[int]) -> list[int]:
    return numbers + [0] * (3 - len(numbers))


def spread(arrays: Sequence[Array], make: Make) -> Code:
    """The instructions that `make` makes for the arrays' last two axes, once they are joined.

    The arrays are broadcast to one shape; the last is the result.
    """
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    lengths, strides = _joined(shape, [np.broadcast_to(a, shape).strides for a in arrays])
    if math.prod(lengths[:-2]) > MOST_PARTS:
        raise UnsupportedError("machine code goes over arrays of two axes")
    code: Code = []
    for index in np.ndindex(*lengths[:-2]):
        at = [
            address(a) + sum(i * s for i, s in zip(index, steps, strict=False))
            for a, steps in zip(arrays, strides, strict=True)
        ]
        code.append(_one(make, [1, 1, *lengths][-2:], at, [[0, 0, *s][-2:] for s in strides]))
    return code


def _one(make: Make, lengths: list[int], at: list[int], strides: list[list[int]]) -> Any:
    """One instruction, or two halves of it if it is long; what is summed over is not halved."""
    repeats, size = lengths
    jumps, steps = [s[0] for s in strides], [s[1] for s in strides]

    def rows(first: int, last: int) -> Any:
        begins = [a + first * j for a, j in zip(at, jumps, strict=True)]
        return make(size, last - first, begins, steps, jumps)

    def columns(first: int, last: int) -> Any:
        begins = [a + first * s for a, s in zip(at, steps, strict=True)]
        return make(last - first, repeats, begins, steps, jumps)

    if repeats > 1 and jumps[-1]:
        return halves(repeats, repeats * size, rows, repeats // 2)
    if steps[-1]:
        return halves(size, repeats * size, columns)
    return rows(0, repeats)


def _joined(
    shape: tuple[int, ...], strides: list[tuple[int, ...]]
) -> tuple[list[int], list[list[int]]]:
    """Axes of length 1 left out, and those joined that are one in the memory of all arrays."""
    lengths: list[int] = []
    joined: list[list[int]] = [[] for _ in strides]
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        pairs = list(zip(joined, (s[axis] for s in strides), strict=True))
        if lengths and all(j[-1] == s * n for j, s in pairs):
            lengths[-1] *= n
            for j, s in pairs:
                j[-1] = s
        else:
            lengths.append(n)
            for j, s in pairs:
                j.append(s)
    return lengths, joined
