"""The layout of what the interpreter is handed beside its instructions, as int64 fields."""

from typing import NamedTuple


class Task(NamedTuple):
    """What to execute, and where to write the results.

    For each batch from `first` to `last` the instructions from `begin` to `end` are executed. A
    thread that assists stays while the task is `open`, for then more calls follow.
    """

    code: int  # address of the table of instructions
    length: int  # ... and how many there are
    constants: int  # address of the float32 constants
    samples: int  # address of the samples' indices, batch after batch
    steps: int  # batches that there are samples for
    batch: int  # samples in each
    first: int
    last: int
    begin: int
    end: int
    open: int
    gradients: int  # whether the last step leaves all gradients in memory, also those it could skip
    losses: int  # address of each batch's loss, float32
    correct: int  # address of each batch's correct answers, int64
    mailbox: int  # address of the mailbox of two threads
    shared: int  # whether a second thread assists
    yield_function: int  # address of sched_yield; 0 if there is none


class SparseBatch(NamedTuple):
    """A batch without its zeros, for one product forward and one for the weight's gradient.

    An *entry* is an input that is not zero: its index within its block in the lower 32 bits, the
    bits of its float32 value in the upper. A *block* is a range of inputs, a *span* a range of
    samples, each so small that the rows it needs stay in the first-level cache. Where OpenBLAS
    begins a new partial sum, a block or span begins with a *restart*. In some groups of 8 columns
    OpenBLAS sums even and odd terms apart: `split` has a bit for each group, a byte for each 64
    columns of each row, and holds for terms below a block's *limit*; the others count as even.
    """

    samples: int
    features: int
    entries: int  # address: each sample's entries, one after the other
    begins: int  # address: where each sample's entries of each block begin
    pixel_values: int  # address: of each of the 256 pixels the value, as an entry's upper half
    columns: int  # address: each input's samples of a span, COLUMN_STRIDE entries apart
    ends: int  # address: where each of those columns ends
    groups: int  # address: where each GROUP of a single sample's entries ends, then 0; 0 if unused
    blocks: int
    block: int  # inputs in the largest block
    block_edges: int
    block_restarts: int
    block_limits: int
    block_split: int  # 0 if no group is split
    spans: int
    span_edges: int
    span_restarts: int
    span_limits: int
    span_split: int
