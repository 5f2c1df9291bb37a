"""Batch normalisation over a batch that several processes share."""

from typing import Any

from ..ops import sqrt, square, sum
from ..ops.shape import plain
from ._shared_batch import SharedBatch, all_sum


def batch_norm_across(x: Any, gamma: Any, beta: Any, eps: float, shared: SharedBatch) -> tuple[Any, Any, Any]:
    """`ops.batch_norm` over the rows of all processes; also their mean, and their unbiased variance, as arrays.

    Three sums over the processes forward, of as many numbers as there are features, and two backward.
    """
    total = shared.total * len(x) // shared.rows
    counts = float(shared.counts)
    origin = all_sum(plain(x)[:1] * (counts if shared.first == 0 else 0.0))  # as in `ops.batch_norm`, one for all
    shifted = x - origin
    mean = all_sum(sum(shifted * counts, 0, keepdims=True)) / total
    centred = shifted - mean
    variance = all_sum(sum(square(centred) * counts, 0, keepdims=True)) / total
    y = gamma * (centred / sqrt(variance + eps)) + beta
    return y, (plain(mean) + origin)[0], plain(variance)[0] * (total / (total - 1))
