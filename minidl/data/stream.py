"""Batches that somebody else makes, one after the other: a list of them, a generator function, ..."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..errors import DataError
from .dataset import Dataset
from .labels import made_up
from .loader import Loader

UNKNOWN = sys.maxsize  # the length of an epoch of which nobody knows yet how long it is


class Stream(Loader):
    """A `Loader` over batches that are made elsewhere, in the order in which they come.

    Each batch goes through a `Dataset`: what is an array there is one here, uint8 are pixels, and so on. `dataset` is
    the first batch, which is taken at once, to be looked at before anything is trained; an epoch begins with it.

    Args:
        source: batches (x, y), or (x, y, sample_weight): a list, whatever can be iterated over again and again, or a
            function without arguments that returns an iterator: a generator function, not its call. An iterator, which
            ends after one epoch, will do for one.
        backend: where the batches live; the current backend if not given.

    Raises:
        DataError: there is no batch, or one is no such pair.
    """

    def __init__(self, source: Callable[[], Iterable[Any]] | Iterable[Any], backend: Backend | None = None) -> None:
        self.source = source
        self._made = 0  # batches of this epoch so far
        self._waiting: Iterator[Any] = self._begun()
        first = next(self._waiting, None)
        if first is None:
            raise DataError("there is no batch: the iterable that fit or evaluate was given is empty")
        self._first: Any = first  # until it has been handed out
        dataset = self._read(first)
        super().__init__(dataset, len(dataset), shuffle=False, backend=backend)

    @property
    def once(self) -> bool:
        """Whether there is one epoch only: an iterator cannot begin anew."""
        return hasattr(self.source, "__next__")

    def __len__(self) -> int:
        """The number of batches in an epoch, or `UNKNOWN`."""
        return len(self.source) if isinstance(self.source, Sized) else UNKNOWN

    def order(self) -> None:
        """None: the batches come as they come."""

    def batches(
        self, order: np.ndarray | None, first: int = 0, last: int | None = None, inputs: Array | None = None
    ) -> Iterator[tuple[Array, Any]]:
        """The next batches, up to number `last` (None: all that come). An epoch begins where `first` is 0."""
        if first == 0 and self._made:
            self._waiting, self._made = self._begun(), 0
        while last is None or self._made < last:
            batch = next(self._waiting, None) if self._first is None else self._first
            self._first = None
            if batch is None:
                return
            dataset = self._read(batch)
            self._made += 1
            yield self._whole(dataset)

    def sample(self, count: int) -> tuple[Array, Any]:
        """`count` samples of the first batch, or all."""
        return self._whole(self.dataset[:count])

    def _begun(self) -> Iterator[Any]:
        return iter(self.source if isinstance(self.source, Iterable) else self.source())

    def _whole(self, dataset: Dataset) -> tuple[Array, Any]:
        return next(iter(Loader(dataset, "full", shuffle=False, backend=getattr(self, "backend", None))))

    def _read(self, batch: Any) -> Dataset:
        name = f"batch {self._made + 1}"
        if not (isinstance(batch, tuple | list) and len(batch) in (2, 3)):
            raise DataError(
                f"{name}: expected a pair (inputs, labels), or (inputs, labels, sample_weight), got a "
                f"{type(batch).__name__}; Dataset(inputs, labels) makes a data set of two arrays"
            )
        x, y, *weights = batch
        dataset = Dataset(x, y, name=name, sample_weight=weights[0] if weights else None)
        if not made_up(dataset.classes):
            raise DataError(f"{name}: labels that are strings have no numbers that all batches share: give numbers")
        if self._made and bool(weights) != (self.dataset.sample_weight is not None):
            raise DataError(f"{name}: give all batches weights, or none")
        return dataset
