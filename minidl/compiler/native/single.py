"""A compiled step on one's own batch, by machine code."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend import Array
from .executor import NativeExecutor, OneByOne
from .summation_order import Order

LOOK = 16  # steps between two looks at whether weights are finite

# (inputs, labels, order) -> the machine code of the step on these arrays
Native = Callable[[Array, Array, Order | None], NativeExecutor]


class SingleSteps:
    """Steps on batches that are copied to one place.

    As in a training, zeros in a batch are passed over if that gives the bits of the dense step, as
    long as the weights that they are multiplied with are finite: 0 times infinity is not 0.
    """

    def __init__(self, x: Array, labels: Array, native: Native, order: Order | None, weight: Array):
        self._x, self._labels = np.array(x, np.float32, order="C"), np.array(labels, np.int64)
        self._native, self._weight = native, weight.reshape(-1)
        self._steps = OneByOne(native(self._x, self._labels, order))
        self._until_look = LOOK if order is not None else -1

    def step(self, x: Array, labels: Array) -> Any:
        """Make one update on a batch; returns its mean loss."""
        self._x[...], self._labels[...] = x, labels
        if self._until_look == 0:
            self._look()
        self._until_look -= 1
        return self._steps.step()

    def _look(self) -> None:
        """Pass over no zeros from here on, if a weight is not finite."""
        self._until_look = LOOK
        with np.errstate(all="ignore"):
            finite = np.isfinite(self._weight.dot(self._weight))
        if not finite:
            self._steps = OneByOne(self._native(self._x, self._labels, None))
            self._until_look = -1
