"""Products with a batch that is mostly zeros, which are passed over.

`matmul` sums, for each sample, the rows of the weight that its entries name; `gradient` sums, for
each input, the rows of the gradient that belong to its samples. They add in the order in which
OpenBLAS does (summation_order.py), where a product with zero changes no sum. So the results are
those of a dense product bit for bit, on one thread or two.
"""

from typing import Any

import numpy as np

from .memory import float32_at, int64_at, load_int64, native, record_at
from .opcodes import COLUMN_STRIDE, LANES, SPAN
from .simd import add_rows, add_sum_of_rows, set_to_rows
from .sparse_batch import transpose
from .sparse_sums import (
    LANE_BYTES,
    add_numbers,
    copy_numbers,
    join_pair,
    pack_rows,
    split_groups,
    sum_narrow_rows,
    sum_rows,
)
from .structures import SparseBatch

F = np.float32


@native
def matmul(i: Any) -> Any:
    """Samples `first` to `last` and columns `left` to `right` of x @ w, 64 columns at a time.

    A block of w is copied side by side, so that it stays in the first-level cache for all samples;
    if few samples read a row (`few`), the rows are read where they are. A block that begins with a
    restart is summed apart, in `partial`, and added to the sums before it when it is complete.
    """
    batch = record_at(SparseBatch, i.batch)
    if batch.groups:
        _matmul_grouped(i, batch)
        return
    n, blocks, split = i.n, batch.blocks, batch.block_split
    edges = int64_at(batch.block_edges, blocks + 1)
    restarts = int64_at(batch.block_restarts, blocks + 1)
    limits = int64_at(batch.block_limits, blocks)
    packed = i.scratch
    narrow_sums = packed + LANE_BYTES * batch.block  # of columns that do not make up 64
    partial = narrow_sums + LANE_BYTES * batch.samples
    pairs = partial + LANE_BYTES * batch.samples
    for c in range(i.left, i.right, LANES):
        lanes = min(LANES, i.right - c)
        # A rest of fewer than 64 columns is padded: its sums find no room in y. (Not if `few`.)
        direct = lanes == LANES or i.few
        target, stride = (i.y + 4 * c, 4 * n) if direct else (narrow_sums, LANE_BYTES)
        into, step = target, stride
        for j in range(blocks):
            rows, row_bytes = i.w + 4 * (edges[j] * n + c), 4 * n
            if not i.few:
                pack_rows(rows, n, lanes, edges[j + 1] - edges[j], packed)
                rows, row_bytes = packed, LANE_BYTES
            anew = restarts[j]
            if anew and j > 0:
                into, step = partial, LANE_BYTES
            narrow = i.few and lanes < LANES
            plain = split == 0 and not narrow
            for b in range(i.first, i.last):
                begin = batch.begins + 8 * (b * (blocks + 1) + j)
                entries = load_int64(begin)
                count = (load_int64(begin + 8) - entries) >> 3
                sums = into + b * step
                if plain and anew:
                    set_to_rows(sums, rows, row_bytes, entries, count)
                elif plain:
                    add_rows(sums, rows, row_bytes, entries, count)
                elif narrow:  # without split groups: the trial finds out if that is wrong
                    sum_narrow_rows(sums, rows, row_bytes, lanes, entries, count, anew)
                else:
                    groups, pair = split_groups(split, b, c, n), pairs + 2 * LANE_BYTES * b
                    sum_rows(sums, pair, rows, row_bytes, entries, count, anew, groups, limits[j])
                    if groups and restarts[j + 1]:
                        join_pair(sums, pair, groups)
            # Complete, as the next block begins another sum: added to those before it.
            if into == partial and restarts[j + 1]:
                for b in range(i.first, i.last):
                    add_numbers(target + b * stride, partial + LANE_BYTES * b, lanes)
        if not direct:
            for b in range(i.first, i.last):
                copy_numbers(narrow_sums + LANE_BYTES * b, i.y + 4 * (b * n + c), lanes)


@native
def _matmul_grouped(i: Any, batch: Any) -> Any:
    """x @ w for one sample: each GROUP of inputs is summed alone, then the sums are."""
    y = float32_at(i.y, i.right)
    for j in range(i.left, i.right):
        y[j] = F(0)
    begin, ends = batch.entries, batch.groups
    end = load_int64(ends)
    while end != 0:
        count = (end - begin) >> 3
        for c in range(i.left, i.right, LANES):
            lanes = i.right - c
            if lanes >= LANES:
                add_sum_of_rows(i.y + 4 * c, i.w + 4 * c, 4 * i.n, begin, count)
            else:
                sum_narrow_rows(i.scratch, i.w + 4 * c, 4 * i.n, lanes, begin, count, True)
                add_numbers(i.y + 4 * c, i.scratch, lanes)
        begin, ends = end, ends + 8
        end = load_int64(ends)


@native
def gradient(i: Any) -> Any:
    """Rows of xᵀ @ d, for the inputs of blocks `first` to `last`.

    A span of samples at a time: so few that their rows of d, copied side by side, stay in the
    first-level cache. A span that begins with a restart is summed apart, in `partial`, as in
    `matmul`.
    """
    batch = record_at(SparseBatch, i.batch)
    n, spans, split = i.n, batch.spans, batch.span_split
    chunks = (n + LANES - 1) // LANES  # of 64 columns
    edges = int64_at(batch.block_edges, batch.blocks + 1)
    samples = int64_at(batch.span_edges, spans + 1)
    restarts = int64_at(batch.span_restarts, spans + 1)
    limits = int64_at(batch.span_limits, spans)
    start, stop = edges[i.first], edges[i.last]
    packed = i.scratch
    narrow_sums, into = packed + LANE_BYTES * SPAN, i.out
    for s in range(spans):
        sample, anew = samples[s], restarts[s]
        count = samples[s + 1] - sample
        if anew and s > 0:
            into = i.partial
        transpose(batch, i.first, i.last, sample, count)
        for c in range(0, n, LANES):
            lanes = min(LANES, n - c)
            pack_rows(i.d + 4 * (sample * n + c), n, lanes, count, packed)
            plain = split == 0 and lanes == LANES
            for k in range(start, stop):
                entries = batch.columns + 8 * k * COLUMN_STRIDE
                found = (load_int64(batch.ends + 8 * k) - entries) >> 3
                out = into + 4 * (k * n + c)
                if plain and anew:
                    set_to_rows(out, packed, LANE_BYTES, entries, found)
                    continue
                if plain:
                    add_rows(out, packed, LANE_BYTES, entries, found)
                    continue
                sums = out if lanes == LANES else narrow_sums
                if lanes < LANES and not anew:
                    copy_numbers(out, sums, lanes)
                if split:
                    groups, pair = split_groups(split, k, c, n), i.pairs
                    if spans > 1:  # a pair waits for the next span: each needs its own
                        pair += 2 * LANE_BYTES * (k * chunks + c // LANES)
                    sum_rows(
                        sums, pair, packed, LANE_BYTES, entries, found, anew, groups, limits[s]
                    )
                    if groups and restarts[s + 1]:
                        join_pair(sums, pair, groups)
                elif anew:
                    set_to_rows(sums, packed, LANE_BYTES, entries, found)
                else:
                    add_rows(sums, packed, LANE_BYTES, entries, found)
                if lanes < LANES:
                    copy_numbers(sums, out, lanes)
        if into == i.partial and restarts[s + 1]:
            offset, numbers = 4 * start * n, (stop - start) * n
            add_numbers(i.out + offset, i.partial + offset, numbers)
