"""What training steps change, copied in memory so that it can be restored (saving/run_state.py does so for files)."""

import copy
import operator
from typing import Any

from ... import hooks
from ...nn._effects import ForwardEffects
from ..callbacks import Run


class RunSnapshot:
    """Everything that steps change: parameters, optimizer state, `ForwardEffects`, and the counts of the run."""

    def __init__(self, run: Run) -> None:
        self._run, self._effects = run, ForwardEffects(run.model)
        self._copies: list[Any] = []

    def save(self) -> None:
        """Copy the present values, into the arrays of the last copy where they fit: fresh memory is slow at first."""
        run, arrays = self._run, self._arrays()
        if [(a.shape, a.dtype, type(a)) for a in arrays] == [(c.shape, c.dtype, type(c)) for c in self._copies]:
            for saved, a in zip(self._copies, arrays, strict=True):
                saved[...] = a
        else:
            self._copies = [a.copy() for a in arrays]
        self._effects.save()
        counts = run.optimizer.t, run.batch, run.step, run.lr, run.loss
        self._counts = *counts, copy.copy(run.steps_by_engine), copy.copy(run.metrics)

    def restore(self) -> None:
        """Put back the values that `save` last copied."""
        run = self._run
        for a, saved in zip(self._arrays(), self._copies, strict=True):
            hooks.write(operator.setitem, a, ..., saved)
        for parameter in run.optimizer.vectors.parameters:
            parameter.changed()
        self._effects.restore()
        run.optimizer.t, run.batch, run.step, run.lr, run.loss, steps_by_engine, metrics = self._counts
        # Copies again, so that the snapshot may be restored a second time.
        run.steps_by_engine, run.metrics = copy.copy(steps_by_engine), copy.copy(metrics)

    def _arrays(self) -> list[Any]:
        vectors = self._run.optimizer.vectors
        return [p.data for p in vectors.parameters] + list(vectors.state.values())
