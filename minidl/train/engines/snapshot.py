"""What training steps change, kept in memory so that it can be taken back (runstate.py keeps it for files)."""

import copy
from typing import Any

from ...backend import generator
from ...nn import Module
from ...nn._module import Buffer
from ..callbacks import Run


class Traces:
    """What a forward pass in training mode leaves behind: running statistics, and the place in the dropout stream."""

    def __init__(self, model: Module) -> None:
        self._buffers = [buffer for _, buffer in model.named_tensors(Buffer)]
        self.keep()

    def keep(self, draws: bool = True, statistics: dict[int, Any] | None = None) -> None:
        """Remember how things are now; the stream only if the pass `draws` from it, for that takes long.

        `statistics` are copies that whoever makes the step will have made, by the id of the array that they are of.
        """
        self._values = [statistics[id(b.data)] if statistics else b.data.copy() for b in self._buffers]
        self._place = generator("dropout").bit_generator.state if draws else None

    def undo(self) -> None:
        """Make things what they were when `keep` was last called."""
        for buffer, values in zip(self._buffers, self._values, strict=True):
            buffer.data[...] = values
            buffer.changed()
        if self._place is not None:
            generator("dropout").bit_generator.state = self._place


class Snapshot:
    """All that steps change: a copy of what the optimizer moves and remembers, of `Traces`, and of the run's counts."""

    def __init__(self, run: Run) -> None:
        self._run, self._traces = run, Traces(run.model)
        self._copies: list[Any] = []

    def keep(self) -> None:
        """Remember how things are now; copies go where the last ones were, as new memory is slow at first."""
        run, arrays = self._run, self._arrays()
        if [(a.shape, a.dtype, type(a)) for a in arrays] == [(c.shape, c.dtype, type(c)) for c in self._copies]:
            for kept, a in zip(self._copies, arrays, strict=True):
                kept[...] = a
        else:
            self._copies = [a.copy() for a in arrays]
        self._traces.keep()
        counts = run.optimizer.t, run.batch, run.step, run.lr, run.loss
        self._counts = *counts, copy.copy(run.made), copy.copy(run.tally)

    def undo(self) -> None:
        """Make things what they were when `keep` was last called."""
        run = self._run
        for a, kept in zip(self._arrays(), self._copies, strict=True):
            a[...] = kept
        for parameter in moved(run):
            parameter.changed()
        self._traces.undo()
        run.optimizer.t, run.batch, run.step, run.lr, run.loss, made, tally = self._counts
        run.made, run.tally = copy.copy(made), copy.copy(tally)

    def _arrays(self) -> list[Any]:
        return [p.data for p in moved(self._run)] + list(self._run.optimizer.state.values())


def moved(run: Run) -> list[Any]:
    """The parameters that the optimizer moves."""
    return [parameter for group in run.optimizer.groups for parameter in group["params"]]
