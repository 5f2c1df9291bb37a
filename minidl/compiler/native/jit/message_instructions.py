"""The layouts of instructions for sums over processes (messages.py), as in instruction_set.py."""

from typing import NamedTuple

Address = int
Size = int
Constant = int


class Enclose(NamedTuple):
    """Write loss · share and the correct answers behind the gradients, at `tail`."""

    tail: Address
    share: Constant


class AllReduce(NamedTuple):
    """Replace `size` numbers by their sums over all processes, by MPI_Allreduce."""

    function: Address
    in_place: int  # MPI's own numbers
    datatype: int
    operation: int
    communicator: int
    calls: Address  # int64: the messages that this process has begun
    waiting: Address  # int64: whether it waits in one
    step: Address  # int64: where it stands, ...
    first: Address  # ... and where it stood before the first step of this call
    vector: Address
    size: Size
    failed: Address  # int64: where MPI's error goes, if there is one


class SumSlices(NamedTuple):
    """Replace elements `first` to `last` of all processes' vectors, in shared memory, by sums."""

    processes: Size
    vectors: Address  # int64: where each process's is
    first: Size
    last: Size


class Totals(NamedTuple):
    """Read the loss and the correct answers of the whole batch behind the gradients."""

    tail: Address


class SharedNormParts(NamedTuple):
    """BatchNorm before its message: x - mean, for `width` of the `stride` features.

    `parts`, (processes, 2, stride): zeros, but `own`, where the mean and the sum of squares go.
    """

    rows: Size
    width: Size
    stride: Size
    processes: Size
    x: Address
    x_hat: Address
    parts: Address
    own: Address


class SharedNorm(NamedTuple):
    """BatchNorm after its message: x̂ in place, and the statistics of the rows of all processes."""

    rows: Size
    width: Size
    stride: Size
    processes: Size
    numbers: Address  # all rows, eps; then for each process its share of the rows, and its rows
    x_hat: Address
    parts: Address
    own: Address  # this process's
    y: Address
    gamma: Address
    beta: Address
    inverse: Address
    mean: Address
    squares: Address
