"""Matrix products in two halves: for two threads, and the same bits if there is only one.

Where a product is cut depends on its shapes alone. The halves of a small one are computed one after the other or, where
that gives the same bits, as a whole, which saves the library from copying a factor twice; whether it does is tried out.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from ..hardware.threads import CORES, both, in_turn, use_blas_threads

Call = Callable[[], object]

# Floating-point operations:
SPLIT = 4e6  # from here on a product is cut: in machine code a second thread is already waiting
WORTH = 2e7  # from here on NumPy uses the second thread, too: waking it takes 30 to 300 microseconds
WHOLE = 1e9 if CORES > 2 else math.inf  # from here on a product is left to OpenBLAS and its own threads
TRIED = 1e9  # up to here it is tried out whether a product may be computed whole; beyond, that saves nothing

TILE = 12  # rows that OpenBLAS computes at a time on x86-64 with AVX2: a cut between two tiles changes no bit


class Halves(NamedTuple):
    """Two calls that write the halves of a product, whose "rows" or "columns" (`side`) are cut at number `at`."""

    first: Call
    second: Call
    side: str
    at: int


def cut(m: int, k: int, n: int) -> tuple[str, int] | None:
    """Where a product (m, k) @ (k, n) is cut: in its "rows" or "columns", and at which number. None: nowhere."""
    operations = 2 * m * k * n
    if min(m, n) < 2 or not SPLIT <= operations < WHOLE:
        return None
    if m >= n or (operations < WORTH and m >= 2 * TILE):
        side, length, at = "rows", m, TILE * max(1, round(m / (2 * TILE)))
    else:
        side, length, at = "columns", n, -(-n // 32) * 16
    return (side, at) if at < length else None


def halves(a: Array, b: Array, out: Array) -> Halves | None:
    """Calls that write the halves of a @ b into `out`; None if it is not cut."""
    found = cut(len(a), *b.shape)
    if found is None:
        return None
    side, at = found
    if side == "rows":
        parts = [(a[:at], b, out[:at]), (a[at:], b, out[at:])]
    else:
        parts = [(a, b[:, :at], out[:, :at]), (a, b[:, at:], out[:, at:])]
    first, second = (functools.partial(np.matmul, *part) for part in parts)
    return Halves(first, second, side, at)


def matmul(a: Array, b: Array, out: Array = None) -> Array:
    """a @ b for matrices, shared with another thread if that is worth while and there is one."""
    if cut(len(a), *b.shape) is None:
        return np.matmul(a, b, out=out)
    out = np.empty((len(a), b.shape[1]), np.result_type(a, b)) if out is None else out
    product(a, b, out)()
    return out


def product(a: Array, b: Array, out: Array) -> Call:
    """A call that writes a @ b into `out`, as `matmul` does."""
    parts = halves(a, b, out) if 2 * a.size * b.shape[1] >= WORTH else None
    return alone(a, b, out) if parts is None else functools.partial(both, parts.first, parts.second)


def alone(a: Array, b: Array, out: Array) -> Call:
    """A call that writes a @ b into `out` on one thread, with the bits of its halves if it is cut."""
    parts = halves(a, b, out)
    tried = parts is not None and parts.side == "rows" and 2 * a.size * b.shape[1] < TRIED
    if parts is None or (tried and _seamless(*_shape(a), *_shape(b), np.result_type(a, b))):
        return functools.partial(np.matmul, a, b, out)
    return functools.partial(in_turn, parts.first, parts.second)


def _shape(a: Array) -> tuple[int, int, bool]:
    return (*a.shape, a.flags.c_contiguous)


@functools.cache
def _seamless(m: int, k: int, plain_a: bool, _: int, n: int, plain_b: bool, dtype: Any) -> bool:
    """Whether a product computed whole has the bits of its halves: tried out on random numbers."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((m, k) if plain_a else (k, m)).astype(dtype)
    b = rng.standard_normal((k, n) if plain_b else (n, k)).astype(dtype)
    a, b, out = a if plain_a else a.T, b if plain_b else b.T, np.empty((m, n), dtype)
    parts = halves(a, b, out)
    with use_blas_threads(1):
        whole = a @ b
        if parts is not None:
            in_turn(parts.first, parts.second)
    return parts is not None and bool((out == whole).all())
