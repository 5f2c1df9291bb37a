"""Batch normalisation over a batch that several processes share."""

from typing import Any

import numpy as np

from ..backend import array_module
from ..fusable import Fusable
from ..ops import concatenate, getitem, mean, sqrt, square, sum
from ..ops.shape import plain
from ._shared_batch import SharedBatch, all_sum


class Statistics:
    """The `mean` and the unbiased `variance` of a batch, once they have been found."""

    mean: Any
    variance: Any


@Fusable
def batch_norm_across(x: Any, gamma: Any, beta: Any, *, eps: float, shared: SharedBatch, into: Statistics) -> Any:
    """`ops.batch_norm` over the rows of all processes; `into` gets their mean, and their unbiased variance.

    Each process sends the mean of its rows and the sum of squares about that, and puts them together with the others'
    (Chan, Golub and LeVeque 1983): one message of 2 · processes · features numbers forward, and one backward.
    """
    own = plain(x)[:1]
    shifted = x - own  # as in `ops.batch_norm`
    apart = mean(shifted, 0, keepdims=True)
    centred = shifted - apart
    parts = concatenate([apart + own, sum(square(centred), 0, keepdims=True)])
    place = np.arange(len(shared.shares))[:, None, None] == shared.process
    parts = all_sum(parts * array_module(own).asarray(place, own.dtype) * float(shared.counts))
    rows, total = rows_of_all(shared, len(x))
    counts = array_module(own).asarray(rows, own.dtype)[:, None]
    first = plain(parts)[:1, 0]
    means = getitem(parts, (slice(None), 0)) - first
    middle = sum(means * (counts / total), 0, keepdims=True)
    squares = sum(getitem(parts, (slice(None), 1)) + counts * square(means - middle), 0, keepdims=True)
    into.mean, into.variance = (plain(middle) + first)[0], plain(squares)[0] / (total - 1)
    from_middle = centred + (apart + (own - first) - middle)
    return gamma * (from_middle / sqrt(squares / total + eps)) + beta


batch_norm_across.whole = True  # its messages are sent once, however a step is recorded


def rows_of_all(shared: SharedBatch, rows: int) -> tuple[list[int], int]:
    """How many rows of x each process counts, of whose this one has `rows`, and how many they are together."""
    each = rows // shared.rows  # for a sample
    return [each * samples for samples in shared.shares], each * shared.total
