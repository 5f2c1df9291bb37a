"""A program carried out by the machine (machine.py): many steps in one call, with no Python between them."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...backend import generator
from ...hardware.threads import assistant
from ...optim.execution.upcoming import ScheduledUpdate, scheduled, still_upcoming, upcoming_updates
from ...optim.flat import aligned
from ..program import Array, Program
from .assembler import Encoder
from .cache.background import compile_now
from .cache.objects import MACHINE, Source, function, load
from .jit import opcodes
from .rule_codegen import rule_file
from .summation_order import Order
from .table import Row, address, halves, table, update_rows
from .task import dismiss, new_board, written_task

MOST = 1024  # steps in one call
NARROW = 64  # outputs: to pass over a weight's rows of fewer takes longer than to update them


def needed(optimizer: Any, moving: list[bool]) -> list[Source]:
    """The sources whose machine code a program needs that ends with this optimizer's update.

    Raises `UnsupportedError` if its rule does what the machine cannot.
    """
    return [
        MACHINE,
        *(rule_file(update.rule.name, update.executor.plan) for update in upcoming_updates(optimizer, moving, 1)),
    ]


class Native:
    """The steps of `program` on batches of a data set: `inputs` (N, D), uint8 or float32, and `labels` (N,), int64.

    `order`: zeros in the inputs are passed over, and sums made in this order, see order.py. `apart`: updates are kept
    apart from what comes before them, for `step_by_step`; else for `run`.
    What is `needed` and has not been compiled before is compiled now, which takes seconds. Raises `UnsupportedError`
    if the machine lacks something that the program or its optimizer needs, `OSError` if Numba or a disk fails.
    """

    def __init__(
        self, program: Program, inputs: Array, labels: Array, optimizer: Any, moving: list[bool],
        order: Order | None = None, apart: bool = False,
    ) -> None:  # fmt: skip
        self._encoder = Encoder(program, inputs, labels, order)
        self._optimizer, self._moving, self._apart = optimizer, moving, apart
        self._batch = program.buffers("batch")[0].shape[0]
        self._changed = program.buffers("statistic")
        self.statistics = {id(b.array): np.empty_like(b.array) for b in self._changed}  # before a step that is `apart`
        self._found = np.zeros((1 + len(self._changed), 2), np.int64)  # whether they and the gradients are not finite
        self._outer = {row[5]: row for row in self._encoder.rows if row[0] == opcodes.OUTER}
        self._losses, self._rights = np.empty(MOST, np.float32), np.empty(MOST, np.int64)
        self._board = new_board()
        self._tables: dict[Any, Array] = {}
        self._kept: list[Any] = []  # alive, for their addresses are in the tables
        self._scalars: list[Array] = []
        self._draws: Array | None = None
        self._coded(upcoming_updates(optimizer, moving, 1), 1)  # so that whatever is lacking is found out now
        self._machine = function(MACHINE)

    def run(self, order: Array, steps: int, gradients: bool = True) -> tuple[Array, Array, float]:
        """Make up to `steps` updates on the samples in `order`, batch after batch.

        `gradients`: whether the last is to leave all of them in their places. Returns each batch's loss, how many
        answers were right, and the learning rate of the last update.
        """
        steps = min(steps, MOST)
        updates = upcoming_updates(self._optimizer, self._moving, steps)
        self._make_room(steps)
        for k in range(steps if self._encoder.draws else 0):
            self._draw(k)
        task, _rows = self._task(self._coded(updates, steps), order, steps)
        task[opcodes.GRADIENTS] = gradients
        self._shared(partial(self._machine, address(task), 0), task)
        self._optimizer.count(self._moving, steps)
        return self._losses[:steps], self._rights[:steps], updates[0].rates[-1]

    def step_by_step(self, order: Array, steps: int, make: "Callable[[Stepping], object]") -> None:
        """Let `make` take up to `steps` steps on the samples in `order`, one by one, by way of a `Stepping`.

        Another thread shares them as it shares those of `run`.
        """
        steps = min(steps, MOST)
        self._make_room(steps)
        updates = upcoming_updates(self._optimizer, self._moving, 1 if scheduled(self._optimizer) else steps)
        code = self._coded(updates, steps)
        task, rows = self._task(code, order, steps)
        task[opcodes.OPEN] = 1
        stepping = Stepping(self, task, rows, updates, code)

        def mine() -> None:
            try:
                make(stepping)
            finally:
                dismiss(self._board)

        self._shared(mine, task)

    def _task(self, code: Array, order: Array, steps: int) -> tuple[Array, Array]:
        """The task of these steps, and the samples' numbers whose address is in it."""
        rows = np.ascontiguousarray(order[: steps * self._batch], np.int64)
        task = written_task(
            code, self._encoder.numbers, rows, steps, self._batch, self._losses, self._rights, self._board,
            shared=assistant() is not None and bool(code[:, opcodes.PAIRED].any()),
        )  # fmt: skip
        return task, rows

    def _shared(self, mine: Callable[[], object], task: Array) -> None:
        """Call `mine`, which carries the task out, with this thread's assistant, if there is anything to share."""
        other = assistant()
        if other is None or not task[opcodes.SHARED]:
            mine()  # a thread that looks on in vain takes time from this one
        else:
            other.both(mine, partial(self._machine, address(task), 1), partial(dismiss, self._board))

    def _make_room(self, steps: int) -> None:
        """See to it that there is room for the random numbers of so many steps."""
        sizes = [step.out[0].bytes // 4 for step in self._encoder.draws]
        if sizes and (self._draws is None or len(self._draws) < steps):
            self._draws = np.empty((steps, sum(sizes)), np.float32)
            self._tables.clear()

    def _draw(self, k: int) -> None:
        """Draw the uniform numbers for the dropout masks of step `k`, in the order in which layers would."""
        at = 0
        for step in self._encoder.draws:
            mask = step.out[0]
            drawn = generator("dropout").random(mask.shape, dtype=np.float32)
            if self._draws is not None:
                self._draws[k, at : at + drawn.size] = drawn.reshape(-1)
            at += drawn.size

    def _coded(self, updates: list[ScheduledUpdate], steps: int, first: int = 0) -> Array:
        """The table of instructions, with the coming updates' scalars where it expects them: from row `first` on."""
        for i, update in enumerate(updates):
            if len(self._scalars) <= i:
                self._scalars.append(np.empty((MOST, update.scalars.shape[1]), np.float32))
            self._scalars[i][first : first + steps] = update.scalars
        key = tuple((id(update.executor), update.spans, update.idle) for update in updates)
        if key not in self._tables:
            self._tables[key] = self._written(updates)
        return self._tables[key]

    def _written(self, updates: list[ScheduledUpdate]) -> Array:
        compile_now(needed(self._optimizer, self._moving))
        rows, offset = [list(row) for row in self._encoder.rows], 0
        for row in rows:
            if row[0] == opcodes.DROPOUT and self._draws is not None:
                row[2], row[3] = address(self._draws) + 4 * offset, self._draws.shape[1]
                offset += row[1]
        at_once: dict[int, list[int]] = {}  # updates of weights that follow their gradients at once
        final: list[list[int]] = []
        for update, scalars in zip(updates, self._scalars, strict=False):
            vectors = update.executor.vectors
            places = np.array([address(vector) for vector in vectors])
            loop = load(rule_file(update.rule.name, update.executor.plan))
            self._kept += [places, *vectors, scalars, update.executor]
            head, tail = [opcodes.UPDATE, loop, address(places)], [address(scalars), scalars.shape[1] * 4]
            for start, stop in update.spans:
                at = start
                for first, row in sorted(self._outer_products(vectors[1]).items()):
                    last = first + row[1] * row[2]
                    if start <= first and last <= stop:
                        own, room = places.copy(), aligned(max(row[2], opcodes.OUTER_ROOM), np.float32)
                        self._kept += [own, room]
                        at_once[row[5]] = [opcodes.UPDATE_OUTER, loop, address(own), first, last, *tail, *row[1:5],
                                           address(room), update.idle and row[2] >= NARROW, row[5]]  # fmt: skip
                        final += update_rows(head, at, first, tail)
                        at = last
                final += update_rows(head, at, stop, tail)
        rows = [at_once.get(row[5], row) if row[0] == opcodes.OUTER else row for row in rows]
        if self._apart:
            rows = [*self._copies(), *rows, *self._checks(updates[0].executor.vectors[1])]
        return table([*rows, *final])

    def _copies(self) -> list[Row]:
        """Running statistics, copied as they are before a step that may be taken back."""
        return [
            [opcodes.COPY, b.array.size, address(b.array), address(self.statistics[id(b.array)])] for b in self._changed
        ]

    def _checks(self, gradients: Array) -> list[Row]:
        """A look at all numbers that a step may have spoilt, before an update; that is not made if any of them is."""
        rows: list[Row] = []
        for array, found in zip([gradients, *(b.array for b in self._changed)], self._found, strict=True):
            rows += _check_rows(address(array), array.size, address(found))
        return [*rows, [opcodes.STOP, self._found.size, address(self._found)]]

    def _outer_products(self, gradients: Array) -> dict[int, list[int]]:
        """The outer products that go into this vector, each by the number of its first element there."""
        if self._apart:
            return {}
        base, size = address(gradients), gradients.nbytes
        return {(at - base) // 4: row for at, row in self._outer.items() if base <= at < base + size}


def _check_rows(at: int, count: int, found: int) -> list[Row]:
    """A look at so many numbers; what each of two halves finds is noted in two places."""
    return halves(count, count, lambda first, last: [
        opcodes.CHECK, last - first, at + 4 * first, found + 8 * (first > 0)])  # fmt: skip


class Stepping:
    """`steps` of a `Native` one by one: `differentiate`, then `update`, which may be left out."""

    def __init__(self, native: Native, task: Array, rows: Array, updates: list[ScheduledUpdate], code: Array) -> None:
        self._native, self._task, self._rows, self._updates, self._code = native, task, rows, updates, code
        self._place, self._t = address(task), native._optimizer.t
        self.steps = int(task[opcodes.STEPS])
        ops = code[:, 0].tolist()
        self._check, self._update = ops.index(opcodes.CHECK), ops.index(opcodes.STOP) + 1
        self._number, self.statistics = -1, native.statistics

    def differentiate(self) -> tuple[Any, int]:
        """Forward, loss and backward of the next batch: the gradients are in their places.

        Returns the loss, and how many answers were right.
        """
        self._number += 1
        native, number = self._native, self._number
        native._draw(number)
        self._task[opcodes.FIRST], self._task[opcodes.LAST] = number, number + 1
        self._carry_out(0, self._check)
        return native._losses[number], int(native._rights[number])

    def update(self, checked: bool) -> bool:
        """Move the parameters by the gradients that are there now, as ``optimizer.step()`` does.

        If `checked`, that is done only if loss, gradients and running statistics are seen to be finite. Returns whether
        it was done.
        """
        native = self._native
        optimizer, moving = native._optimizer, native._moving
        mine = self._as_foreseen() and optimizer.collect() == moving
        if checked and not (mine and math.isfinite(native._losses[self._number])):
            return False
        if not mine:
            optimizer.step()  # a gradient has been taken away, or what moves has changed
            return True
        self._carry_out(self._check if checked else self._update, len(self._code))
        if checked and native._found.any():
            return False
        optimizer.count(moving, 1)
        return True

    def _as_foreseen(self) -> bool:
        """Whether the code is for the next update, whose scalars are in their places then."""
        native, number = self._native, self._number
        if native._optimizer.t == self._t + number and still_upcoming(native._optimizer, self._updates):
            return True
        return native._coded(upcoming_updates(native._optimizer, native._moving, 1), 1, number) is self._code

    def _carry_out(self, begin: int, end: int) -> None:
        self._task[opcodes.BEGIN], self._task[opcodes.END] = begin, end
        self._native._machine(self._place, 0)
