"""Gradient accumulation: an update's batch is forward and backward a part at a time, and its gradients are the mean.

The loader gives the batch of a whole update, of `accumulate` times as many samples; the engines cut it into parts of
`Run.micro_batch` samples. So all else (counts, checkpoints, checks, schedules) knows updates only.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import wrap
from ...backend import Array, array_module
from ...data import Loader
from ...data.stream import UNKNOWN, Stream
from ...deposit import deposited
from ...ops.shape import plain
from ..callbacks import Run
from ..metrics import RunningMetrics

if TYPE_CHECKING:
    from .eager import Passes


def widened(loader: Loader, every: int) -> Loader:
    """A loader of the same samples in the same order, each of whose batches is `every` batches of `loader`."""
    if type(loader) is Loader and not (loader.drop_last and len(loader) % every):
        wide = copy.copy(loader)
        wide.batch_size *= every
        return wide
    return (_JoiningStream if isinstance(loader, Stream) else _Joining)(loader, every)


class _Joining(Loader):
    """`every` batches of any other loader as one."""

    def __init__(self, loader: Loader, every: int) -> None:
        vars(self).update(vars(loader))
        self._loader, self._every = loader, every
        self.batch_size = loader.batch_size * every

    def __len__(self) -> int:
        count = len(self._loader)
        return count if count == UNKNOWN else -(-count // self._every)

    def order(self) -> np.ndarray | None:
        """That of the other loader."""
        return self._loader.order()

    def batches(
        self, order: np.ndarray | None, first: int = 0, last: int | None = None, *more: Any
    ) -> Iterator[tuple[Array, Array]]:
        """The joined batches numbered from `first` up to `last`; `more`: what else the other loader takes."""
        stop = len(self._loader) if last is None else min(last * self._every, len(self._loader))
        single = iter(self._loader.batches(order, first * self._every, stop, *more))
        while group := list(islice(single, self._every)):
            inputs, labels = zip(*group, strict=True)
            yield _joined(inputs), _joined(labels)


class _JoiningStream(_Joining, Stream):
    """The same of batches that are made elsewhere."""

    def order(self) -> None:
        """None: the batches come as they come."""


def parts(run: Run, samples: int) -> list[slice]:
    """The parts of a batch of so many samples: one, unless gradients are accumulated."""
    size = run.micro_batch or max(samples, 1)
    return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]


def rows(batch: Any, part: Any) -> Any:
    """A part of an array, a slice or by numbers, or of each array in a tuple."""
    return tuple(rows(array, part) for array in batch) if isinstance(batch, tuple) else batch[part]


def accumulate(vectors: Any, sizes: Sequence[int], differentiate: Callable[[int], Any]) -> Any:
    """Let ``differentiate(number)`` leave the gradients of each part, and put in their place those of the whole batch.

    Each part counts by its size, of `sizes`. Returns the mean loss, in float64, of those that `differentiate` returns.
    """
    total, loss, moved = vectors.zeros(), 0.0, [False] * len(vectors.parameters)
    for number, size in enumerate(sizes):
        share = size / sum(sizes)
        loss = loss + share * differentiate(number).astype("float64")
        active = vectors.collect()
        for start, stop in vectors.spans(active, 0, len(active)):
            total[start:stop] += share * vectors.gradients[start:stop]
        moved = [before or now for before, now in zip(moved, active, strict=True)]
    for piece, has_gradient in zip(vectors.pieces, moved, strict=True):
        mean = total[piece.start : piece.stop].reshape(piece.gradient.shape)
        piece.parameter.grad = deposited(piece.parameter, mean) if has_gradient else None
    return loss


def in_parts(run: Run, passes: "Passes") -> "Passes":
    """These passes, made in parts if gradients are accumulated."""
    return passes if run.micro_batch is None else PassesInParts(run, passes)


class PassesInParts:
    """The `passes` of a batch, a part at a time: the mean loss, all of the output, and the mean of the gradients."""

    counted: RunningMetrics | None = None

    def __init__(self, run: Run, passes: "Passes") -> None:
        self._run, self._passes = run, passes
        self.engine = passes.engine

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        cut, outputs = parts(self._run, len(x)), []

        def differentiate(number: int) -> Any:
            loss, output = self._passes(rows(x, cut[number]), rows(y, cut[number]))
            outputs.append(_copied(plain(output)))  # the next part may be computed in the same place
            return plain(loss)

        sizes = [part.stop - part.start for part in cut]
        loss = accumulate(self._run.optimizer.vectors, sizes, differentiate)
        self.engine = self._passes.engine
        return wrap(loss), _joined(outputs)


def _copied(output: Any) -> Any:
    return tuple(map(_copied, output)) if isinstance(output, tuple) else output.copy()


def _joined(batches: Sequence[Any]) -> Any:
    """Arrays, or tuples of them, one after the other."""
    if isinstance(batches[0], tuple):
        return tuple(_joined(alike) for alike in zip(*batches, strict=True))
    return array_module(batches[0]).concatenate(batches)
