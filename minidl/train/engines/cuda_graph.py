"""Training steps on a GPU, as launches of a CUDA graph."""

from typing import Any

import numpy as np

from ..callbacks import Run

STRETCH = 32  # steps that are launched between two looks at the clock


class Recorded:
    """Makes the updates of a run as `Eager` does, on a GPU and without waiting for it; see compile/cupy_graph.py."""

    def __init__(self, run: Run, step: Any) -> None:
        self._run, self._step = run, step
        self._natural = np.arange(len(step.loader.dataset))

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`, or as many as make a stretch."""
        run = self._run
        order = self._natural if run.order is None else run.order
        last = min(last, run.batch + STRETCH)
        size = self._step.loader.batch_size
        loss_sum, right = self._step.run(order, run.batch, last)
        samples = min(last * size, len(order)) - run.batch * size
        run.tally.count((loss_sum / samples).astype("float64"), right, samples)
        run.loss, run.lr = self._step.loss, run.optimizer.rate(run.optimizer.t)
        run.made["cuda graph"] += last - run.batch
        run.step += last - run.batch
        run.batch = last
