"""Training steps on a GPU, as launches of a CUDA graph."""

import time
from typing import Any

import numpy as np

from ...autograd import wrap
from ...backend import to_backend
from ..callbacks import Run
from .eager import PAUSE

FEWEST = 32  # steps that are launched between two looks at the clock, at first


class CudaGraphEngine:
    """Makes the same updates as `Eager`, on a GPU and without waiting for it; see compiler/cuda_graph.py."""

    def __init__(self, run: Run, step: Any) -> None:
        self._run, self._step = run, step
        self._in_order = np.arange(len(step.loader.dataset))
        self._most, self._began, self._whole = FEWEST, 0.0, False  # of the last call: when it began, if it was cut off

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`, but no more than some tenth of a second's."""
        run = self._run
        order = self._in_order if run.order is None else run.order
        last = min(last, run.batch + self._length(last - run.batch))
        size = self._step.loader.batch_size
        inputs = None if run.inputs is None else to_backend(run.inputs, "cupy")
        loss_sum, correct = self._step.run(order, run.batch, last, inputs)
        samples = min(last * size, len(order)) - run.batch * size
        run.metrics.count((loss_sum / samples).astype("float64"), correct, samples)
        run.loss, run.lr = wrap(self._step.loss), run.optimizer.rate(run.optimizer.t)
        run.history.reason = self._step.reason
        run.steps_by_engine["eager" if self._step.reason else "cuda graph"] += last - run.batch
        run.step += last - run.batch
        run.batch = last

    def _length(self, wanted: int) -> int:
        """How many steps to launch now, of so many that are wanted.

        A launch does not wait, but whoever looks at the run between two calls does: so what lies between them is timed.
        """
        now = time.perf_counter()
        between, self._began = now - self._began, now
        if self._whole and between < PAUSE / 2:
            self._most *= 2
        elif between > 2 * PAUSE:
            self._most = max(FEWEST, self._most // 2)
        self._whole = wanted >= self._most
        return min(wanted, self._most)
