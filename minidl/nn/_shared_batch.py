"""A batch that several processes share: what a layer that looks across samples has to know of the others' rows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..autograd import Op
from ..backend import Array


@dataclass(frozen=True)
class SharedBatch:
    """A batch of `total` samples, of which this process computes `rows`, from number `first` on.

    A process for which no sample is left computes one of another's, so that all do the same; it has `counts` False.
    `process` is its number, and `shares` the samples that each process counts; `summing` adds up over all of them.
    """

    total: int
    first: int
    rows: int
    counts: bool
    process: int
    shares: tuple[int, ...]
    summing: "Summing"

    @property
    def share(self) -> float:
        """What this process's mean over its rows contributes to the mean over the batch."""
        return self.rows / self.total if self.counts else 0.0


class Direct(NamedTuple):
    """A sum over the processes, in place, as machine code calls it: addresses and handles of MPI's.

    The function is MPI_Allreduce. `calls` and `waiting` are where two int64 tell the other processes how many messages
    this one has begun, and whether it waits in one; `step`: where its training stands, `first`: before the first step
    of a call.
    """

    function: int
    in_place: int
    datatype: int
    operation: int
    communicator: int
    calls: int
    waiting: int
    step: int
    first: int


class Slices(NamedTuple):
    """Vectors in memory that all processes share, of which each adds up the elements from `first` to `last`.

    `meeting`: a number whose sum tells that all have come; `vectors`: their addresses, in the order of the processes.
    """

    meeting: Array
    vectors: Array
    first: int
    last: int


class Summing(Protocol):
    """Who adds up: the communicator of the ranks."""

    def sum_(self, vector: Array) -> None:
        """Replace a contiguous array by its sum over the processes, the same bits in each."""

    def sum(self, array: Array) -> Array:
        """The sum of an array over the processes."""

    def slices(self, vector: Array) -> Slices | None:
        """How a vector is added up that is in memory which all processes share; None if it is not."""

    def direct(self) -> Direct:
        """The same for float32, for machine code."""


@dataclass(frozen=True, eq=False)
class SharedStep:
    """This process's part of a training step on a `batch` that it shares with others.

    `vectors`: the optimizer's, whose `message` goes around. `behind` tells what is behind the gradients there before
    the sum, but for the loss, which is first, the answers that were right, third, and `means`: of each statistic that
    is averaged its buffer and its place.
    """

    batch: SharedBatch
    vectors: Any
    behind: Callable[[], Array]
    means: Sequence[tuple[Any, slice]]


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
    return a if shared is None else shared.summing.sum(a)


all_sum.vjp(lambda g, y, a: all_sum(g))
all_sum.whole = True


def part_of_loss(loss: Callable[[Any, Any], Any], output: Any, labels: Any) -> Any:
    """What this process's rows contribute to the batch's mean `loss`: the processes' sum is the mean."""
    value, shared = loss(output, labels), _now.get()
    return value if shared is None else value * shared.share
