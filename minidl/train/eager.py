"""Training steps as they are written: forward, loss, backward, update."""

import time
from collections.abc import Callable
from typing import Any

from ..data import Loader
from .callbacks import Callback, Run

PAUSE = 0.1  # seconds after which those who watch may look again


class Eager:
    """Makes the updates of a run one by one; `watchers` are told of each."""

    def __init__(self, run: Run, loader: Loader, loss: Callable[[Any, Any], Any], watchers: list[Callback]) -> None:
        self._run, self._loader, self._loss = run, loader, loss
        self._on_step = [w.on_step for w in watchers if type(w).on_step is not Callback.on_step]

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""
        run = self._run
        until = time.perf_counter() + PAUSE
        for x, y in self._loader.batches(run.order, run.batch, last):
            self.update(x, y, self.differentiate(x, y))
            if run.stopped is not None or time.perf_counter() > until:
                break

    def differentiate(self, x: Any, y: Any) -> Any:
        """Forward, loss and backward for one batch; returns the model's output."""
        run = self._run
        run.lr = run.optimizer.lr
        run.optimizer.zero_grad()
        output = run.model(x)
        run.loss = self._loss(output, y)
        run.loss.backward()
        return output

    def update(self, x: Any, y: Any, output: Any) -> None:
        """Move the parameters, and count what was seen."""
        run = self._run
        run.optimizer.step()
        run.tally.add(run.loss, output, y)
        run.step += 1
        run.batch += 1
        for notify in self._on_step:
            notify(run)
