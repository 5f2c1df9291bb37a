"""The interpreter of compiled programs: one function, compiled by Numba once, for all models.

A program is a table of int64, an instruction in each row (instruction_set.py). Matrix products and
ufuncs are calls of NumPy's own machine code (../addresses.py), updates are calls of loops written
from their rules (../rule_codegen.py). It runs without Python, and holds no lock.
"""

from typing import Any

from . import (
    batch_norm,
    dense,
    elementwise,
    losses,
    messages,
    opcodes,
    sparse,
    sparse_batch,
    updates,
)
from . import instruction_set as isa
from .atomics import compare_and_clear, load_acquire, pause, store_release
from .memory import call, float32_at, int64_at, native, record_at
from .opcodes import CACHE_LINE, DONE, OFFER, OPCODE, OPERANDS, PAIRED, SCRATCH, WIDTH
from .structures import Task

SPINS = 4000  # before a waiting thread yields the processor


def machine(address: Any, assisting: Any) -> None:
    """Execute the task at `address` (structures.py), or assist another thread that does.

    The program runs once for each batch, and notes its loss and how many answers were correct. If
    the task is shared, the thread in `_run` offers the second of two paired instructions in the
    mailbox, by its number, while it executes the first. The thread in `_assist` claims it; if that
    one is late, the first thread does both. So each thread mostly meets the same part of an array
    again, in its own cache.
    """
    if assisting:
        _assist(address)
    else:
        _run(address)


@native
def _run(address: Any) -> Any:
    """Execute the program, alone or with another thread that is in `_assist`."""
    task = record_at(Task, address)
    scratch = task.mailbox + SCRATCH
    offer, done = task.mailbox + OFFER, task.mailbox + DONE
    for k in range(task.first, task.last):
        n = task.begin
        while n < task.end:
            row = int64_at(task.code + 8 * WIDTH * n, WIDTH)
            if row[OPCODE] == opcodes.STOP and updates.any_found(_stop(task.code, n)):
                break
            if task.shared == 0 or row[PAIRED] == 0:
                _execute(n, address, k, scratch)
                n += 1
                continue
            # Instruction n + 1 of step k, as one number: never 0, which would be no offer.
            number = k * task.length + n + 1
            store_release(offer, number)
            _execute(n, address, k, scratch)
            if compare_and_clear(offer, number):  # nobody has claimed it
                _execute(n + 1, address, k, scratch)
            else:
                waited = 0
                while load_acquire(done) != number:
                    waited = _wait(waited, task.yield_function)
            n += 2
    if not task.open:
        store_release(offer, -1)


@native
def _assist(address: Any) -> Any:
    """Execute what a thread in `_run` offers, until that has finished and offers -1."""
    task = record_at(Task, address)
    scratch = task.mailbox + SCRATCH + CACHE_LINE
    offer, done = task.mailbox + OFFER, task.mailbox + DONE
    number, waited = 0, 0
    while number >= 0:
        number = load_acquire(offer)
        if number > 0 and compare_and_clear(offer, number):
            _execute(number % task.length, address, number // task.length, scratch)
            store_release(done, number)
            waited = 0
        else:
            waited = _wait(waited, task.yield_function)


@native
def _wait(waited: Any, yield_function: Any) -> Any:
    """Spin once (CPU pause); after 4,000 spins call sched_yield, if there is one."""
    pause()
    if waited > SPINS and yield_function:
        call(yield_function, (0,))
        return 0
    return waited + 1


@native
def _stop(code: Any, n: Any) -> Any:
    return record_at(isa.Stop, code + 8 * (WIDTH * n + OPERANDS))


@native
def _execute(n: Any, address: Any, k: Any, scratch: Any) -> Any:
    """Execute instruction number `n` for batch number `k`; `scratch` is this thread's own."""
    task = record_at(Task, address)  # anew: between two steps its fields change
    row = task.code + 8 * WIDTH * n
    opcode, operands = int64_at(row, WIDTH)[OPCODE], row + 8 * OPERANDS
    constants = float32_at(task.constants, 1 << 30)  # nobody checks the length
    samples = int64_at(task.samples + 8 * k * task.batch, task.batch)
    if opcode == opcodes.GATHER:
        dense.gather(record_at(isa.Gather, operands), samples)
    elif opcode == opcodes.GEMM:
        dense.gemm(record_at(isa.Gemm, operands))
    elif opcode == opcodes.GEMV:
        dense.gemv(record_at(isa.Gemv, operands))
    elif opcode == opcodes.DOT:
        dense.dot(record_at(isa.Dot, operands))
    elif opcode == opcodes.OUTER:
        updates.outer(record_at(isa.Outer, operands))
    elif opcode == opcodes.BIAS:
        dense.bias(record_at(isa.Bias, operands))
    elif opcode == opcodes.ACTIVATE:
        dense.activate(record_at(isa.Activate, operands), scratch)
    elif opcode == opcodes.ACTIVATE_BACK:
        dense.activate_back(record_at(isa.ActivateBack, operands))
    elif opcode == opcodes.MULTIPLY:
        dense.multiply(record_at(isa.Multiply, operands))
    elif opcode == opcodes.SOFTMAX:
        loss, correct = losses.softmax(record_at(isa.Softmax, operands), constants, scratch)
        float32_at(task.losses, k + 1)[k] = loss
        int64_at(task.correct, k + 1)[k] = correct
    elif opcode == opcodes.BATCH_NORM:
        batch_norm.forward(record_at(isa.BatchNorm, operands), constants)
    elif opcode == opcodes.RUNNING_STATISTICS:
        batch_norm.running_statistics(record_at(isa.RunningStatistics, operands), constants)
    elif opcode == opcodes.BATCH_NORM_SUMS:
        batch_norm.sums(record_at(isa.BatchNormSums, operands))
    elif opcode == opcodes.BATCH_NORM_BACK:
        batch_norm.back(record_at(isa.BatchNormBack, operands))
    elif opcode == opcodes.DROPOUT:
        dense.dropout(record_at(isa.Dropout, operands), constants, k)
    elif opcode == opcodes.COPY:
        dense.copy(record_at(isa.Copy, operands))
    elif opcode == opcodes.UPDATE:
        updates.update(record_at(isa.Update, operands), k)
    elif opcode == opcodes.UPDATE_OUTER:
        keep = task.gradients != 0 and k == task.last - 1
        updates.update_outer(record_at(isa.UpdateOuter, operands), k, keep)
    elif opcode == opcodes.CHECK:
        updates.check(record_at(isa.Check, operands))
    elif opcode == opcodes.SPARSE_GATHER:
        more = k + 1 < task.steps
        sparse_batch.gather(record_at(isa.SparseGather, operands), samples, more)
    elif opcode == opcodes.SPARSE_MATMUL:
        sparse.matmul(record_at(isa.SparseMatmul, operands))
    elif opcode == opcodes.SPARSE_GRADIENT:
        sparse.gradient(record_at(isa.SparseGradient, operands))
    elif opcode == opcodes.UFUNC:
        elementwise.ufunc(record_at(isa.Ufunc, operands), scratch)
    elif opcode == opcodes.WHERE:
        elementwise.where(record_at(isa.Where, operands))
    elif opcode == opcodes.CONVERT:
        elementwise.convert(record_at(isa.Convert, operands))
    elif opcode == opcodes.PICK:
        elementwise.pick(record_at(isa.Pick, operands))
    elif opcode == opcodes.PUT:
        elementwise.put(record_at(isa.Put, operands))
    elif opcode == opcodes.ROWS:
        elementwise.rows(record_at(isa.Rows, operands))
    elif opcode == opcodes.WHERE_DOUBLE:
        elementwise.where_double(record_at(isa.WhereDouble, operands))
    elif opcode == opcodes.CROSS_ENTROPIES:
        losses.cross_entropies(record_at(isa.CrossEntropies, operands), scratch)
    elif opcode == opcodes.CROSS_ENTROPIES_BACK:
        losses.back(record_at(isa.CrossEntropiesBack, operands))
    elif opcode == opcodes.SHARED_NORM_PARTS:
        batch_norm.shared_parts(record_at(isa.SharedNormParts, operands))
    elif opcode == opcodes.SHARED_NORM:
        batch_norm.shared(record_at(isa.SharedNorm, operands))
    elif opcode == opcodes.ENCLOSE:
        loss = float32_at(task.losses, k + 1)[k]
        correct = int64_at(task.correct, k + 1)[k]
        messages.enclose(record_at(isa.Enclose, operands), constants, loss, correct)
    elif opcode == opcodes.ALL_REDUCE:
        messages.all_reduce(record_at(isa.AllReduce, operands), k)
    elif opcode == opcodes.SUM_SLICES:
        messages.sum_slices(record_at(isa.SumSlices, operands))
    elif opcode == opcodes.TOTALS:
        messages.totals(record_at(isa.Totals, operands), k, task.losses, task.correct)
