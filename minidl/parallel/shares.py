"""Which samples of a batch are whose."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Loader
from ..data.stream import Stream
from ..nn._shared_batch import SharedBatch
from ..overrides import overridden
from ..train.engines.accumulation import rows
from .communicator import Communicator


def share(count: int, rank: int, size: int) -> tuple[int, int]:
    """The first of rank `rank`'s, and the one behind its last, of so many things: shares differ by one at most."""
    each, more = divmod(count, size)
    first = rank * each + min(rank, more)
    return first, first + each + (rank < more)


@dataclass(frozen=True)
class Cut:
    """This rank's share of a batch of `total` samples: their `numbers` in it; and of each part that is made by itself.

    `parts`: for each, where its rows are among this rank's, and what is to be known of the others' rows.
    """

    total: int
    numbers: np.ndarray
    parts: list[tuple[slice, SharedBatch]]

    @property
    def share(self) -> float:
        """Of the batch's samples, how many are this rank's."""
        return sum(batch.rows for _, batch in self.parts if batch.counts) / self.total


def cut(total: int, part: int, comm: Communicator) -> Cut:
    """This rank's share of a batch of `total` samples that goes forward and backward `part` samples at a time."""
    numbers: list[int] = []
    parts = []
    for start in range(0, total, part):
        size = min(part, total - start)
        first, last = share(size, comm.rank, comm.size)
        counts = last > first
        if not counts:  # the others have them all: compute one along with them
            first, last = 0, 1
        rows = last - first
        of_all = tuple(stop - start for start, stop in (share(size, rank, comm.size) for rank in range(comm.size)))
        batch = SharedBatch(size, first, rows, counts, comm.rank, of_all, comm)
        parts.append((slice(len(numbers), len(numbers) + rows), batch))
        numbers += range(start + first, start + last)
    return Cut(total, np.array(numbers), parts)


class SharedLoader(Loader):
    """This rank's rows of each batch of the loader `whole`; `cut` tells which those of the last batch were."""

    cut: Cut

    def __init__(self, whole: Loader, comm: Communicator, part: int | None) -> None:
        vars(self).update(vars(whole))
        self.whole, self._comm, self._part = whole, comm, part
        self._cuts: dict[int, Cut] = {}

    def __len__(self) -> int:
        return len(self.whole)

    def order(self) -> np.ndarray | None:
        """That of the whole batches."""
        return self.whole.order()

    def batches(
        self, order: np.ndarray | None, first: int = 0, last: int | None = None, *more: Any, **options: Any
    ) -> Iterator[tuple[Any, Any]]:
        """This rank's rows of the batches numbered from `first` up to `last`; `more`: what else `whole` takes."""
        if type(self.whole) is Loader and overridden(self.whole, "batches", "_here") is None:
            yield from self._gathered(order, range(first, len(self) if last is None else last), more, options)
            return
        for x, y in self.whole.batches(order, first, last, *more, **options):
            self._take(len(x))
            yield rows(x, self.cut.numbers), rows(y, self.cut.numbers)

    def _gathered(self, order: np.ndarray | None, batches: range, more: Any, options: Any) -> Iterator[tuple[Any, Any]]:
        """The same where the other ranks' rows need not be read."""
        size, order = self.batch_size, np.arange(len(self.dataset)) if order is None else order
        for number in batches:
            batch = order[number * size : (number + 1) * size]
            self._take(len(batch))
            own = Loader(self.dataset, len(self.cut.numbers), backend=self.backend)
            yield next(iter(own.batches(batch[self.cut.numbers], 0, 1, *more, **options)))

    def _take(self, total: int) -> None:
        self.cut = self.cut_of(total)

    def cut_of(self, total: int) -> Cut:
        """This rank's share of a batch of so many samples."""
        if total not in self._cuts:
            self._cuts[total] = cut(total, self._part or total, self._comm)
        return self._cuts[total]


class SharedStream(SharedLoader, Stream):
    """The same of batches that are made elsewhere, by each rank."""

    def order(self) -> None:
        """None: the batches come as they come."""


def shared_loader(whole: Loader, comm: Communicator, part: int | None) -> SharedLoader:
    """This rank's rows of each batch of `whole`, `part` samples of which go forward and backward at a time."""
    return (SharedStream if isinstance(whole, Stream) else SharedLoader)(whole, comm, part)
