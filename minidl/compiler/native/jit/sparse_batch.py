"""A batch as lists of what is not zero (structures.SparseBatch), and those lists transposed.

Four fifths of an MNIST picture are zero, and nearly all words of a bag of words. `gather` writes
each sample's non-zero inputs as entries, in the order of the inputs: compressed sparse rows.
`transpose` turns the rows of a span of samples into columns, for the weight's gradient.
"""

from typing import Any

from .dense import prefetch_sample
from .memory import int64_at, load_float32, load_int64, load_uint8, native, record_at, store_int64
from .opcodes import COLUMN_STRIDE, GROUP
from .simd import entry
from .structures import SparseBatch

INDEX = 0xFFFFFFFF  # the half of an entry that is the index


@native
def gather(i: Any, samples: Any, more: Any) -> Any:
    """The entries of the samples from `first` to `last`, and their labels.

    `more`: whether another batch follows, whose first sample is behind the last of `samples`.
    """
    batch = record_at(SparseBatch, i.batch)
    edges = int64_at(batch.block_edges, batch.blocks + 1)
    all_labels, labels = int64_at(i.all_labels, 1 << 40), int64_at(i.labels, i.last)
    size = batch.features * (1 if i.pixels else 4)
    begins = batch.begins + 8 * i.first * (batch.blocks + 1)
    expected = i.last + 1 if more and i.last == batch.samples else i.last
    for b in range(i.first, i.last):
        prefetch_sample(i.inputs, samples, b + 1, expected, size)
        labels[b] = all_labels[samples[b]]
        sample = i.inputs + size * samples[b]
        at = batch.entries + 8 * b * batch.features
        if batch.groups:
            _gather_groups(batch, sample, i.pixels, at)
            continue
        for j in range(batch.blocks):
            store_int64(begins, at)
            begins += 8
            start, stop = edges[j], edges[j + 1]
            if i.pixels:
                at = _append_pixels(sample + start, stop - start, batch.pixel_values, at)
            else:
                at = _append_floats(sample + 4 * start, stop - start, at)
        store_int64(begins, at)
        begins += 8


@native
def _append_float(address: Any, index: Any, at: Any) -> Any:
    """Write (index, value) at `at`; returns where the next entry goes.

    Always stores, and advances only for non-zeros: without a branch, which would be mispredicted.
    """
    value = load_float32(address)
    store_int64(at, entry(index, value))
    return at + 8 * (value != 0)


@native
def _append_floats(numbers: Any, count: Any, at: Any) -> Any:
    """Append `count` numbers; eight that are all zero are passed over at once."""
    for k in range(0, count - 7, 8):
        pairs = numbers + 4 * k  # eight numbers are four int64
        some = load_int64(pairs) | load_int64(pairs + 8)
        more = load_int64(pairs + 16) | load_int64(pairs + 24)
        if (some | more) != 0:
            for i in range(k, k + 8):
                at = _append_float(numbers + 4 * i, i, at)
    for i in range(count - count % 8, count):
        at = _append_float(numbers + 4 * i, i, at)
    return at


@native
def _append_pixel(address: Any, index: Any, values: Any, at: Any) -> Any:
    """The same for a pixel, whose value comes from a table of 256."""
    pixel = load_uint8(address)
    store_int64(at, load_int64(values + 8 * pixel) | index)
    return at + 8 * (pixel != 0)


@native
def _append_pixels(pixels: Any, count: Any, values: Any, at: Any) -> Any:
    """Append `count` pixels; eight that are all zero are passed over at once."""
    for k in range(0, count - 7, 8):
        if load_int64(pixels + k) != 0:
            for i in range(k, k + 8):
                at = _append_pixel(pixels + i, i, values, at)
    for i in range(count - count % 8, count):
        at = _append_pixel(pixels + i, i, values, at)
    return at


@native
def _gather_groups(batch: Any, sample: Any, pixels: Any, at: Any) -> Any:
    """The entries of a single sample, and where each GROUP of inputs that has any ends."""
    ends = batch.groups
    for k in range(0, batch.features, GROUP):
        stop, begin = min(k + GROUP, batch.features), at
        if not pixels:
            for i in range(k, stop):
                at = _append_float(sample + 4 * i, i, at)
        elif stop - k < GROUP or load_int64(sample + k) != 0:  # eight pixels at once
            for i in range(k, stop):
                at = _append_pixel(sample + i, i, batch.pixel_values, at)
        store_int64(ends, at)
        ends += 8 * (at != begin)
    store_int64(ends, 0)


@native
def transpose(batch: Any, first: Any, last: Any, sample: Any, count: Any) -> Any:
    """For each input of blocks `first` to `last`: which of `count` samples have it."""
    edges = int64_at(batch.block_edges, batch.blocks + 1)
    # `ends` says of each input where its column's next entry goes: first where the column begins.
    for k in range(edges[first], edges[last]):
        store_int64(batch.ends + 8 * k, batch.columns + 8 * k * COLUMN_STRIDE)
    for b in range(count):
        begins = batch.begins + 8 * (sample + b) * (batch.blocks + 1)
        for j in range(first, last):
            ends = batch.ends + 8 * edges[j]
            for at in range(load_int64(begins + 8 * j), load_int64(begins + 8 * j + 8), 8):
                # The same value, but the sample's number in the place of the input's.
                found = load_int64(at)
                end = ends + 8 * (found & INDEX)
                column = load_int64(end)
                store_int64(column, (found & ~INDEX) | b)
                store_int64(end, column + 8)
