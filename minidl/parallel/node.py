"""Sums among the ranks of one machine, in memory that MPI lets them share: each adds up a slice of all vectors."""

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..nn._shared_batch import Slices

PAGE = 4096  # bytes: vectors begin with one
LINE = 16  # numbers in a cache line, or two of them


class NodeVector:
    """A vector of each rank, in one window of MPI's: `own` is this rank's, `slices` what it adds up of all of them."""

    def __init__(self, mpi: Any, world: Any, size: int, dtype: Any) -> None:
        item = np.dtype(dtype).itemsize
        self._window = mpi.Win.Allocate_shared(-(-size * item // PAGE) * PAGE, item, comm=world)
        self._window.Lock_all()
        memories = [self._window.Shared_query(rank)[0] for rank in range(world.size)]
        vectors = [np.frombuffer(memory, dtype, size) for memory in memories]
        own = vectors[world.rank]
        own[...] = 0
        self._owner = weakref.ref(own)
        self._kept: np.ndarray | None = own  # until it is handed out; then its views keep it
        self._others = [vector for rank, vector in enumerate(vectors) if rank != world.rank]
        self.place, self._rank = own.ctypes.data, world.rank
        addresses = np.array([vector.ctypes.data for vector in vectors], np.int64)
        self.slices = Slices(np.zeros(1, np.float32), addresses, *_slice(size, world.rank, world.size))

    @property
    def own(self) -> np.ndarray | None:
        """This rank's vector; None once nobody has it any more."""
        return self._owner()

    def hand_out(self) -> np.ndarray:
        """This rank's vector, once: from then on it is whoever's has it."""
        own, self._kept = self._kept, None
        assert own is not None
        return own

    def add(self) -> None:
        """Replace this rank's slice of all vectors by its sum, in the order of the ranks."""
        own = self.own
        assert own is not None
        vectors: Sequence[np.ndarray] = [*self._others[: self._rank], own, *self._others[self._rank :]]
        first, *others = (vector[self.slices.first : self.slices.last] for vector in vectors)
        for other in others:
            first += other
        for other in others:
            other[...] = first

    def free(self) -> None:
        """Give the memory back, in all ranks."""
        self._others = []
        self._window.Unlock_all()
        self._window.Free()


def _slice(size: int, rank: int, ranks: int) -> tuple[int, int]:
    """The slice of rank `rank`, of whole cache lines: two ranks that write to one are slow."""
    first, last = (size * number // ranks // LINE * LINE for number in (rank, rank + 1))
    return first, size if rank + 1 == ranks else last
