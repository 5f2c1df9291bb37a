"""What travels with the gradients, in the same message: loss, counts, statistics."""

from itertools import pairwise
from typing import Any

import numpy as np

from ..train.metrics import RunningMetrics

FIXED = 4  # the loss, the samples, those that are right, and the ranks that count these


class Tail:
    """The numbers behind the gradients, whose sum over the ranks is what one process would have found.

    `parameters`: how many of them may have a gradient or none; `names`: of the metrics that are sums; `statistics`:
    the buffers that each rank has its own values of, and that become their mean.
    """

    def __init__(self, parameters: int, names: list[str], statistics: list[Any], rank: int, ranks: int) -> None:
        self._names, self._statistics, self._rank = names, statistics, rank
        ends = np.cumsum([0, FIXED, parameters, len(names) + 1, 8 * ranks, *(b.data.size for b in statistics)])
        slices = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self._fixed, self._moved, self._sums, self._spreads, *self._means = slices
        self._fitting = ""  # the metric that fits the loss, and that nobody has named
        self.size = int(ends[-1])

    @property
    def means(self) -> list[tuple[Any, slice]]:
        """Each buffer that becomes a mean, and its place."""
        return list(zip(self._statistics, self._means, strict=True))

    def before(self, samples: int, moved: list[bool], dtype: Any) -> np.ndarray:
        """This rank's numbers as far as they are known before a step: of so many samples, and their classes."""
        tail = np.zeros(self.size, dtype)
        tail[self._fixed] = 0, samples, 0, True
        tail[self._moved] = moved
        return tail

    def fill(self, tail: np.ndarray, loss: Any, moved: list[bool], counted: RunningMetrics, share: float) -> None:
        """Write this rank's numbers, of whose samples `share` of the batch's are."""
        tail[...] = 0
        right = counted.correct
        tail[self._fixed] = loss, counted.samples, 0 if right is None else right, right is not None
        tail[self._moved] = moved
        self._fitting = next((name for name in counted.others if name not in self._names), self._fitting)
        tail[self._sums] = [counted.others.get(name, 0.0) for name in (*self._names, self._fitting)]
        if counted.spread is not None:
            wide = np.array(counted.spread, np.float64)
            high = wide.astype(tail.dtype)
            tail[self._spreads].reshape(-1, 8)[self._rank] = *high, *(wide - high)
        for buffer, place in self.means:
            tail[place] = share * buffer.data.reshape(-1)

    def moved(self, tail: np.ndarray) -> list[bool]:
        """Whether any rank has a gradient for each parameter."""
        return [bool(ranks) for ranks in tail[self._moved]]

    def counted(self, tail: np.ndarray) -> RunningMetrics:
        """What all ranks have counted."""
        whole = RunningMetrics()
        loss, samples, right, measured = map(float, tail[self._fixed])
        whole.samples = round(samples)
        whole.loss = loss * whole.samples
        whole.correct = round(right) if measured else None
        sums = map(float, tail[self._sums])
        whole.others = {name: x for name, x in zip((*self._names, self._fitting), sums, strict=True) if name}
        for numbers in tail[self._spreads].astype(np.float64).reshape(-1, 8):
            count, mean, total, residual = numbers[:4] + numbers[4:]
            if count:
                part = RunningMetrics()
                part.spread = round(count), mean, total, residual
                whole.join(part)
        return whole

    def statistics(self, tail: np.ndarray) -> list[tuple[Any, np.ndarray]]:
        """Each buffer, and the mean of the ranks' values."""
        return [(buffer, tail[place].reshape(buffer.data.shape)) for buffer, place in self.means]
