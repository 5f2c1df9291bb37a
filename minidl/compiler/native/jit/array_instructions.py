"""The layout of the instructions for arrays of recorded steps; see instruction_set.py.

Addresses, sizes, steps and jumps are int64. An array's next element along its last axis is a *step*
of so many bytes further, along the axis before it a *jump*; 0 where it is broadcast.
"""

from typing import NamedTuple

Address = int
Size = int


class Ufunc(NamedTuple):
    """A loop of NumPy's over `size` elements, `repeats` times.

    Its operands begin at a, b and c (the last one is the result), an element further by `step_...`
    bytes and in the next repetition by `jump_...`. A sum has its result among its operands, with
    step 0. A loop with two operands has no c.
    """

    loop: Address
    data: Address
    size: Size
    repeats: Size
    a: Address
    b: Address
    c: Address
    step_a: Size
    step_b: Size
    step_c: Size
    jump_a: Size
    jump_b: Size
    jump_c: Size


class Where(NamedTuple):
    """out = x where the bytes of `condition` are not 0, else y; by steps and jumps as `Ufunc`."""

    size: Size
    repeats: Size
    condition: Address  # bool
    x: Address
    y: Address
    out: Address
    step_condition: Size
    step_x: Size
    step_y: Size
    step_out: Size
    jump_condition: Size
    jump_x: Size
    jump_y: Size
    jump_out: Size


class WhereDouble(Where):
    """`Where` between float64 numbers."""


class Convert(NamedTuple):
    """target = source as float32; `kind` is what the source is: BOOL, INT64 or FLOAT64."""

    size: Size
    source: Address
    target: Address
    kind: int


class Pick(NamedTuple):
    """out[row] = source[row, places[row]], from the end if negative; of a place outside, NaN."""

    rows: Size
    width: Size
    source: Address
    places: Address  # int64
    out: Address


class Put(NamedTuple):
    """out = 0, but out[row, places[row]] = values[row]; a negative place counts from the end."""

    rows: Size
    width: Size
    values: Address
    places: Address  # int64
    out: Address


class Rows(NamedTuple):
    """out[i] = source[places[i]], `width` numbers, from the end if negative; outside, NaN."""

    size: Size
    width: Size
    rows: Size  # of the source
    source: Address
    places: Address  # int64
    out: Address


class CrossEntropies(NamedTuple):
    """The cross-entropy of each sample; e = e^(logit - largest), classes first, and their sums."""

    batch: Size
    classes: Size
    logits: Address
    labels: Address  # int64
    losses: Address
    e: Address
    total: Address
    picked: Address
    exp: Address
    exp_data: Address
    log: Address
    log_data: Address


class CrossEntropiesBack(NamedTuple):
    """d = (softmax - one-hot) g, with a number g for each sample, by steps of 4 or 0 bytes."""

    batch: Size
    classes: Size
    e: Address
    total: Address
    labels: Address  # int64
    g: Address
    step_g: Size
    d: Address
