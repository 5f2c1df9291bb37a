"""Sums of rows, each times an entry's value, in the order in which OpenBLAS adds.

`rows` is where row 0 is, `stride` the bytes from one to the next; an entry's index says which row.
`split` is the byte of a SparseBatch that says which groups of 8 of the 64 sums are made of two, of
even and of odd terms: those are kept in `pair` until both are complete.
"""

from typing import Any

import numpy as np

from .memory import float32_at, int64_at, load_uint8, native
from .opcodes import LANES
from .simd import (
    add_rows,
    add_rows_and_group,
    add_rows_to_pair,
    copy_lanes,
    multiply_add,
    set_pair_to_rows,
    set_to_rows,
    set_to_rows_and_group,
)
from .sparse_batch import INDEX

F = np.float32
LANE_BYTES = 4 * LANES


@native
def split_groups(split: Any, row: Any, column: Any, n: Any) -> Any:
    """The byte of split groups for the 64 columns of an (.., n) product from `column` on."""
    return load_uint8(split + row * ((n + LANES - 1) // LANES) + column // LANES)


@native
def sum_rows(
    target: Any,
    pair: Any,
    rows: Any,
    stride: Any,
    entries: Any,
    count: Any,
    anew: Any,
    split: Any,
    limit: Any,
) -> Any:
    """64 sums of rows, begun `anew` or continued; those of `split` groups also as pairs."""
    if split == 0:
        if anew:
            set_to_rows(target, rows, stride, entries, count)
        else:
            add_rows(target, rows, stride, entries, count)
    elif split & (split - 1) == 0:  # one group, whose sums fit in registers beside the 64
        group = 32 * _lowest_bit(split)
        if anew:
            set_to_rows_and_group(target, pair, rows, stride, entries, count, group, limit)
        else:
            add_rows_and_group(target, pair, rows, stride, entries, count, group, limit)
    elif anew:
        set_to_rows(target, rows, stride, entries, count)
        set_pair_to_rows(pair, rows, stride, entries, count, limit)
    else:
        add_rows(target, rows, stride, entries, count)
        add_rows_to_pair(pair, rows, stride, entries, count, limit)


@native
def join_pair(target: Any, pair: Any, split: Any) -> Any:
    """Add the complete sums of even and of odd terms, in the place of the `split` groups."""
    sums, lowest = float32_at(target, LANES), _lowest_bit(split)
    if split & (split - 1) == 0:
        even, odd = float32_at(pair, 8), float32_at(pair + 32, 8)
        for i in range(8):
            sums[8 * lowest + i] = even[i] + odd[i]
        return
    even, odd = float32_at(pair, LANES), float32_at(pair + LANE_BYTES, LANES)
    for group in range(8):
        if (split >> group) & 1:
            for i in range(8 * group, 8 * group + 8):
                sums[i] = even[i] + odd[i]


@native
def _lowest_bit(bits: Any) -> Any:
    """The number of the lowest bit that is set."""
    number = 0
    while (bits >> number) & 1 == 0:
        number += 1
    return number


@native
def sum_narrow_rows(
    target: Any, rows: Any, stride: Any, lanes: Any, at: Any, count: Any, anew: Any
) -> Any:
    """`set_to_rows` or `add_rows`, for rows of fewer than 64 numbers as well."""
    sums = float32_at(target, lanes)
    entries, values = int64_at(at, count), float32_at(at, 2 * count)  # the same memory
    if anew:
        for i in range(lanes):
            sums[i] = F(0)
    for e in range(count):
        row = float32_at(rows + stride * (entries[e] & INDEX), lanes)
        value = values[2 * e + 1]
        for i in range(lanes):
            sums[i] = multiply_add(value, row[i], sums[i])


@native
def add_numbers(target: Any, others: Any, count: Any) -> Any:
    """Add `count` numbers to those at `target`."""
    sums, found = float32_at(target, count), float32_at(others, count)
    for i in range(count):
        sums[i] += found[i]


@native
def copy_numbers(source: Any, target: Any, count: Any) -> Any:
    """Copy `count` numbers."""
    here, there = float32_at(source, count), float32_at(target, count)
    for i in range(count):
        there[i] = here[i]


@native
def pack_rows(source: Any, stride: Any, lanes: Any, rows: Any, target: Any) -> Any:
    """Copy rows of up to 64 columns, `stride` numbers apart, side by side, padded with zeros."""
    for k in range(rows):
        if lanes == LANES:
            copy_lanes(source + 4 * k * stride, target + LANE_BYTES * k)
        else:
            row = float32_at(source + 4 * k * stride, lanes)
            packed = float32_at(target + LANE_BYTES * k, LANES)
            for i in range(LANES):
                packed[i] = row[i] if i < lanes else F(0)
