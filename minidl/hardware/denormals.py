"""Numbers too small for their exponent, counted as zero.

A float32 below 1.2e-38 is a *denormal*: it loses digits, and the processor takes a hundred times as long for it.
Training makes them by the thousand: the momentum of a weight whose input is rarely on decays as β^k. Where the
processor can treat them as zero (x86-64 under Linux, by the floating-point environment of C), minidl's calls have it
do so (arithmetic.py).
"""

import ctypes
import functools
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

_MXCSR = 28  # where the x86-64 fenv_t keeps the control word of the vector unit
_FLUSH, _ZERO = 0x8000, 0x0040  # results that are denormal become zero; operands that are count as zero
_BOTH = _FLUSH | _ZERO


@functools.cache
def _library() -> Any:
    """C's functions for the floating-point environment; None where its layout is another."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        return None
    for dtype in (np.float16, np.float32, np.float64):  # the first NumPy 2 asks for their limits only when these are
        np.finfo(dtype)  # asked for, and warns if the smallest number is zero by then
    return ctypes.PyDLL("libm.so.6")  # which keeps Python's lock: handing it over takes longer than the call


class Denormals:
    """The switch for denormals of the thread that uses this object; on other processors and systems it does nothing.

    Each call of minidl turns it, so all that can be is prepared here. `restore` may be called at any time and again:
    what an exception, or a signal's, has kept from it is then done.
    """

    def __init__(self) -> None:
        self._before: int | None = None  # the vector unit's control word before `flush`; None outside of the two
        self._known = _library() is not None
        if self._known:
            environment = ctypes.create_string_buffer(32)
            self._word = ctypes.c_uint32.from_buffer(environment, _MXCSR)
            self._get = partial(_library().fegetenv, ctypes.byref(environment))
            self._set = partial(_library().fesetenv, ctypes.byref(environment))

    def flush(self) -> None:
        """From here on denormals are zero in this thread."""
        if self._known:
            self._get()
            self._before = self._word.value
            self._word.value = self._before | _BOTH
            self._set()

    def restore(self) -> None:
        """From here on they are what they were before `flush`."""
        if self._before is not None:
            self._word.value = self._before
            self._set()
            self._before = None


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Within the block, denormals are zero in this thread; on other processors and systems nothing changes."""
    denormals = Denormals()
    denormals.flush()
    try:
        yield
    finally:
        denormals.restore()


def flush() -> None:
    """From here on denormals are zero in this thread; on other processors and systems nothing changes."""
    Denormals().flush()
