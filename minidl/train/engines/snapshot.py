"""What training steps change, copied in memory so that it can be restored (saving/run_state.py does so for files)."""

import copy
import operator
from typing import Any

from ... import hooks
from ...backend import generator
from ...nn import Module
from ...nn._module import Buffer
from ..callbacks import Run


class ForwardEffects:
    """What a forward pass in training mode changes: running statistics, and the position in the dropout stream."""

    def __init__(self, model: Module) -> None:
        self._model = model
        self._statistics: dict[int, Any] | None = None
        self.save()

    def save(self, draws: bool = True, statistics: dict[int, Any] | None = None) -> None:
        """Copy the present values; the position in the stream, which is slow to read, only if the pass `draws` from it.

        `statistics` are copies that the maker of the step has made already, by the id of the array that was copied.
        As long as they are the same, so are the model's buffers, which anybody may replace.
        """
        if statistics is None or statistics is not self._statistics:
            self._buffers = [buffer for _, buffer in self._model.named_tensors(Buffer)]
            self._statistics = statistics
        self._values = [statistics[id(b.data)] if statistics else b.data.copy() for b in self._buffers]
        self._position = generator("dropout").bit_generator.state if draws else None

    def restore(self) -> None:
        """Put back the values that `save` last copied."""
        for buffer, values in zip(self._buffers, self._values, strict=True):
            hooks.write(operator.setitem, buffer.data, ..., values)
            buffer.changed()
        if self._position is not None:
            generator("dropout").bit_generator.state = self._position


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
