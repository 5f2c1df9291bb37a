"""A program carried out by the machine (machine.py): many steps in one call, with no Python between them."""

import ctypes
import sys
from functools import partial
from typing import Any

import numpy as np

from ..backend import generator
from ..optim.ahead import Update, ahead
from ..threads import assistant
from . import machine
from .emit import compiled, kept, source
from .encode import Encoder, address, table, update_rows
from .program import Array, Program

MOST = 1024  # steps in one call
_YIELD = getattr(ctypes.CDLL(None), "sched_yield", None) if sys.platform != "win32" else None
_REST = ctypes.cast(_YIELD, ctypes.c_void_p).value if _YIELD else 0  # lets other threads have the processor


class Native:
    """The steps of `program` on batches of a data set: `inputs` (N, D), uint8 or float32, and `labels` (N,), int64.

    Raises `UnsupportedError` if the machine lacks something that the program or its optimizer needs.
    """

    def __init__(self, program: Program, inputs: Array, labels: Array, optimizer: Any, moving: list[bool]) -> None:
        self._encoder = Encoder(program, inputs, labels)
        self._optimizer, self._moving = optimizer, moving
        self._batch = program.buffers("batch")[0].shape[0]
        self._outer = {row[5]: row for row in self._encoder.rows if row[0] == machine.OUTER}
        self._losses, self._rights = np.empty(MOST, np.float32), np.empty(MOST, np.int64)
        self._tables: dict[Any, Array] = {}
        self._kept: list[Any] = []  # alive, for their addresses are in the tables
        self._scalars: list[Array] = []
        self._draws: Array | None = None
        self._coded(ahead(optimizer, moving, 1), 1)  # so that whatever is lacking is found out now

    def run(self, order: Array, steps: int) -> tuple[Array, Array, float]:
        """Make up to `steps` updates on the samples in `order`, batch after batch.

        Returns each batch's loss, how many answers were right, and the learning rate of the last update.
        """
        steps = min(steps, MOST)
        updates = ahead(self._optimizer, self._moving, steps)
        self._draw(steps)
        code = self._coded(updates, steps)
        rows = np.ascontiguousarray(order[: steps * self._batch], np.int64).reshape(steps, self._batch)
        shared: list[Any] = [code, self._encoder.numbers, rows, self._losses, self._rights]
        other = assistant()
        board = np.zeros(32 if other else 0, np.int64)  # three numbers, each in a cache line of its own
        run = partial(machine.run, *shared, board, _REST)
        if other is None:
            run()
        else:
            other.both(run, partial(machine.assist, *shared, board, _REST))
        self._optimizer.count(self._moving, steps)
        return self._losses[:steps], self._rights[:steps], updates[0].rates[-1]

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
        rows, offset = [list(row) for row in self._encoder.rows], 0
        for row in rows:
            if row[0] == machine.DROPOUT and self._draws is not None:
                row[2], row[3] = address(self._draws) + 4 * offset, self._draws.shape[1]
                offset += row[1]
        at_once: dict[int, list[int]] = {}  # updates of weights that follow their gradients at once
        final: list[list[int]] = []
        for update, scalars in zip(updates, self._scalars, strict=False):
            vectors = update.executor.vectors
            places = np.array([address(vector) for vector in vectors])
            loop = compiled(kept(source(update.name, update.executor.plan)))
            self._kept += [loop, places, *vectors, scalars]
            head, tail = [loop.address, address(places)], [address(scalars), scalars.shape[1] * 4]
            for start, stop in update.runs:
                at = start
                for first, row in sorted(self._outer_products(vectors[1]).items()):
                    last = first + row[1] * row[2]
                    if start <= first and last <= stop:
                        at_once[row[5]] = [machine.UPDATE_OUTER, *head, first, last, *tail, *row[1:5],
                                           address(vectors[1]), update.idle]  # fmt: skip
                        final += update_rows(head, at, first, tail)
                        at = last
                final += update_rows(head, at, stop, tail)
        rows = [at_once.get(row[5], row) if row[0] == machine.OUTER else row for row in rows]
        return table([*rows, *final])

    def _outer_products(self, gradients: Array) -> dict[int, list[int]]:
        """The outer products that go into this vector, each by the number of its first element there."""
        base, size = address(gradients), gradients.nbytes
        return {(at - base) // 4: row for at, row in self._outer.items() if base <= at < base + size}
