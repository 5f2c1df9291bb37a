"""Numbers too small for their exponent, counted as zero.

A float32 below 1.2e-38 is a *denormal*: it loses digits, and the processor takes a hundred times as long for it.
Training makes them by the thousand: the momentum of a weight whose input is rarely on decays as β^k. Where the
processor can treat them as zero (x86-64 under Linux, by the floating-point environment of C), `fit` has it do so.
"""

import ctypes
import functools
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

_MXCSR = 28  # where the x86-64 fenv_t keeps the control word of the vector unit
_FLUSH, _ZERO = 0x8000, 0x0040  # results that are denormal become zero; operands that are count as zero


@functools.cache
def _library() -> Any:
    """C's functions for the floating-point environment; None where its layout is another."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        return None
    for dtype in (np.float16, np.float32, np.float64):  # the first NumPy 2 asks for their limits only when these are
        np.finfo(dtype)  # asked for, and warns if the smallest number is zero by then
    return ctypes.CDLL("libm.so.6")


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Within the block, denormals are zero in this thread; on other processors and systems nothing changes."""
    library = _library()
    if library is None:
        yield
        return
    before = _control(library)
    flush()
    try:
        yield
    finally:
        _control(library, before)


def flush() -> None:
    """From here on denormals are zero in this thread; on other processors and systems nothing changes."""
    library = _library()
    if library is not None:
        _control(library, _control(library) | _FLUSH | _ZERO)


def _control(library: Any, word: int | None = None) -> int:
    """The vector unit's control word; with `word`, that is set instead."""
    environment = ctypes.create_string_buffer(32)
    library.fegetenv(environment)
    held = ctypes.c_uint32.from_buffer(environment, _MXCSR)
    if word is not None:
        held.value = word
        library.fesetenv(environment)
    return held.value
