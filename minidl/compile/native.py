"""A program carried out by the machine (machine.py): many steps in one call, with no Python between them."""

import ctypes
import sys
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
from .program import Array, Program
from .rows import address, table, update_rows
from .warm import compile_now

MOST = 1024  # steps in one call
NARROW = 64  # outputs: to pass over a weight's rows of fewer takes longer than to update them
_YIELD = getattr(ctypes.CDLL(None), "sched_yield", None) if sys.platform != "win32" else None
_REST = ctypes.cast(_YIELD, ctypes.c_void_p).value if _YIELD else 0  # lets other threads have the processor


def needed(optimizer: Any, moving: list[bool]) -> list[Source]:
    """The sources whose machine code a program needs that ends with this optimizer's update.

    Raises `UnsupportedError` if its rule does what the machine cannot.
    """
    return [MACHINE, *(rule_file(update.name, update.executor.plan) for update in ahead(optimizer, moving, 1))]


class Native:
    """The steps of `program` on batches of a data set: `inputs` (N, D), uint8 or float32, and `labels` (N,), int64.

    `sparse`: zeros in the inputs are passed over, see `lists.pays`; sums are then rounded otherwise than by NumPy.
    What is `needed` and has not been compiled before is compiled now, which takes seconds. Raises `UnsupportedError`
    if the machine lacks something that the program or its optimizer needs, `OSError` if Numba or a disk fails.
    """

    def __init__(
        self, program: Program, inputs: Array, labels: Array, optimizer: Any, moving: list[bool], sparse: bool = False
    ) -> None:
        self._encoder = Encoder(program, inputs, labels, sparse)
        self._optimizer, self._moving = optimizer, moving
        self._batch = program.buffers("batch")[0].shape[0]
        self._outer = {row[5]: row for row in self._encoder.rows if row[0] == codes.OUTER}
        self._losses, self._rights = np.empty(MOST, np.float32), np.empty(MOST, np.int64)
        self._board = aligned(codes.BOARD_BYTES // 8, np.int64)
        self._tables: dict[Any, Array] = {}
        self._kept: list[Any] = []  # alive, for their addresses are in the tables
        self._scalars: list[Array] = []
        self._draws: Array | None = None
        self._coded(ahead(optimizer, moving, 1), 1)  # so that whatever is lacking is found out now
        self._machine = function(MACHINE)

    def run(self, order: Array, steps: int) -> tuple[Array, Array, float]:
        """Make up to `steps` updates on the samples in `order`, batch after batch.

        Returns each batch's loss, how many answers were right, and the learning rate of the last update.
        """
        steps = min(steps, MOST)
        updates = ahead(self._optimizer, self._moving, steps)
        self._draw(steps)
        code = self._coded(updates, steps)
        rows = np.ascontiguousarray(order[: steps * self._batch], np.int64)
        other = assistant()
        task = self._task(code, rows, steps, other is not None)
        run = partial(self._machine, address(task), 0)
        if other is None:
            run()
        else:
            other.both(run, partial(self._machine, address(task), 1))
        self._optimizer.count(self._moving, steps)
        return self._losses[:steps], self._rights[:steps], updates[0].rates[-1]

    def _task(self, code: Array, rows: Array, steps: int, shared: bool) -> Array:
        """What the machine is told: see codes.py."""
        self._board[...] = 0
        given = {
            codes.CODE: address(code), codes.LENGTH: len(code), codes.NUMBERS: address(self._encoder.numbers),
            codes.ROWS: address(rows), codes.STEPS: steps, codes.BATCH: self._batch,
            codes.LOSSES: address(self._losses), codes.RIGHTS: address(self._rights),
            codes.BOARD: address(self._board), codes.SHARED: shared, codes.REST: _REST,
        }  # fmt: skip
        return np.array([given[place] for place in range(len(given))], np.int64)

    def _draw(self, steps: int) -> None:
        """Draw the uniform numbers for the dropout masks of the coming steps, in the order in which layers would."""
        masks = [step.out[0] for step in self._encoder.draws]
        if not masks:
            return
        ends = np.cumsum([mask.bytes // 4 for mask in masks])
        if self._draws is None or len(self._draws) < steps:
            self._draws = np.empty((steps, ends[-1]), np.float32)
            self._tables.clear()
        for row in self._draws[:steps]:
            for mask, part in zip(masks, np.split(row, ends[:-1]), strict=True):
                part[...] = generator("dropout").random(mask.shape, dtype=np.float32).reshape(-1)

    def _coded(self, updates: list[Update], steps: int) -> Array:
        """The table of instructions, with the coming updates' scalars where it expects them."""
        for i, update in enumerate(updates):
            if len(self._scalars) <= i:
                self._scalars.append(np.empty((MOST, update.scalars.shape[1]), np.float32))
            self._scalars[i][:steps] = update.scalars
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
            self._kept += [places, *vectors, scalars]
            head, tail = [codes.UPDATE, loop, address(places)], [address(scalars), scalars.shape[1] * 4]
            for start, stop in update.runs:
                at = start
                for first, row in sorted(self._outer_products(vectors[1]).items()):
                    last = first + row[1] * row[2]
                    if start <= first and last <= stop:
                        own, room = places.copy(), aligned(max(row[2], codes.OUTER_ROOM), np.float32)
                        self._kept += [own, room]
                        at_once[row[5]] = [codes.UPDATE_OUTER, loop, address(own), first, last, *tail, *row[1:5],
                                           address(room), update.idle and row[2] >= NARROW]  # fmt: skip
                        final += update_rows(head, at, first, tail)
                        at = last
                final += update_rows(head, at, stop, tail)
        rows = [at_once.get(row[5], row) if row[0] == codes.OUTER else row for row in rows]
        return table([*rows, *final])

    def _outer_products(self, gradients: Array) -> dict[int, list[int]]:
        """The outer products that go into this vector, each by the number of its first element there."""
        base, size = address(gradients), gradients.nbytes
        return {(at - base) // 4: row for at, row in self._outer.items() if base <= at < base + size}
