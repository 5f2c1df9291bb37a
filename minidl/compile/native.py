"""A program carried out by the machine (machine.py): many steps in one call, with no Python between them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..backend import generator
from ..optim.ahead import Update, ahead
from ..optim.flat import aligned
from ..threads import assistant
from . import codes
from .emit import rule_file
from .encode import Encoder
from .objects import MACHINE, Source, function, load
from .order import Order
from .program import Array, Program
from .rows import address, table, update_rows
from .task import dismiss, new_board, written_task
from .warm import compile_now

MOST = 1024  # steps in one call
NARROW = 64  # outputs: to pass over a weight's rows of fewer takes longer than to update them


def needed(optimizer: Any, moving: list[bool]) -> list[Source]:
    """The sources whose machine code a program needs that ends with this optimizer's update.

    Raises `UnsupportedError` if its rule does what the machine cannot.
    """
    return [MACHINE, *(rule_file(update.name, update.executor.plan) for update in ahead(optimizer, moving, 1))]


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
        self._outer = {row[5]: row for row in self._encoder.rows if row[0] == codes.OUTER}
        self._losses, self._rights = np.empty(MOST, np.float32), np.empty(MOST, np.int64)
        self._board = new_board()
        self._tables: dict[Any, Array] = {}
        self._kept: list[Any] = []  # alive, for their addresses are in the tables
        self._scalars: list[Array] = []
        self._draws: Array | None = None
        self._coded(ahead(optimizer, moving, 1), 1)  # so that whatever is lacking is found out now
        self._machine = function(MACHINE)

    def run(self, order: Array, steps: int, gradients: bool = True) -> tuple[Array, Array, float]:
        """Make up to `steps` updates on the samples in `order`, batch after batch.

        `gradients`: whether the last is to leave all of them in their places. Returns each batch's loss, how many
        answers were right, and the learning rate of the last update.
        """
        steps = min(steps, MOST)
        updates = ahead(self._optimizer, self._moving, steps)
        self._make_room(steps)
        for k in range(steps if self._encoder.draws else 0):
            self._draw(k)
        task, _rows = self._task(self._coded(updates, steps), order, steps)
        task[codes.GRADIENTS] = gradients
        self._shared(partial(self._machine, address(task), 0), task)
        self._optimizer.count(self._moving, steps)
        return self._losses[:steps], self._rights[:steps], updates[0].rates[-1]

    def step_by_step(self, order: Array, steps: int, make: "Callable[[Stepping], object]") -> None:
        """Let `make` take up to `steps` steps on the samples in `order`, one by one, by way of a `Stepping`.

        Another thread shares them as it shares those of `run`.
        """
        steps = min(steps, MOST)
        self._make_room(steps)
        task, rows = self._task(self._coded(ahead(self._optimizer, self._moving, 1), 1), order, steps)
        task[codes.OPEN] = 1
        stepping = Stepping(self, task, rows)

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
            shared=assistant() is not None,
        )  # fmt: skip
        return task, rows

    def _shared(self, mine: Callable[[], object], task: Array) -> None:
        """Call `mine`, which carries the task out, with this thread's assistant, if it has one."""
        other = assistant()
        if other is None:
            mine()
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

    def _coded(self, updates: list[Update], steps: int, first: int = 0) -> Array:
        """The table of instructions, with the coming updates' scalars where it expects them: from row `first` on."""
        for i, update in enumerate(updates):
            if len(self._scalars) <= i:
                self._scalars.append(np.empty((MOST, update.scalars.shape[1]), np.float32))
            self._scalars[i][first : first + steps] = update.scalars
        key = tuple((id(update.executor), update.runs, update.idle) for update in updates)
        if key not in self._tables:
            self._tables[key] = self._written(updates)
        return self._tables[key]

    def _written(self, updates: list[Update]) -> Array:
        compile_now(needed(self._optimizer, self._moving))
        rows, offset = [list(row) for row in self._encoder.rows], 0
        for row in rows:
            if row[0] == codes.DROPOUT and self._draws is not None:
                row[2], row[3] = address(self._draws) + 4 * offset, self._draws.shape[1]
                offset += row[1]
        at_once: dict[int, list[int]] = {}  # updates of weights that follow their gradients at once
        final: list[list[int]] = []
        for update, scalars in zip(updates, self._scalars, strict=False):
            vectors = update.executor.vectors
            places = np.array([address(vector) for vector in vectors])
            loop = load(rule_file(update.name, update.executor.plan))
            self._kept += [places, *vectors, scalars, update.executor]
            head, tail = [codes.UPDATE, loop, address(places)], [address(scalars), scalars.shape[1] * 4]
            for start, stop in update.runs:
                at = start
                for first, row in sorted(self._outer_products(vectors[1]).items()):
                    last = first + row[1] * row[2]
                    if start <= first and last <= stop:
                        own, room = places.copy(), aligned(max(row[2], codes.OUTER_ROOM), np.float32)
                        self._kept += [own, room]
                        at_once[row[5]] = [codes.UPDATE_OUTER, loop, address(own), first, last, *tail, *row[1:5],
                                           address(room), update.idle and row[2] >= NARROW, row[5]]  # fmt: skip
                        final += update_rows(head, at, first, tail)
                        at = last
                final += update_rows(head, at, stop, tail)
        rows = [at_once.get(row[5], row) if row[0] == codes.OUTER else row for row in rows]
        return table([*rows, *final])

    def _outer_products(self, gradients: Array) -> dict[int, list[int]]:
        """The outer products that go into this vector, each by the number of its first element there."""
        if self._apart:
            return {}
        base, size = address(gradients), gradients.nbytes
        return {(at - base) // 4: row for at, row in self._outer.items() if base <= at < base + size}


class Stepping:
    """`steps` of a `Native` one by one: `differentiate`, then `update`, which may be left out."""

    def __init__(self, native: Native, task: Array, rows: Array) -> None:
        self._native, self._task, self._rows = native, task, rows
        self.steps = int(task[codes.LAST])
        self._code, self._begin = task[codes.CODE], len(native._encoder.rows)
        self._number = -1

    def differentiate(self) -> tuple[Any, int]:
        """Forward, loss and backward of the next batch: the gradients are in their places.

        Returns the loss, and how many answers were right.
        """
        self._number += 1
        self._native._draw(self._number)
        self._carry_out(0, self._begin)
        return self._native._losses[self._number], int(self._native._rights[self._number])

    def update(self) -> None:
        """Move the parameters by the gradients that are there now, as ``optimizer.step()`` does."""
        native = self._native
        optimizer, moving = native._optimizer, native._moving
        updates = ahead(optimizer, moving, 1)
        code = native._coded(updates, 1, self._number)
        if optimizer.collect() != moving or address(code) != self._code:
            optimizer.step()  # a gradient has been taken away, or what moves has changed
            return
        self._carry_out(self._begin, len(code))
        optimizer.count(moving, 1)

    def _carry_out(self, begin: int, end: int) -> None:
        task = self._task
        task[codes.FIRST], task[codes.LAST], task[codes.BEGIN], task[codes.END] = (
            self._number,
            self._number + 1,
            begin,
            end,
        )
        self._native._machine(address(task), 0)
