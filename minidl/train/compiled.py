"""Training steps as a compiled program, on batches that are gathered straight from the data set."""

import time
import warnings
from typing import Any

import numpy as np

from ..data import Loader
from ..errors import UnsupportedError
from ..nn.losses import check_labels
from .callbacks import Run
from .eager import PAUSE, Eager

OVERHEAD, SPEED = 2e-4, 3e10  # seconds that NumPy's calls of a step take, and floating-point operations a second
LOADING = 0.2  # seconds that a run takes for which machine code is loaded, in half of that


class Compiled:
    """Makes the updates of a run as `Eager` does, with the same results; see minidl/compile."""

    def __init__(self, run: Run, loader: Loader, step: Any, eager: Eager) -> None:
        self._run, self._step, self._eager, self._size = run, step, eager, loader.batch_size
        self._inputs = np.ascontiguousarray(loader.dataset.inputs)
        self._labels = loader.dataset.labels.astype(np.int64, order="C")
        self._natural = np.arange(len(self._labels))
        self._bound: Any = None  # the program for whole batches, ...
        self._native: Any = None  # ... as machine code, once that is there; False if it cannot be
        self._checked = False
        self._seconds = 0.0  # that a step takes, as far as is known

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""
        run, size = self._run, self._size
        until = time.perf_counter() + PAUSE
        order = self._natural if run.order is None else run.order
        whole = min(last, len(order) // size)
        while run.batch < last and (start := time.perf_counter()) < until:
            count = max(1, min(whole - run.batch, self._stride()))
            rows = order[run.batch * size : (run.batch + count) * size]
            bound = self._step.bound(min(size, len(rows)), self._inputs, self._labels)
            if bound is None:
                self._eager.advance(run.batch + 1)
                continue
            self._check(bound)
            if run.batch >= whole or not self._machine(bound):
                self._replay(bound, rows)
            else:
                self._natively(rows, count)
            taken = (time.perf_counter() - start) / count
            self._seconds = taken if self._seconds == 0 else 0.9 * self._seconds + 0.1 * taken

    def _stride(self) -> int:
        """How many steps to make in one go: as many as fit between two pauses."""
        return int(PAUSE / 2 / self._seconds) + 1 if self._seconds else 1

    def _check(self, bound: Any) -> None:
        """See to it, once, that all labels are classes. Raises `LabelError`."""
        if not self._checked:
            logits = np.broadcast_to(bound.logits[:1], (len(self._labels), bound.logits.shape[1]))
            check_labels(self._labels, logits)
            self._checked = True

    def _machine(self, bound: Any) -> Any:
        """The whole batches' program `bound` as machine code; None or False if there is none (yet).

        Whether that passes over zeros is decided as a run begins, and kept when it is resumed, so that its results
        do not depend on when the machine code was compiled.
        """
        from ..compile import objects, warm

        if bound is not self._bound:
            self._bound, self._native = bound, None
        run, worth = self._run, self._worth(bound)
        left = ((run.epochs - run.epoch + 1) * run.steps - run.batch) * self._seconds
        if self._native is None:
            try:
                there = (worth or objects.loaded()) and warm.ready(bound.code(), left)
                if run.sparse is None:
                    run.sparse = there and worth and bound.sparse(self._inputs)
                elif run.sparse and not there:
                    go_on_dense(run)
                if there:
                    self._native = bound.native(self._inputs, self._labels, run.sparse)
            except (UnsupportedError, ImportError, OSError, RuntimeError):  # no room for a cache, a damaged file
                self._native = False
        return self._native

    def _worth(self, bound: Any) -> bool:
        """Whether the run is long enough to load machine code for it, by a rough guess that is always the same."""
        steps = self._run.epochs * self._run.steps
        return steps * (OVERHEAD + bound.program.flops / SPEED) > LOADING

    def _natively(self, rows: Any, count: int) -> None:
        """Steps by machine code."""
        run = self._run
        losses, rights, run.lr = self._native.run(rows, count)
        run.tally.extend(losses, rights, self._size)
        run.loss = losses[-1]
        run.step += len(losses)
        run.batch += len(losses)

    def _replay(self, bound: Any, rows: Any) -> None:
        """Steps by NumPy."""
        run, size = self._run, self._size
        for first in range(0, len(rows), size):
            batch = rows[first : first + size]
            bound.gather(self._inputs, self._labels, batch)
            bound.forward()
            bound.backward()
            bound.update()
            run.tally.count(bound.loss.item(), int(bound.right), len(batch))
            run.step += 1
            run.batch += 1
        run.loss, run.lr = bound.loss, run.optimizer.rate(run.optimizer.t)


def go_on_dense(run: Run) -> None:
    """Say that a resumed run will not be what it would have been, to the last bit: its machine code is not there."""
    warnings.warn(
        "fit: the results may differ in their last digits from those of a run that was not interrupted: that was "
        "carried out by machine code that passes over zeros, and this is not",
        stacklevel=2,
    )
    run.sparse = False
