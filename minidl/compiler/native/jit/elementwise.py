"""What recorded steps need beside a network's layers: NumPy's loops, choices, and picked elements.

Each function executes one instruction, `i`. `scratch` holds the arguments of a call of a loop.
"""

from typing import Any

import numpy as np

from .memory import (
    call,
    float32_at,
    float64_at,
    int64_at,
    load_float32,
    load_float64,
    load_uint8,
    native,
    store_float32,
    store_float64,
    uint8_at,
)
from .opcodes import BOOL, INT64

F = np.float32
ZERO, ONE, NAN = np.float32(0), np.float32(1), np.float32(np.nan)


@native
def ufunc(i: Any, scratch: Any) -> Any:
    """Call a loop of NumPy's, which takes its arguments by pointer."""
    arguments = int64_at(scratch, 7)  # the addresses, the count, the steps
    for r in range(i.repeats):
        arguments[0] = i.a + r * i.jump_a
        arguments[1] = i.b + r * i.jump_b
        arguments[2] = i.c + r * i.jump_c
        arguments[3] = i.size
        arguments[4], arguments[5], arguments[6] = i.step_a, i.step_b, i.step_c
        call(i.loop, (scratch, scratch + 24, scratch + 32, i.data))


def _where(load: Any, store: Any) -> Any:
    """A function that chooses between numbers which `load` reads and `store` writes."""

    @native
    def where(i: Any) -> Any:
        for r in range(i.repeats):
            condition, x = i.condition + r * i.jump_condition, i.x + r * i.jump_x
            y, out = i.y + r * i.jump_y, i.out + r * i.jump_out
            for j in range(i.size):
                chosen = load_uint8(condition + j * i.step_condition)
                at = x + j * i.step_x if chosen else y + j * i.step_y
                store(out + j * i.step_out, load(at))

    return where


where = _where(load_float32, store_float32)
where_double = _where(load_float64, store_float64)


@native
def convert(i: Any) -> Any:
    """Numbers of another dtype as float32."""
    target = float32_at(i.target, i.size)
    if i.kind == BOOL:
        truth = uint8_at(i.source, i.size)
        for j in range(i.size):
            target[j] = ONE if truth[j] else ZERO
    elif i.kind == INT64:
        integers = int64_at(i.source, i.size)
        for j in range(i.size):
            target[j] = F(integers[j])
    else:
        doubles = float64_at(i.source, i.size)
        for j in range(i.size):
            target[j] = F(doubles[j])


@native
def pick(i: Any) -> Any:
    """One element of each row."""
    source, places = float32_at(i.source, i.rows * i.width), int64_at(i.places, i.rows)
    out = float32_at(i.out, i.rows)
    for row in range(i.rows):
        place = places[row] if places[row] >= 0 else places[row] + i.width
        out[row] = source[row * i.width + place] if 0 <= place < i.width else NAN


@native
def put(i: Any) -> Any:
    """One element of each row, zeros beside it."""
    values, places = float32_at(i.values, i.rows), int64_at(i.places, i.rows)
    out = float32_at(i.out, i.rows * i.width)
    for j in range(i.rows * i.width):
        out[j] = ZERO
    for row in range(i.rows):
        place = places[row] if places[row] >= 0 else places[row] + i.width
        if 0 <= place < i.width:
            out[row * i.width + place] = values[row]


@native
def rows(i: Any) -> Any:
    """Rows of a matrix, by their numbers."""
    source, places = float32_at(i.source, i.rows * i.width), int64_at(i.places, i.size)
    out = float32_at(i.out, i.size * i.width)
    for row in range(i.size):
        place = places[row] if places[row] >= 0 else places[row] + i.rows
        inside = 0 <= place < i.rows
        for j in range(i.width):
            out[row * i.width + j] = source[place * i.width + j] if inside else NAN
