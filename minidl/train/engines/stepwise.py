"""Compiled training steps one by one, for those who look at the gradients of each before the update."""

import time
from typing import TYPE_CHECKING, Any

from ...data import Loader
from ..callbacks import Callback, Run
from .compiled import Compiled
from .eager import PAUSE

if TYPE_CHECKING:
    from .nonfinite import Careful


class Stepwise:
    """Makes the updates of a run as `Eager` does, and with the same results, by the programs of `compiled`.

    `careful`, if there is one, looks at the numbers of each step before its update.
    """

    def __init__(self, run: Run, loader: Loader, compiled: Compiled, watchers: list[Callback]) -> None:
        self._run, self._loader, self._compiled = run, loader, compiled
        self._on_gradients = [w for w in watchers if w.overrides("on_gradients")]
        self.careful: Careful | None = None

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""
        run = self._run
        until = time.perf_counter() + PAUSE
        while run.batch < last and run.stopped is None and time.perf_counter() < until:
            self._compiled.step_by_step(last, until, self._make, self.careful)

    def _make(self, step: Any) -> None:
        """One step, by what makes its parts: see `Compiled.step_by_step`."""
        run, careful = self._run, self.careful
        if careful is not None:
            careful.keep(step.draws, step.statistics)
        run.lr = run.optimizer.lr
        run.loss, right, samples = step.differentiate()
        for watcher in self._on_gradients:
            watcher.on_gradients(run)
        if not step.update(checked=careful is not None):
            symptom = careful and careful.symptom()
            if careful and symptom:
                x, y = next(self._loader.batches(run.order, run.batch, run.batch + 1))
                careful.refuse(x, y, symptom)
                return
            step.update(checked=False)
        run.tally.count(float(run.loss), right, samples)
        run.made[step.engine] += 1
        run.step += 1
        run.batch += 1
