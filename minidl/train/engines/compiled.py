"""Training steps as a compiled program, on batches that are gathered straight from the data set."""

import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...data import Loader
from ...errors import UnsupportedError
from ...nn._losses import check_labels
from ..callbacks import Run
from .eager import PAUSE, Eager

OVERHEAD, SPEED = 2e-4, 3e10  # seconds that NumPy's calls of a step take, and floating-point operations a second
LOADING = 0.2  # seconds that a run takes for which machine code is loaded, in half of that


class Step(Protocol):
    """A step in two parts, between which its gradients can be looked at; `engine` is what `History` calls its maker."""

    engine: str
    draws: bool  # whether it takes random numbers
    statistics: dict[int, Any] | None  # as they were before it, by the id of the array; None if it keeps none

    def differentiate(self) -> tuple[Any, int, int]:
        """Forward, loss, backward; returns the mean loss, how many samples were classified right, and of how many."""

    def update(self, checked: bool) -> bool:
        """Move the parameters; if `checked`, only if all numbers are seen to be finite. Returns whether it was done."""


class Compiled:
    """Makes the updates of a run as `Eager` does, with the same results; see minidl/compile.

    `zeros`: whether machine code may pass over zeros in the inputs, which changes nothing as long as all is finite.
    """

    def __init__(self, run: Run, loader: Loader, step: Any, eager: Eager, zeros: bool) -> None:
        self._run, self._loader, self._step, self._eager, self._zeros = run, loader, step, eager, zeros
        self._natural = np.arange(len(loader.dataset))
        self._inputs: Any = None
        self._labels: Any = None
        self._epoch = -1  # the epoch that `_inputs` and `_labels` were taken in
        self._bound: Any = None  # the program for whole batches, ...
        self._native: dict[bool, Any] = {}  # ... as machine code, once that is there, with updates apart or not
        self._seconds = 0.0  # that a step takes, as far as is known

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""
        run = self._run
        until = time.perf_counter() + PAUSE
        while run.batch < last and (start := time.perf_counter()) < until:
            before = run.batch
            coming = self._coming(last)
            if coming is None:
                self._eager.advance(run.batch + 1)
                continue
            native = self._machine(coming, apart=False)
            if native is None:
                self._replay(coming.bound, coming.rows)
            else:
                self._natively(native, coming)
            self._timed(start, run.batch - before)

    def step_by_step(self, last: int, until: float, make: Callable[[Step], None], eager: Eager | None) -> None:
        """Let `make` make updates one by one, for batches up to number `last` or as long as time allows.

        `eager` makes those that cannot be compiled, if it is given.
        """
        run = self._run
        start, before = time.perf_counter(), run.batch
        coming = self._coming(last)
        if coming is None:
            (eager or self._eager).advance(run.batch + 1)
            return

        def goes_on() -> bool:
            return run.stopped is None and time.perf_counter() < until and coming.bound.holds()

        native = self._machine(coming, apart=True)
        if native is None:
            for batch in coming.batches():
                make(_Replayed(coming.bound, self._inputs, self._labels, batch))
                if not goes_on():
                    break
        else:

            def all_of_them(stepping: Any) -> None:
                step = _Native(stepping, coming.bound, coming.size)
                for _ in range(stepping.steps):
                    make(step)
                    if not goes_on():
                        break

            native.step_by_step(coming.rows, coming.steps, all_of_them)
        self._timed(start, run.batch - before)

    def _coming(self, last: int) -> "_Coming | None":
        """The next steps to make in one go: as many as fit between two pauses. None if they have to be eager."""
        run, size = self._run, self._loader.batch_size
        self._take_data()
        order = self._natural if run.order is None else run.order
        whole = min(last, len(order) // size)
        stride = int(PAUSE / 2 / self._seconds) + 1 if self._seconds else 1
        count = max(1, min(whole - run.batch, stride))
        rows = order[run.batch * size : (run.batch + count) * size]
        bound = self._step.bound(min(size, len(rows)), self._inputs, self._labels)
        if bound is None or run.optimizer is not self._step.optimizer or run.model is not self._step.model:
            return None
        self._check(bound)
        return _Coming(bound, rows, count, size, run.batch < whole)

    def _take_data(self) -> None:
        """Take inputs and labels as they are when an epoch begins, whoever has changed them since the last one."""
        run, dataset = self._run, self._loader.dataset
        if self._epoch == run.epoch:
            return
        self._inputs, fresh = _taken(dataset.inputs, self._inputs)
        labels = dataset.labels.astype(np.int64, order="C")
        if fresh or self._labels.shape != labels.shape:
            self._labels, self._bound = labels, None
        self._labels[...] = labels  # where machine code expects them
        self._epoch, self._checked = run.epoch, False

    def _timed(self, start: float, count: int) -> None:
        if count > 0:
            taken = (time.perf_counter() - start) / count
            self._seconds = taken if self._seconds == 0 else 0.9 * self._seconds + 0.1 * taken

    def _check(self, bound: Any) -> None:
        """See to it, once an epoch, that all labels are classes. Raises `LabelError`."""
        if not self._checked:
            logits = np.broadcast_to(bound.logits[:1], (len(self._labels), bound.logits.shape[1]))
            check_labels(self._labels, logits)
            self._checked = True

    def _machine(self, coming: "_Coming", apart: bool) -> Any:
        """The whole batches' program as machine code, `apart` from its updates or not; None if there is none (yet)."""
        if not coming.whole:
            return None
        if coming.bound is not self._bound:
            self._bound, self._native = coming.bound, {}
        if apart not in self._native:
            try:
                native = self._loaded(coming.bound, apart)
            except (UnsupportedError, ImportError, OSError, RuntimeError):  # no room for a cache, Numba fails
                native = False
            if not native and self._run.straight:
                go_on_dense(self._run)
            if native is not None:
                self._native[apart] = native
        return self._native.get(apart) or None

    def _loaded(self, bound: Any, apart: bool) -> Any:
        """The program as machine code; None if it is not there, or not worth while."""
        from ...compiler.native.cache import background, objects
        from ...compiler.native.summation_order import STRAIGHT

        run = self._run
        left = ((run.epochs - run.epoch + 1) * run.steps - run.batch) * self._seconds
        if run.straight and objects.installed():
            background.compile_now(bound.code())
        there = (run.straight or self._worth(bound) or objects.loaded()) and background.ready(bound.code(), left)
        if not there:
            return None
        order = bound.order_without_zeros(self._inputs) if self._zeros else None
        return bound.native(self._inputs, self._labels, STRAIGHT if run.straight else order, apart)

    def _worth(self, bound: Any) -> bool:
        """Whether the run is long enough to load machine code for it, by a rough guess that is always the same."""
        steps = self._run.epochs * self._run.steps
        return steps * (OVERHEAD + bound.program.flops / SPEED) > LOADING

    def _natively(self, native: Any, coming: "_Coming") -> None:
        """Steps by machine code."""
        run = self._run
        last = run.epoch == run.epochs and run.batch + coming.steps >= run.steps
        losses, rights, run.lr = native.run(coming.rows, coming.steps, run.watched or last)
        run.tally.extend(losses, rights, coming.size)
        run.loss = losses[-1]
        self._count("machine code", len(losses))
        coming.bound.show_gradients()

    def _count(self, engine: str, steps: int) -> None:
        run = self._run
        run.made[engine] += steps
        run.step += steps
        run.batch += steps

    def _replay(self, bound: Any, rows: Any) -> None:
        """Steps by NumPy."""
        run, size = self._run, self._loader.batch_size
        for first in range(0, len(rows), size):
            batch = rows[first : first + size]
            bound.gather(self._inputs, self._labels, batch)
            bound.forward()
            bound.backward()
            bound.update()
            run.tally.count(bound.loss.item(), int(bound.right), len(batch))
            self._count("replay", 1)
        run.loss, run.lr = bound.loss, run.optimizer.rate(run.optimizer.t)


def _taken(array: Any, before: Any) -> tuple[Any, bool]:
    """`array` in C's order, in the place of what was taken `before` if it fits; and whether it is in a new place."""
    if array.flags.c_contiguous:
        return array, array is not before
    if before is None or (before.shape, before.dtype) != (array.shape, array.dtype):
        return np.ascontiguousarray(array), True
    before[...] = array
    return before, False


class _Coming(NamedTuple):
    """Steps to be made in one go: their program, the samples' numbers, how many, of how many samples, if all whole."""

    bound: Any
    rows: Any
    steps: int
    size: int
    whole: bool

    def batches(self) -> list[Any]:
        return [self.rows[first : first + self.size] for first in range(0, len(self.rows), self.size)]


class _Replayed:
    """A step by NumPy, in two parts."""

    engine = "replay"
    statistics: dict[int, Any] | None = None

    def __init__(self, bound: Any, inputs: Any, labels: Any, batch: Any) -> None:
        self.draws = bound.draws
        self._bound, self._inputs, self._labels, self._batch = bound, inputs, labels, batch

    def differentiate(self) -> tuple[Any, int, int]:
        bound = self._bound
        with np.errstate(all="ignore"):
            bound.gather(self._inputs, self._labels, self._batch)
            bound.forward()
            bound.backward()
            bound.complete()
        return bound.loss[()], int(bound.right), len(self._batch)

    def update(self, checked: bool) -> bool:
        if not checked:  # there is no quick look here
            self._bound.optimizer.step()
        return not checked


class _Native:
    """A step by machine code, in two parts."""

    engine = "machine code"

    def __init__(self, stepping: Any, bound: Any, samples: int) -> None:
        self._stepping, self._bound, self._samples = stepping, bound, samples
        self.draws, self.update, self.statistics = bound.draws, stepping.update, stepping.statistics

    def differentiate(self) -> tuple[Any, int, int]:
        loss, right = self._stepping.differentiate()
        self._bound.show_gradients()
        return loss, right, self._samples


def go_on_dense(run: Run) -> None:
    """Say that a resumed run will not be what it would have been, to the last bit: its machine code is not there."""
    warnings.warn(
        "fit: the results may differ in their last digits from those of a run that was not interrupted: that was "
        "carried out by an older minidl, by machine code that adds up in an order of its own, and this is not",
        stacklevel=2,
    )
    run.straight = False
