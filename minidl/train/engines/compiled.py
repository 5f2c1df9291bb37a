"""Training steps by a compiled program, on batches that are gathered straight from the data set."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...autograd import wrap
from ...data import Loader
from ...errors import UnsupportedError
from ...nn._loss_checks import check_labels
from ..callbacks import Run
from .accumulation import accumulate, parts
from .eager import PAUSE, Eager

OVERHEAD, SPEED = 2e-4, 3e10  # a step by NumPy: seconds for its calls, and floating-point operations a second
MOST_PARTS = 1000  # of a step by machine code
WORTH_LOADING = 0.2  # seconds: machine code, which loads in half of that, is loaded for runs that take longer


class Step(Protocol):
    """A step in two parts, between which callbacks see its gradients."""

    engine: str  # the name that `History` shows
    samples: int
    draws: bool  # whether it draws random numbers
    statistics: dict[int, Any] | None  # copies made before it, by the id of the array; None if it makes none

    def differentiate(self) -> tuple[Any, int, int]:
        """Forward, loss, backward; returns the mean loss, the number of correct samples, and that of all samples."""

    def update(self, checked: bool) -> bool:
        """Update the parameters; if `checked`, only if a quick check finds all finite. Returns whether it updated."""


class Compiled:
    """Makes the same updates as `Eager`, to the same bits; see compiler/.

    `zeros`: whether machine code may skip zeros in the inputs, which changes nothing as long as all is finite.
    """

    def __init__(self, run: Run, loader: Loader, step: Any, eager: Eager, zeros: bool) -> None:
        self._run, self._loader, self._step, self._eager, self._zeros = run, loader, step, eager, zeros
        self._part = run.micro_batch or loader.batch_size  # samples that a program takes
        self._in_order = np.arange(len(loader.dataset))
        self._inputs: Any = None
        self._labels: Any = None
        self._epoch = -1  # in which `_inputs` and `_labels` were read
        self._bound: Any = None  # the program for whole batches, ...
        self._machine_code: dict[bool, Any] = {}  # ... as machine code, with updates apart or not; False: not possible
        self._seconds = 0.0  # per step: a moving average

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""
        run = self._run
        until = time.perf_counter() + PAUSE if run.ranks is None else math.inf  # they all go on to `last`
        while run.batch < last and (start := time.perf_counter()) < until:
            before = run.batch
            block = self._next_block(last)
            if block is None:
                self._eager.advance(run.batch + 1)
                continue
            native = self._native(block, apart=False)
            if native is None:
                self._run_numpy(block)
            else:
                self._run_native(native, block)
            self._note_time(start, run.batch - before)

    def step_by_step(self, last: int, until: float, make: Callable[[Step], None], eager: Eager | None) -> None:
        """Let `make` make updates one by one, for batches up to number `last`, or until that time.

        `eager`, if given, makes those that cannot be compiled.
        """
        run = self._run
        start, before = time.perf_counter(), run.batch
        block = self._next_block(last)
        if block is None:
            (eager or self._eager).advance(run.batch + 1)
            return

        def goes_on() -> bool:
            return run.stopped is None and time.perf_counter() < until and block.bound.holds()

        native = self._native(block, apart=True)
        if native is None:
            for batch in block.batches():
                make(self._numpy_step(block, batch))
                if not goes_on():
                    break
        else:
            count = 1 if run.ranks is not None else block.size // self._part

            def make_all(stepping: Any) -> None:
                step = _in_parts(run, [_NativeStep(stepping, block.bound, block.size // count)] * count)
                for _ in range(stepping.steps // count):
                    make(step)
                    if not goes_on():
                        break

            native.step_by_step(block.indices, block.steps * count, make_all)
        self._note_time(start, run.batch - before)

    def _numpy_step(self, block: "_Block", batch: Any) -> Step:
        """A step by NumPy for these samples."""
        rows = [batch[part] for part in parts(self._run, len(batch))]
        steps = [
            _NumpyStep(block.bounds[len(r)], self._inputs, self._labels, r, len(r) * block.size // block.own)
            for r in rows
        ]
        return _in_parts(self._run, steps)

    def _next_block(self, last: int) -> "_Block | None":
        """The next steps, as many as fit between two pauses; None if the next step has to be eager."""
        run, size = self._run, self._loader.batch_size
        self._read_data()
        order = self._in_order if run.order is None else run.order
        whole = min(last, len(order) // size)  # the batches that have `size` samples
        # A block is not interrupted: planned for half of a pause, it may take twice as long as others did.
        affordable = int(PAUSE / 2 / self._seconds) + 1 if self._seconds else 1
        count = max(1, min(whole - run.batch, affordable))
        indices = order[run.batch * size : (run.batch + count) * size]
        if run.ranks is not None:
            return self._shared_block(indices, count, run.batch < whole)
        sizes = [part.stop - part.start for part in parts(run, min(size, len(indices)))]
        bounds = {n: self._step.bound(n, self._inputs, self._labels) for n in dict.fromkeys(sizes)}
        # A callback may have changed the model, or exchanged it.
        if self._exchanged() or None in bounds.values():
            return None
        self._check_labels(bounds[sizes[0]])
        return _Block(bounds[sizes[0]], bounds, indices, count, size, size, run.batch < whole)

    def _exchanged(self) -> bool:
        """Whether a callback has put another optimizer or model in the place of that which is compiled."""
        return self._run.optimizer is not self._step.optimizer or self._run.model is not self._step.model

    def _shared_block(self, indices: Any, count: int, whole: bool) -> "_Block | None":
        """The same where other processes have a part of each batch; `indices`: of all samples."""
        run, total = self._run, len(indices) // count
        shared = run.ranks.step(total)
        bound = shared and self._step.bound(shared.batch.rows, self._inputs, self._labels, shared)
        if not bound or self._exchanged():
            return None
        self._check_labels(bound)
        count = min(count, run.ranks.begin_step(run))
        first, rows = shared.batch.first, shared.batch.rows
        own = indices[: count * total].reshape(count, total)[:, first : first + rows].reshape(-1)
        return _Block(bound, {rows: bound}, own, count, total, rows, whole)

    def _read_data(self) -> None:
        """Read inputs and labels anew when an epoch begins: they may have been changed since the last one."""
        run, dataset = self._run, self._loader.dataset
        if self._epoch == run.epoch:
            return
        inputs = dataset.inputs if run.inputs is None else run.inputs
        self._inputs, moved = _contiguous(inputs, self._inputs)
        labels = dataset.labels.astype(np.int64, order="C")
        if moved or self._labels.shape != labels.shape:
            self._labels, self._bound = labels, None
        self._labels[...] = labels  # in place: machine code holds their address
        self._epoch, self._labels_checked = run.epoch, False

    def _note_time(self, start: float, steps: int) -> None:
        if steps > 0:
            seconds = (time.perf_counter() - start) / steps
            self._seconds = seconds if self._seconds == 0 else 0.9 * self._seconds + 0.1 * seconds

    def _check_labels(self, bound: Any) -> None:
        """Check once an epoch that all labels are classes. Raises `LabelError`."""
        if not self._labels_checked:
            logits = np.broadcast_to(bound.logits[:1], (len(self._labels), bound.logits.shape[1]))
            check_labels(self._labels, logits)
            self._labels_checked = True

    def _native(self, block: "_Block", apart: bool) -> Any:
        """The program as machine code, its updates `apart` or not; None if there is none, or none yet."""
        if not block.whole or block.size > MOST_PARTS * self._part:
            return None
        if block.bound is not self._bound:
            self._bound, self._machine_code = block.bound, {}
        if apart not in self._machine_code:
            try:
                native = self._load_native(block.bound, apart)
            except (UnsupportedError, ImportError, OSError, RuntimeError):  # no folder for a cache, Numba fails
                native = False
            if not native and self._run.straight:
                warn_of_other_sums(self._run)
            if native is not None:  # None is "not yet": it is asked for again with the next block
                self._machine_code[apart] = native
        return self._machine_code.get(apart) or None

    def _load_native(self, bound: Any, apart: bool) -> Any:
        """The program as machine code; None if that is not compiled yet, or not worth loading."""
        from ...compiler.native.cache import background, objects
        from ...compiler.native.summation_order import STRAIGHT, Order

        run = self._run
        seconds_left = ((run.epochs - run.epoch + 1) * run.steps - run.batch) * self._seconds
        if run.straight and objects.installed():
            background.compile_now(bound.code())
        # Where LLVM has been imported already, machine code is worth its loading for a short run as well.
        wanted = run.straight or self._worth_loading(bound) or objects.loaded()
        if not (wanted and background.ready(bound.code(), seconds_left)):
            return None
        order: Order | None = None
        if run.straight:
            order = STRAIGHT
        elif self._zeros:
            order = bound.order_without_zeros(self._inputs)
        return bound.native(self._inputs, self._labels, order, apart)

    def _worth_loading(self, bound: Any) -> bool:
        """Whether the run is long enough for machine code: an estimate that is the same in each run."""
        steps = self._run.epochs * self._run.steps * (self._loader.batch_size // self._part)
        return steps * (OVERHEAD + bound.program.flops / SPEED) > WORTH_LOADING

    def _run_native(self, native: Any, block: "_Block") -> None:
        """Make a block's steps by machine code."""
        run = self._run
        # After the last step of all, whoever called `fit` may look at the gradients.
        last = run.epoch == run.epochs and run.batch + block.steps >= run.steps
        keep = run.keep_gradients or last or run.ranks is not None
        losses, correct, run.lr = native.run(block.indices, block.steps, keep)
        run.metrics.extend(losses, correct, block.size)
        run.loss = wrap(losses[-1])
        self._count("machine code", len(losses))
        block.bound.show_gradients()
        if not keep and block.size == 1:  # those of weights were used up as they were made
            run.optimizer.zero_grad()

    def _run_numpy(self, block: "_Block") -> None:
        """Make a block's steps by NumPy."""
        run, bound = self._run, block.bound
        for batch in block.batches():
            if run.ranks is not None:
                run.ranks.comm.note_step(run.step)
            bound.gather(self._inputs, self._labels, batch)
            bound.forward()
            bound.backward()
            bound.update()
            run.metrics.count(bound.loss.item(), int(bound.right), len(batch) * block.size // block.own)
            self._count("replay", 1)
        run.loss, run.lr = wrap(bound.loss), run.optimizer.rate(run.optimizer.t)

    def _count(self, engine: str, steps: int) -> None:
        run = self._run
        run.steps_by_engine[engine] += steps
        run.step += steps
        run.batch += steps


def _contiguous(array: Any, before: Any) -> tuple[Any, bool]:
    """`array` in C order, copied into `before` if it fits there; and whether that is another place than `before`."""
    if array.flags.c_contiguous:
        return array, array is not before
    if before is None or (before.shape, before.dtype) != (array.shape, array.dtype):
        return np.ascontiguousarray(array), True
    before[...] = array
    return before, False


class _Block(NamedTuple):
    """Steps to be made in one go."""

    bound: Any  # their program, ...
    bounds: dict[int, Any]  # ... and that for each size of a part of them, if they are made in parts
    indices: Any  # of this process's samples in the data set
    steps: int
    size: int  # of a batch
    own: int  # of its samples, how many this process computes: all, if it is alone
    whole: bool  # whether each batch has that size

    def batches(self) -> list[Any]:
        """The indices of each step's samples."""
        starts = range(0, len(self.indices), self.own)
        return [self.indices[start : start + self.own] for start in starts]


class _NumpyStep:
    """A step by NumPy, in two parts."""

    engine = "replay"
    statistics: dict[int, Any] | None = None

    def __init__(self, bound: Any, inputs: Any, labels: Any, batch: Any, samples: int) -> None:
        self.draws, self.samples = bound.draws, samples
        self._bound, self._inputs, self._labels, self._batch = bound, inputs, labels, batch

    def differentiate(self) -> tuple[Any, int, int]:
        bound = self._bound
        with np.errstate(all="ignore"):
            bound.gather(self._inputs, self._labels, self._batch)
            bound.forward()
            bound.backward()
            bound.complete()
        return bound.loss[()], int(bound.right), self.samples

    def update(self, checked: bool) -> bool:
        if not checked:  # there is no quick check here
            self._bound.optimizer.step()
        return not checked


class _NativeStep:
    """A step by machine code, in two parts."""

    engine = "machine code"

    def __init__(self, stepping: Any, bound: Any, samples: int) -> None:
        self._stepping, self._bound, self.samples = stepping, bound, samples
        self.draws, self.statistics = bound.draws, stepping.statistics

    def differentiate(self) -> tuple[Any, int, int]:
        loss, correct = self._stepping.differentiate()
        self._bound.show_gradients()
        return loss, correct, self.samples

    def update(self, checked: bool) -> bool:
        if self._bound.holds():
            return bool(self._stepping.update(checked))
        if not checked:  # a callback has just changed what the machine code was made for
            self._bound.optimizer.step()
        return not checked


def _in_parts(run: Run, steps: Sequence[Step]) -> Step:
    """One step of these, each on a part of the batch; itself if it is the only one."""
    return steps[0] if len(steps) == 1 else _StepInParts(run, steps)


class _StepInParts:
    """Steps whose gradients are accumulated, with the last one's update."""

    statistics: dict[int, Any] | None = None  # copies that a part makes are not those from before the step

    def __init__(self, run: Run, steps: Sequence[Step]) -> None:
        self._run, self._steps = run, steps
        self.engine, self.draws = steps[0].engine, any(step.draws for step in steps)
        self.samples = sum(step.samples for step in steps)

    def differentiate(self) -> tuple[Any, int, int]:
        hits = []

        def part(number: int) -> Any:
            loss, correct, _ = self._steps[number].differentiate()
            hits.append(correct)
            return loss

        sizes = [step.samples for step in self._steps]
        self._loss = accumulate(self._run.optimizer.vectors, sizes, part)
        return self._loss, sum(hits), self.samples

    def update(self, checked: bool) -> bool:
        # The quick check looks at the last part's loss only.
        return (not checked or math.isfinite(self._loss)) and self._steps[-1].update(checked)


def warn_of_other_sums(run: Run) -> None:
    """Warn that a run of the first version resumes without the machine code that adds in the order of that version."""
    warnings.warn(
        "fit: the results may differ in their last digits from those of a run that was not interrupted: that was "
        "executed by an older minidl, by machine code that adds up in an order of its own, and this is not",
        stacklevel=2,
    )
    run.straight = False
