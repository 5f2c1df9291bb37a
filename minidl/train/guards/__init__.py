"""The guards of `fit`: checks of data and model before the first step, and at a few steps of training.

Nothing is added to the steps themselves. Each finding is reported once, as a `GuardWarning` with its code;
docs/guards.md lists them all, and how to turn them off.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...data import Loader
from ..callbacks import Callback, Run
from . import during, start

FIRST, TIMES = 4, 256  # updates before the first check of weights and activations; each next one TIMES as late


class Guards(Callback):
    """The callback that `fit` adds unless ``guards=False``."""

    def __init__(self, loader: Loader, loss: Callable[[Any, Any], Any]) -> None:
        self._loader, self._loss = loader, loss

    def on_start(self, run: Run) -> None:
        """Check data, model and learning rate. Raises `ShapeError` and `LabelError` where training would fail."""
        self._next: int | None = None  # the step after which to check again
        self._before: dict[str, Any] | None = None  # the weights one update before the check
        self._loss_limit = math.inf
        if run.epoch < run.epochs:
            with np.errstate(all="ignore"):
                self._loss_limit = during.DIVERGED * max(start.look(run, self._loader, self._loss), 1.0)
        self._counted = (0, 0.0)  # samples of this epoch at the last pause, and the sum of their losses

    def interval(self, run: Run) -> int | None:
        """The updates until the next check."""
        self._next = run.step + FIRST if self._next is None else self._next
        return self._next - run.step

    def on_pause(self, run: Run) -> None:
        """Check the loss; when it is due, also what one update does to the weights, and the activations."""
        samples, loss = self._counted if self._counted[0] <= run.metrics.samples else (0, 0.0)
        self._counted = run.metrics.samples, float(run.metrics.loss)
        if self._counted[0] > samples:
            recent = (self._counted[1] - loss) / (self._counted[0] - samples)
            if recent > self._loss_limit:
                during.diverging(run, recent, self._loss_limit)
                self._loss_limit = math.inf
        if self._next is None or run.step < self._next:
            return
        if self._before is None:
            self._before, self._next = during.weights(run.model), run.step + 1
            return
        with np.errstate(all="ignore"):
            during.pace(run, self._before, first=run.step <= FIRST + 1)
            during.activity(run, self._loader)
        self._before, self._next = None, (run.step - 1) * TIMES
