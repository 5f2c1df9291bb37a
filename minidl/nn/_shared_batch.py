"""A batch that several processes share: what a layer that looks across samples has to know of the others' rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ..autograd import Op
from ..backend import Array


@dataclass(frozen=True)
class SharedBatch:
    """A batch of `total` samples, of which this process computes `rows`, from number `first` on.

    A process for which no sample is left computes one of another's, so that all do the same; it has `counts` False.
    `add`: an array's sum over the processes, the same bits in each.
    """

    total: int
    first: int
    rows: int
    counts: bool
    add: Callable[[Array], Array]

    @property
    def share(self) -> float:
        """What this process's mean over its rows contributes to the mean over the batch."""
        return self.rows / self.total if self.counts else 0.0


_now: ContextVar[SharedBatch | None] = ContextVar("shared batch", default=None)


def shared_batch() -> SharedBatch | None:
    """The batch of which this thread computes a part now; None if it computes all of it."""
    return _now.get()


@contextmanager
def sharing(batch: SharedBatch) -> Iterator[None]:
    """Within the block this thread computes its part of `batch`."""
    token = _now.set(batch)
    try:
        yield
    finally:
        _now.reset(token)


@Op
def all_sum(a: Array) -> Array:
    """The sum of the processes' `a`, in each of them: a loss that is their sum has a gradient of the same kind."""
    shared = _now.get()
    return a if shared is None else shared.add(a)


all_sum.vjp(lambda g, y, a: all_sum(g))
all_sum.whole = True


def part_of_loss(loss: Callable[[Any, Any], Any], output: Any, labels: Any) -> Any:
    """What this process's rows contribute to the batch's mean `loss`: the processes' sum is the mean."""
    value, shared = loss(output, labels), _now.get()
    return value if shared is None else value * shared.share
