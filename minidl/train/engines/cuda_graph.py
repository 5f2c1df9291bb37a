"""Training steps on a GPU, as launches of a CUDA graph."""

from typing import Any

import numpy as np

from ..callbacks import Run

BLOCK = 32  # steps that are launched between two looks at the clock


class CudaGraphEngine:
    """Makes the same updates as `Eager`, on a GPU and without waiting for it; see compiler/cuda_graph.py."""

    def __init__(self, run: Run, step: Any) -> None:
        self._run, self._step = run, step
        self._in_order = np.arange(len(step.loader.dataset))

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`, but no more than `BLOCK`."""
        run = self._run
        order = self._in_order if run.order is None else run.order
        last = min(last, run.batch + BLOCK)
        size = self._step.loader.batch_size
        loss_sum, correct = self._step.run(order, run.batch, last)
        samples = min(last * size, len(order)) - run.batch * size
        run.metrics.count((loss_sum / samples).astype("float64"), correct, samples)
        run.loss, run.lr = self._step.loss, run.optimizer.rate(run.optimizer.t)
        run.steps_by_engine["cuda graph"] += last - run.batch
        run.step += last - run.batch
        run.batch = last
