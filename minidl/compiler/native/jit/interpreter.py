"""The machine that carries out a compiled program: one function, compiled by Numba once, for all models.

A program reaches it as a table of integers: a row per instruction, with addresses and sizes (encode.py says what is
where). Products and ufuncs are called where NumPy has them (addresses.py), updates where emit.py's loops are; what lies
between is in loops.py. It needs no interpreter while it runs, and holds no lock.
"""

from typing import Any

from . import dense, opcodes, sparse
from .atomics import claimed, load, pause, store
from .memory import call, floats, integers, native
from .opcodes import BEGIN, BOARD, CODE, DONE, END, FIRST, LAST, LENGTH, OFFER, OPEN, PAIRED, ROOM, SHARED, WIDTH


@native
def _carry_out(n: Any, task: Any, k: Any, places: Any) -> Any:
    """Instruction number `n`, for batch number `k`; `places` is the thread's own."""
    row = integers(task[CODE] + 8 * WIDTH * n, WIDTH)
    op = row[0]
    numbers = floats(task[opcodes.NUMBERS], 1 << 30)
    rows = integers(task[opcodes.ROWS] + 8 * k * task[opcodes.BATCH], task[opcodes.BATCH])
    if op == opcodes.GATHER:
        dense.gather(row, rows)
    elif op == opcodes.GEMM:
        call(row[1], (101, row[2], row[3], row[4], row[5], row[6], dense.ONE, row[7], row[8], row[9], row[10],
                      dense.ZERO, row[11], row[12]))  # fmt: skip
    elif op == opcodes.GEMV:
        call(row[1], (row[2], 112, row[3], row[4], dense.ONE, row[5], row[6], row[7], 1, dense.ZERO, row[8], 1))
    elif op == opcodes.OUTER:
        dense.outer(row)
    elif op == opcodes.BIAS:
        dense.bias(row)
    elif op == opcodes.ACTIVATE:
        dense.activate(row, places)
    elif op == opcodes.ACTIVATE_BACK:
        dense.activate_back(row)
    elif op == opcodes.MULTIPLY:
        a, b = floats(row[2], row[1]), floats(row[3], row[1])
        for i in range(row[1]):
            a[i] = a[i] * b[i]
    elif op == opcodes.SOFTMAX:
        loss, right = dense.softmax(row, places)
        floats(task[opcodes.LOSSES], k + 1)[k] = loss
        integers(task[opcodes.RIGHTS], k + 1)[k] = right
    elif op == opcodes.NORM:
        dense.norm(row, numbers)
    elif op == opcodes.FOLLOW:
        dense.follow(row, numbers)
    elif op == opcodes.NORM_SUMS:
        dense.norm_sums(row)
    elif op == opcodes.NORM_BACK:
        dense.norm_back(row)
    elif op == opcodes.DROPOUT:
        dense.dropout(row, numbers, k)
    elif op == opcodes.COPY:
        a, b = floats(row[2], row[1]), floats(row[3], row[1])
        for i in range(row[1]):
            b[i] = a[i] + dense.ZERO if row[4] else a[i]
    elif op == opcodes.UPDATE:
        dense.update(row, k)
    elif op == opcodes.UPDATE_OUTER:
        dense.update_outer(row, k, task[opcodes.GRADIENTS] != 0 and k == task[opcodes.LAST] - 1)
    elif op == opcodes.CHECK:
        dense.check(row)
    elif op == opcodes.SPARSE_GATHER:
        sparse.gather(row, rows, k + 1 < task[opcodes.STEPS])
    elif op == opcodes.SPARSE_MATMUL:
        sparse.matmul(row)
    elif op == opcodes.SPARSE_GRADIENT:
        sparse.gradient(row)


def machine(address: Any, assisting: Any) -> None:
    """Carry out the task at `address` (codes.py), or help another thread with it.

    The program is carried out once for each batch; each one's loss is noted, and how many were right. If the task is
    shared, the second of two paired instructions is offered on the board, by its number, while the first is carried
    out: the other thread takes it, or, if that is busy elsewhere, this one, afterwards. So each thread mostly meets the
    same part of a memory again, in its own cache.
    """
    task = integers(address, opcodes.REST + 1)
    if assisting:
        _assist(task)
    else:
        _run(task)


@native
def _run(task: Any) -> Any:
    """Carry out the program, alone or with another thread that is in `_assist`."""
    length, places = task[LENGTH], task[BOARD] + ROOM
    offer, done = task[BOARD] + OFFER, task[BOARD] + DONE
    for k in range(task[FIRST], task[LAST]):
        n = task[BEGIN]
        while n < task[END]:
            row = integers(task[CODE] + 8 * WIDTH * n, WIDTH)
            if row[0] == opcodes.STOP and dense.any_found(row):
                break
            if task[SHARED] == 0 or row[PAIRED] == 0:
                _carry_out(n, task, k, places)
                n += 1
                continue
            number, waited = k * length + n + 1, 0
            store(offer, number)
            _carry_out(n, task, k, places)
            if claimed(offer, number):
                _carry_out(n + 1, task, k, places)
            else:
                while load(done) != number:
                    waited = _wait(waited, task[opcodes.REST])
            n += 2
    if not task[OPEN]:
        store(offer, -1)


@native
def _assist(task: Any) -> Any:
    """Help a thread that is in `_run`, until that has finished."""
    length, places = task[LENGTH], task[BOARD] + ROOM + 64
    offer, done = task[BOARD] + OFFER, task[BOARD] + DONE
    number, waited = 0, 0
    while number >= 0:
        number = load(offer)
        if number > 0 and claimed(offer, number):
            _carry_out(number % length, task, number // length, places)
            store(done, number)
            waited = 0
        else:
            waited = _wait(waited, task[opcodes.REST])


@native
def _wait(waited: Any, rest: Any) -> Any:
    """A moment; after some thousand, the processor is offered to others, by the function at `rest`."""
    pause()
    if waited > 4000 and rest:
        call(rest, (0,))
        return 0
    return waited + 1
