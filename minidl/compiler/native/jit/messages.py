"""Sums over processes: each function executes one instruction, `i`.

MPI is called where it lies, as OpenBLAS is: the function's address and MPI's handles are operands.
"""

from typing import Any

import numpy as np

from .memory import call_int32, float32_at, int64_at, load_int64, native, store_int64

F = np.float32
BLOCK = 4096  # numbers that stay in the first-level cache


@native
def enclose(i: Any, constants: Any, loss: Any, correct: Any) -> Any:
    """Write what this process has counted behind the gradients."""
    tail = float32_at(i.tail, 4)
    tail[0] = loss * constants[i.share]
    tail[2] = F(correct)


@native
def all_reduce(i: Any, k: Any) -> Any:
    """Replace a vector by its sum over the processes; they see that this one waits, in step `k`."""
    store_int64(i.step, load_int64(i.first) + k)
    store_int64(i.calls, load_int64(i.calls) + 1)
    store_int64(i.waiting, 1)
    what = i.in_place, i.vector, i.size, i.datatype, i.operation, i.communicator
    failure = call_int32(i.function, what)
    store_int64(i.waiting, 0)
    if failure != 0:
        store_int64(i.failed, np.int64(failure))


@native
def sum_slices(i: Any) -> Any:
    """Add up this process's slice of all processes' vectors, a block at a time, and give it to all.

    No other process touches it between the two messages around this, which order the memory, too.
    """
    vectors = int64_at(i.vectors, i.processes)
    for start in range(i.first, i.last, BLOCK):
        size = min(BLOCK, i.last - start)
        total = float32_at(vectors[0] + 4 * start, size)
        for process in range(1, i.processes):
            more = float32_at(vectors[process] + 4 * start, size)
            for j in range(size):
                total[j] += more[j]
        for process in range(1, i.processes):
            more = float32_at(vectors[process] + 4 * start, size)
            for j in range(size):
                more[j] = total[j]


@native
def totals(i: Any, k: Any, losses: Any, correct: Any) -> Any:
    """Note the loss of the whole batch, and how many of its answers were right, for step `k`."""
    tail = float32_at(i.tail, 4)
    float32_at(losses, k + 1)[k] = tail[0]
    int64_at(correct, k + 1)[k] = np.int64(np.rint(tail[2]))
