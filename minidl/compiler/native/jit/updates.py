"""Parameter updates, the gradients of a batch of one that go with them, and checks before them.

Each function executes one instruction, `i`. The loops of the update rules are called by address.
"""

from typing import Any

import numpy as np

from .memory import call, float32_at, int32_at, int64_at, native, store_int64
from .opcodes import OUTER_CHUNK

ZERO = np.float32(0)
EXPONENT = np.int32(0x7F800000)  # its bits in a float32
LARGE = np.int32((127 + 60) << 23)  # the exponent of 2**60: from there on a square may overflow


@native
def update(i: Any, k: Any) -> Any:
    """Update the elements from `start` to `stop` with the scalars of step `k`."""
    call(i.loop, (i.vectors, i.start, i.stop, i.scalars + k * i.stride))


@native
def outer(i: Any) -> Any:
    """The gradient of a weight from a batch of one."""
    x, d = float32_at(i.x, i.inputs), float32_at(i.d, i.outputs)
    _outer(x, d, float32_at(i.out, i.inputs * i.outputs))


@native
def _outer(x: Any, d: Any, out: Any) -> Any:
    for row in range(len(x)):
        for j in range(len(d)):
            out[row * len(d) + j] = x[row] * d[j]


@native
def update_outer(i: Any, k: Any, keep: Any) -> Any:
    """Update a weight whose gradient is an outer product, a few rows at a time.

    As many rows as stay in the first-level cache are computed in `scratch`, and applied at once.
    If `skip_zeros`, rows of inputs that are zero are left out: their gradient is zero. To `keep`
    the gradient, it is computed as a whole beforehand.
    """
    x, d = float32_at(i.x, i.inputs), float32_at(i.d, i.outputs)
    scalars = i.scalars + k * i.stride
    vectors = int64_at(i.vectors, 2)
    most = max(1, OUTER_CHUNK // i.outputs)
    if keep:
        _outer(x, d, float32_at(i.gradient, i.inputs * i.outputs))
    row = 0
    while row < i.inputs:
        first = row
        while row < min(i.inputs, first + most) and not (i.skip_zeros and x[row] == ZERO):
            gradient = float32_at(i.scratch + 4 * (row - first) * i.outputs, i.outputs)
            factor = x[row]
            for j in range(i.outputs):
                gradient[j] = factor * d[j]
            row += 1
        if row == first:
            row += 1
            continue
        begin = i.start + first * i.outputs
        # The rule's loop indexes the whole vector: this is where one would begin that has these
        # rows in their place.
        vectors[1] = i.scratch - 4 * begin
        call(i.loop, (i.vectors, begin, i.start + row * i.outputs, scalars))


@native
def check(i: Any) -> Any:
    """Whether any number is infinite, NaN, or so large that the sum of a few squares may be."""
    # By the exponents' bits, as integers: those of infinity and NaN are the largest.
    numbers, worst = int32_at(i.numbers, i.size), np.int32(0)
    for j in range(i.size):
        worst = max(worst, numbers[j] & EXPONENT)
    store_int64(i.found, np.int64(worst >= LARGE))


@native
def any_found(i: Any) -> Any:
    """Whether any `check` has found something, by a `Stop` instruction."""
    found = int64_at(i.found, i.size)
    worst = found[0]
    for j in range(1, i.size):
        worst |= found[j]
    return worst != 0
