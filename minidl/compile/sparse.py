"""Products with a batch that is mostly zeros, as loops for the machine: what is zero is passed over.

Of a picture of MNIST, four fifths are zero, and so are nearly all words of a text. `gather` writes each sample of a
batch down as a list of its inputs that are not zero. `matmul` adds up the rows of the weight that such a list names,
and `gradient` for each input the rows of the gradient that belong to its samples. They add in the order of the inputs
and of the samples, so the results are those of a dense product but for the rounding, and the same however many threads.

`lists` is where the lists of a batch are described: see `codes`.
"""

from typing import Any

import numpy as np

from . import codes, loops
from .calls import floats, integer, integers, native, octet, put, real
from .lanes import LANES, add_rows, copy, entry, set_to_rows

F = np.float32


@native
def gather(row: Any, rows: Any) -> Any:
    """The lists of the samples from `first` to `last` of a batch, and their labels; pixels are scaled to [0, 1]."""
    first, last, source, labels_from, labels_to, pixels = row[1], row[2], row[3], row[4], row[5], row[6]
    lists = integers(row[7], codes.LISTS)
    width, blocks, block = lists[codes.FEATURES], lists[codes.BLOCKS], lists[codes.BLOCK]
    labels, own = integers(labels_from, 1 << 40), integers(labels_to, last)
    size = 1 if pixels else 4
    begins = lists[codes.BEGINS] + 8 * first * (blocks + 1)
    for b in range(first, last):
        loops.expect_sample(source, rows, b + 1, last, size * width)
        own[b] = labels[rows[b]]
        sample, at = source + size * rows[b] * width, lists[codes.ENTRIES] + 8 * b * width
        for j in range(blocks):
            put(begins, at)
            start, stop = j * block, min((j + 1) * block, width)
            if pixels:
                at = _pixels(sample + start, stop - start, lists[codes.VALUES], at)
            else:
                for k in range(start, stop):
                    value = real(sample + 4 * k)
                    put(at, entry(k - start, value))
                    at += 8 * (value != 0)
            begins += 8
        put(begins, at)
        begins += 8


@native
def _pixels(sample: Any, count: Any, values: Any, at: Any) -> Any:
    """Write down those of `count` pixels that are not zero, each with its of 256 values; returns where the list ends.

    Every entry is written, and kept if it is one: that is quicker than a branch that no one can foretell.
    """
    for k in range(0, count - 7, 8):
        if integer(sample + k) != 0:
            for i in range(k, k + 8):
                pixel = octet(sample + i)
                put(at, integer(values + 8 * pixel) | i)
                at += 8 * (pixel != 0)
    for i in range(count - count % 8, count):
        pixel = octet(sample + i)
        put(at, integer(values + 8 * pixel) | i)
        at += 8 * (pixel != 0)
    return at


@native
def matmul(row: Any) -> Any:
    """Rows `first` to `last` and columns `left` to `right` of x @ w.

    A block of w is copied to `room` beforehand, so that it lies in the first cache, side by side, for all samples. If
    few will read a row (`few`), the rows are taken where they are.
    """
    first, last, left, right, n, w, y = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
    lists, room, few = integers(row[8], codes.LISTS), row[9], row[10]
    width, blocks, block = lists[codes.FEATURES], lists[codes.BLOCKS], lists[codes.BLOCK]
    sums = room + 4 * LANES * block  # of columns that do not make up 64
    for c in range(left, right, LANES):
        lanes = min(LANES, right - c)
        target, stride = (y + 4 * c, 4 * n) if lanes == LANES else (sums, 4 * LANES)
        for j in range(blocks):
            here, step = w + 4 * (j * block * n + c), 4 * n
            if not few:
                _copied(here, n, lanes, min(block, width - j * block), room)
                here, step = room, 4 * LANES
            for b in range(first, last):
                begin = lists[codes.BEGINS] + 8 * (b * (blocks + 1) + j)
                entries, count = integer(begin), (integer(begin + 8) - integer(begin)) >> 3
                if few and lanes < LANES:
                    _added(here, n, lanes, entries, count, y + 4 * (b * n + c), j == 0)
                elif j == 0:
                    set_to_rows(target + b * stride, here, step, entries, count)
                else:
                    add_rows(target + b * stride, here, step, entries, count)
        if not few and lanes < LANES:
            for b in range(first, last):
                own, there = floats(sums + 4 * LANES * b, LANES), floats(y + 4 * (b * n + c), lanes)
                for i in range(lanes):
                    there[i] = own[i]


@native
def _added(rows: Any, stride: Any, lanes: Any, at: Any, count: Any, target: Any, anew: Any) -> Any:
    """What `set_to_rows` and `add_rows` do, for rows of less than 64."""
    sums, entries, factors = floats(target, lanes), integers(at, count), floats(at, 2 * count)
    if anew:
        for i in range(lanes):
            sums[i] = F(0)
    for e in range(count):
        own = floats(rows + 4 * stride * (entries[e] & 0xFFFFFFFF), lanes)
        for i in range(lanes):
            sums[i] += factors[2 * e + 1] * own[i]


@native
def _copied(source: Any, stride: Any, lanes: Any, rows: Any, room: Any) -> Any:
    """Rows of up to 64 columns, `stride` numbers apart, side by side in `room`; zeros fill up those of less."""
    for k in range(rows):
        if lanes == LANES:
            copy(source + 4 * k * stride, room + 4 * LANES * k)
        else:
            own, target = floats(source + 4 * k * stride, lanes), floats(room + 4 * LANES * k, LANES)
            for i in range(LANES):
                target[i] = own[i] if i < lanes else F(0)


@native
def gradient(row: Any) -> Any:
    """Rows of x.T @ d, for the inputs of blocks `first` to `last`: for each input the samples are listed that have it.

    That is done for so many samples at a time that their rows of d, copied side by side, stay in the first cache.
    """
    first, last, n, d, target = row[1], row[2], row[3], row[4], row[5]
    lists, room = integers(row[6], codes.LISTS), row[7]
    width, block, batch = lists[codes.FEATURES], lists[codes.BLOCK], lists[codes.SAMPLES]
    start, stop = first * block, min(last * block, width)
    sums = room + 4 * LANES * codes.TOGETHER
    for s in range(0, batch, codes.TOGETHER):
        count = min(codes.TOGETHER, batch - s)
        _transposed(lists, first, last, s, count)
        for c in range(0, n, LANES):
            lanes = min(LANES, n - c)
            _copied(d + 4 * (s * n + c), n, lanes, count, room)
            for k in range(start, stop):
                entries, own = lists[codes.COLUMNS] + 8 * k * codes.COLUMN, target + 4 * (k * n + c)
                found = (integer(lists[codes.ENDS] + 8 * k) - entries) >> 3
                if lanes < LANES:
                    set_to_rows(sums, room, 4 * LANES, entries, found)
                    whole, there = floats(sums, LANES), floats(own, lanes)
                    for i in range(lanes):
                        there[i] = whole[i] if s == 0 else there[i] + whole[i]
                elif s == 0:
                    set_to_rows(own, room, 4 * LANES, entries, found)
                else:
                    add_rows(own, room, 4 * LANES, entries, found)


@native
def _transposed(lists: Any, first: Any, last: Any, sample: Any, count: Any) -> Any:
    """For each input of blocks `first` to `last`, which of `count` samples from `sample` on have it."""
    width, blocks, block = lists[codes.FEATURES], lists[codes.BLOCKS], lists[codes.BLOCK]
    for k in range(first * block, min(last * block, width)):
        put(lists[codes.ENDS] + 8 * k, lists[codes.COLUMNS] + 8 * k * codes.COLUMN)
    for b in range(count):
        begins = lists[codes.BEGINS] + 8 * (sample + b) * (blocks + 1)
        for j in range(first, last):
            ends = lists[codes.ENDS] + 8 * j * block
            for at in range(integer(begins + 8 * j), integer(begins + 8 * j + 8), 8):
                found = integer(at)
                end = ends + 8 * (found & 0xFFFFFFFF)
                column = integer(end)
                put(column, (found & ~0xFFFFFFFF) | b)
                put(end, column + 8)
