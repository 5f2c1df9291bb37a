"""Compiled training steps one by one, for callbacks that see each, or its gradients before its update."""

import math
import time
from typing import TYPE_CHECKING, Any

from ...autograd import wrap
from ...data import Loader
from ..callbacks import Callback, Run
from .compiled import Compiled
from .eager import PAUSE, batches

if TYPE_CHECKING:
    from .nonfinite import CheckedEager


class Stepwise:
    """Makes the same updates as `Eager`, to the same bits, by the programs of `compiled`.

    `checker`, if there is one, checks the numbers of each step before its update.
    """

    def __init__(self, run: Run, loader: Loader, compiled: Compiled, watchers: list[Callback]) -> None:
        self._run, self._loader, self._compiled = run, loader, compiled
        self._on_gradients = [w for w in watchers if w.overrides("on_gradients")]
        self._on_step = [w for w in watchers if w.overrides("on_step")]
        self.checker: CheckedEager | None = None

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""
        run = self._run
        until = time.perf_counter() + PAUSE if run.ranks is None else math.inf  # they all go on to `last`
        while run.batch < last and run.stopped is None and time.perf_counter() < until:
            self._compiled.step_by_step(last, until, self._make, self.checker)

    def _make(self, step: Any) -> None:
        """One step, in the two parts of `compiled.Step`, with what callbacks do between and after them."""
        run, checker = self._run, self.checker
        if run.ranks is not None:
            run.ranks.comm.note_step(run.step)
        if checker is not None:
            checker.save(step.draws, step.statistics)
        run.lr = run.optimizer.lr
        loss, correct, samples = step.differentiate()
        run.loss = wrap(loss)
        for watcher in self._on_gradients:
            watcher.on_gradients(run)
        # The quick check may be wrong (a square overflows, say): the checker has the last word.
        if not step.update(checked=checker is not None):  # a quick check found something, or there is none
            symptom = checker and checker.symptom()
            if checker and symptom:
                # A compiled step has no batch in hand: it is read again, for the error to look at.
                x, y = next(batches(self._loader, run, run.batch + 1))
                checker.reject(x, y, symptom)
                return
            step.update(checked=False)
        run.metrics.count(float(loss), correct, samples)
        run.steps_by_engine[step.engine] += 1
        run.step += 1
        run.batch += 1
        for watcher in self._on_step:
            watcher.on_step(run)
        if self._on_step and run.ranks is not None:
            run.ranks.agree(run)
