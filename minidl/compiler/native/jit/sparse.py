"""Products with a batch that is mostly zeros, as loops for the machine: what is zero is passed over.

Of a picture of MNIST, four fifths are zero, and so are nearly all words of a text. `gather` writes each sample of a
batch down as a list of its inputs that are not zero. `matmul` adds up the rows of the weight that such a list names,
and `gradient` for each input the rows of the gradient that belong to its samples. They add in the order in which
OpenBLAS does (order.py), where a product with zero changes no sum: so the results are those of a dense product, bit
for bit, and the same however many threads.

`lists` is where the lists of a batch are described: see `codes`.
"""

from typing import Any

import numpy as np

from . import dense, opcodes
from .memory import floats, integer, integers, native, octet, put, real
from .simd import (
    LANES,
    add_rows,
    add_rows_and_rim,
    add_rows_to_pairs,
    add_sum_of_rows,
    copy,
    entry,
    multiply_add,
    set_pairs_to_rows,
    set_to_rows,
    set_to_rows_and_rim,
)

F = np.float32


@native
def gather(row: Any, rows: Any, more: Any) -> Any:
    """The lists of the samples from `first` to `last` of a batch, and their labels; pixels are scaled to [0, 1].

    `more`: whether another batch follows, whose first sample is behind the last of `rows`.
    """
    first, last, source, labels_from, labels_to, pixels = row[1], row[2], row[3], row[4], row[5], row[6]
    lists = integers(row[7], opcodes.LISTS)
    width, blocks = lists[opcodes.FEATURES], lists[opcodes.BLOCKS]
    edges = integers(lists[opcodes.EDGES], blocks + 1)
    labels, own = integers(labels_from, 1 << 40), integers(labels_to, last)
    size = 1 if pixels else 4
    begins = lists[opcodes.BEGINS] + 8 * first * (blocks + 1)
    expected = last + 1 if more and last == lists[opcodes.SAMPLES] else last
    for b in range(first, last):
        dense.expect_sample(source, rows, b + 1, expected, size * width)
        own[b] = labels[rows[b]]
        sample, at = source + size * rows[b] * width, lists[opcodes.ENTRIES] + 8 * b * width
        if lists[opcodes.GROUPED]:
            _groups(sample, width, pixels, lists[opcodes.VALUES], at, lists[opcodes.GROUPED])
            continue
        for j in range(blocks):
            put(begins, at)
            start, stop = edges[j], edges[j + 1]
            if pixels:
                at = _pixels(sample + start, stop - start, lists[opcodes.VALUES], at)
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
def _groups(sample: Any, width: Any, pixels: Any, values: Any, at: Any, ends: Any) -> Any:
    """Write down the inputs of one sample that are not zero, and where each GROUP that has any ends in the list."""
    for k in range(0, width, opcodes.GROUP):
        stop, begin = min(k + opcodes.GROUP, width), at
        if not pixels:
            for i in range(k, stop):
                value = real(sample + 4 * i)
                put(at, entry(i, value))
                at += 8 * (value != 0)
        elif stop - k < opcodes.GROUP or integer(sample + k) != 0:
            for i in range(k, stop):
                pixel = octet(sample + i)
                put(at, integer(values + 8 * pixel) | i)
                at += 8 * (pixel != 0)
        put(ends, at)
        ends += 8 * (at != begin)
    put(ends, 0)


@native
def matmul(row: Any) -> Any:
    """Rows `first` to `last` and columns `left` to `right` of x @ w.

    A block of w is copied to `room` beforehand, so that it lies in the first cache, side by side, for all samples. If
    few will read a row (`few`), the rows are taken where they are. Sums that begin anew with a block are made apart,
    in `others`, and added to those before them when they are complete.
    """
    first, last, left, right, n, w, y = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
    lists, room, few = integers(row[8], opcodes.LISTS), row[9], row[10]
    if lists[opcodes.GROUPED]:
        _grouped(lists, left, right, n, w, y, room)
        return
    blocks, batch = lists[opcodes.BLOCKS], lists[opcodes.SAMPLES]
    edges, anew = integers(lists[opcodes.EDGES], blocks + 1), integers(lists[opcodes.EDGES_ANEW], blocks + 1)
    limits, rims = integers(lists[opcodes.EDGES_LIMIT], blocks), lists[opcodes.RIMS]
    sums = room + 4 * LANES * lists[opcodes.BLOCK]  # of columns that do not make up 64
    others = sums + 4 * LANES * batch
    pairs = others + 4 * LANES * batch
    for c in range(left, right, LANES):
        lanes = min(LANES, right - c)
        target, stride = (y + 4 * c, 4 * n) if lanes == LANES or few else (sums, 4 * LANES)
        into, step = target, stride
        for j in range(blocks):
            here, apart = w + 4 * (edges[j] * n + c), 4 * n
            if not few:
                _copied(here, n, lanes, edges[j + 1] - edges[j], room)
                here, apart = room, 4 * LANES
            begins = anew[j]
            if begins and j > 0:
                into, step = others, 4 * LANES
            narrow = few and lanes < LANES
            plain = rims == 0 and not narrow
            for b in range(first, last):
                begin = lists[opcodes.BEGINS] + 8 * (b * (blocks + 1) + j)
                entries, count = integer(begin), (integer(begin + 8) - integer(begin)) >> 3
                if plain and begins:
                    set_to_rows(into + b * step, here, apart, entries, count)
                elif plain:
                    add_rows(into + b * step, here, apart, entries, count)
                elif narrow:  # rims there are not made of two sums: that is found out when it is tried
                    _added(here, apart, lanes, entries, count, into + b * step, begins)
                else:
                    rim, pair = _rim(rims, b, c, n), pairs + 8 * LANES * b
                    _summed(into + b * step, pair, here, apart, entries, count, begins, rim, limits[j])
                    if rim and anew[j + 1]:
                        _join(into + b * step, pair, rim)
            if into == others and anew[j + 1]:
                for b in range(first, last):
                    _plus(target + b * stride, others + 4 * LANES * b, lanes)
        if target == sums:
            for b in range(first, last):
                _moved(sums + 4 * LANES * b, y + 4 * (b * n + c), lanes)


@native
def _rim(rims: Any, row: Any, column: Any, n: Any) -> Any:
    """Which groups of 8 of the 64 numbers of a product, from this row and column on, are made of two sums, as bits."""
    return octet(rims + row * ((n + LANES - 1) // LANES) + column // LANES)


@native
def _summed(target: Any, pair: Any, rows: Any, stride: Any, entries: Any, count: Any, anew: Any, rim: Any,
            limit: Any) -> Any:  # fmt: skip
    """64 sums of rows, begun anew or gone on with; those of a `rim` also as two sums each, in `pair`."""
    if rim == 0:
        if anew:
            set_to_rows(target, rows, stride, entries, count)
        else:
            add_rows(target, rows, stride, entries, count)
    elif rim & (rim - 1) == 0:
        if anew:
            set_to_rows_and_rim(target, pair, rows, stride, entries, count, 32 * _lowest(rim), limit)
        else:
            add_rows_and_rim(target, pair, rows, stride, entries, count, 32 * _lowest(rim), limit)
    elif anew:
        set_to_rows(target, rows, stride, entries, count)
        set_pairs_to_rows(pair, rows, stride, entries, count, limit)
    else:
        add_rows(target, rows, stride, entries, count)
        add_rows_to_pairs(pair, rows, stride, entries, count, limit)


@native
def _join(target: Any, pair: Any, rim: Any) -> Any:
    """Put the sums of a `rim`, each of two that are complete now, in their places among 64."""
    sums, lowest = floats(target, LANES), _lowest(rim)
    if rim & (rim - 1) == 0:
        even, odd = floats(pair, 8), floats(pair + 32, 8)
        for i in range(8):
            sums[8 * lowest + i] = even[i] + odd[i]
        return
    even, odd = floats(pair, LANES), floats(pair + 4 * LANES, LANES)
    for group in range(8):
        if (rim >> group) & 1:
            for i in range(8 * group, 8 * group + 8):
                sums[i] = even[i] + odd[i]


@native
def _lowest(bits: Any) -> Any:
    """The number of the lowest bit that is set."""
    number = 0
    while (bits >> number) & 1 == 0:
        number += 1
    return number


@native
def _plus(target: Any, others: Any, lanes: Any) -> Any:
    """Add so many numbers to those at `target`."""
    sums, found = floats(target, lanes), floats(others, lanes)
    for i in range(lanes):
        sums[i] += found[i]


@native
def _added(rows: Any, stride: Any, lanes: Any, at: Any, count: Any, target: Any, anew: Any) -> Any:
    """What `set_to_rows` and `add_rows` do, for rows of less than 64 as well."""
    sums, entries, factors = floats(target, lanes), integers(at, count), floats(at, 2 * count)
    if anew:
        for i in range(lanes):
            sums[i] = F(0)
    for e in range(count):
        own, factor = floats(rows + stride * (entries[e] & 0xFFFFFFFF), lanes), factors[2 * e + 1]
        for i in range(lanes):
            sums[i] = multiply_add(factor, own[i], sums[i])


@native
def _grouped(lists: Any, left: Any, right: Any, n: Any, w: Any, y: Any, room: Any) -> Any:
    """Columns `left` to `right` of x @ w for one sample: each GROUP of inputs is added up alone, then the sums are."""
    sums = floats(y, right)
    for i in range(left, right):
        sums[i] = F(0)
    begin, ends = lists[opcodes.ENTRIES], lists[opcodes.GROUPED]
    end = integer(ends)
    while end != 0:
        count = (end - begin) >> 3
        for c in range(left, right, LANES):
            if right - c >= LANES:
                add_sum_of_rows(y + 4 * c, w + 4 * c, 4 * n, begin, count)
            else:
                _added(w + 4 * c, 4 * n, right - c, begin, count, room, True)
                _plus(y + 4 * c, room, right - c)
        begin, ends = end, ends + 8
        end = integer(ends)


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

    That is done for a span of samples at a time, so few that their rows of d, copied side by side, stay in the first
    cache. Sums that begin anew with a span are made apart, in `others`, as in `matmul`, and so are `pairs` of sums.
    """
    first, last, n, d, target = row[1], row[2], row[3], row[4], row[5]
    lists, room, others, pairs = integers(row[6], opcodes.LISTS), row[7], row[8], row[9]
    edges = integers(lists[opcodes.EDGES], lists[opcodes.BLOCKS] + 1)
    spans = lists[opcodes.SPANS]
    samples, anew = integers(lists[opcodes.SPAN_EDGES], spans + 1), integers(lists[opcodes.SPANS_ANEW], spans + 1)
    limits, rims = integers(lists[opcodes.SPANS_LIMIT], spans), lists[opcodes.SPAN_RIMS]
    start, stop = edges[first], edges[last]
    sums, into = room + 4 * LANES * opcodes.TOGETHER, target
    for s in range(spans):
        sample, count, begins = samples[s], samples[s + 1] - samples[s], anew[s]
        if begins and s > 0:
            into = others
        _transposed(lists, first, last, sample, count)
        for c in range(0, n, LANES):
            lanes = min(LANES, n - c)
            _copied(d + 4 * (sample * n + c), n, lanes, count, room)
            plain = rims == 0 and lanes == LANES
            for k in range(start, stop):
                entries, own = lists[opcodes.COLUMNS] + 8 * k * opcodes.COLUMN, into + 4 * (k * n + c)
                found = (integer(lists[opcodes.ENDS] + 8 * k) - entries) >> 3
                if plain and begins:
                    set_to_rows(own, room, 4 * LANES, entries, found)
                    continue
                if plain:
                    add_rows(own, room, 4 * LANES, entries, found)
                    continue
                place = own if lanes == LANES else sums
                if lanes < LANES and not begins:
                    _moved(own, sums, lanes)
                if rims:
                    rim, pair = _rim(rims, k, c, n), pairs
                    pair += 8 * LANES * (k * ((n + LANES - 1) // LANES) + c // LANES) if spans > 1 else 0
                    _summed(place, pair, room, 4 * LANES, entries, found, begins, rim, limits[s])
                    if rim and anew[s + 1]:
                        _join(place, pair, rim)
                elif begins:
                    set_to_rows(place, room, 4 * LANES, entries, found)
                else:
                    add_rows(place, room, 4 * LANES, entries, found)
                if lanes < LANES:
                    _moved(sums, own, lanes)
        if into == others and anew[s + 1]:
            _plus(target + 4 * start * n, others + 4 * start * n, (stop - start) * n)


@native
def _moved(source: Any, target: Any, count: Any) -> Any:
    """So many numbers from one place to another."""
    here, there = floats(source, count), floats(target, count)
    for i in range(count):
        there[i] = here[i]


@native
def _transposed(lists: Any, first: Any, last: Any, sample: Any, count: Any) -> Any:
    """For each input of blocks `first` to `last`, which of `count` samples from `sample` on have it."""
    blocks = lists[opcodes.BLOCKS]
    edges = integers(lists[opcodes.EDGES], blocks + 1)
    for k in range(edges[first], edges[last]):
        put(lists[opcodes.ENDS] + 8 * k, lists[opcodes.COLUMNS] + 8 * k * opcodes.COLUMN)
    for b in range(count):
        begins = lists[opcodes.BEGINS] + 8 * (sample + b) * (blocks + 1)
        for j in range(first, last):
            ends = lists[opcodes.ENDS] + 8 * edges[j]
            for at in range(integer(begins + 8 * j), integer(begins + 8 * j + 8), 8):
                found = integer(at)
                end = ends + 8 * (found & 0xFFFFFFFF)
                column = integer(end)
                put(column, (found & ~0xFFFFFFFF) | b)
                put(end, column + 8)
