"""How many threads NumPy's matrix products use.

OpenBLAS, which NumPy's wheels bring, takes every core for every product. For the small products of an MLP
that pays little, and on a machine that is busy with something else it costs dearly: the threads wait for one
another by spinning, and a step can take ten times as long. There is no public call to change it at run time,
so the library that NumPy has loaded is asked by name; where there is none of these names, nothing changes.

So minidl has a second thread of its own, the *assistant*. It takes the second half of a product, which is cut in two
at a place that depends on its shape alone: the results are the same bits with and without it. Where there are more
than two cores, large products are left to OpenBLAS and all of them.
"""

import ctypes
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from .denormals import flush
from .errors import OptionError

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_NAMES = "scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads"


@functools.cache
def _openblas() -> tuple[Any, Any] | None:
    """The functions that get and set OpenBLAS's number of threads; None if NumPy uses another library."""
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    for name in _NAMES:
        if hasattr(library, name.format("set")):
            return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None


def blas_threads() -> int | None:
    """The number of threads that NumPy's matrix products use now; None if that cannot be told."""
    found = _openblas()
    return None if found is None else int(found[0]())


@contextmanager
def use_blas_threads(count: int | None) -> Iterator[None]:
    """Within the block matrix products use `count` threads, in the whole process; None changes nothing.

    Results are the same bit for bit only for the same number of threads. Raises `OptionError` unless
    `count` is an integer of at least 1.
    """
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise OptionError(f"threads must be an integer of at least 1, got {count!r}")
    found = _openblas() if count is not None else None
    if found is None:
        yield
        return
    get, set_ = found
    before = get()
    set_(count)
    try:
        yield
    finally:
        set_(before)


class Assistant:
    """A second thread, which makes one call while its owner makes another.

    Two queues are all: they hand a call over in half the time that an executor and its futures take.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._ends: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="minidl-assistant", daemon=True)
        self._thread.start()

    def both(self, mine: Callable[[], object], other: Callable[[], object]) -> None:
        """Call `mine` here and `other` there, at the same time. Raises what either raises."""
        self._calls.put(other)
        try:
            mine()
        finally:
            error = self._ends.get()
        if error is not None:
            raise error

    def leave(self) -> None:
        """Let the thread come to its end."""
        self._calls.put(None)
        self._thread.join()

    def _work(self) -> None:
        flush()
        np.seterr(all="ignore")  # a warning from here would name no line of the user's; numbers are looked at elsewhere
        while (call := self._calls.get()) is not None:
            try:
                call()
            except BaseException as error:
                self._ends.put(error)
            else:
                self._ends.put(None)


_assistant: Assistant | None = None


def assistant() -> Assistant | None:
    """The second thread, for those who have work to share; None if there is none."""
    return _assistant


def both(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Call `first` and `second`: at the same time if there is an assistant, else one after the other."""
    if _assistant is None:
        in_turn(first, second)
    else:
        _assistant.both(first, second)


def in_turn(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Call `first`, then `second`."""
    first()
    second()


@contextmanager
def assisted(wanted: bool) -> Iterator[None]:
    """Within the block there is an assistant, if it is `wanted` and NumPy may use more than one thread at all."""
    global _assistant
    if not wanted or _assistant is not None or (blas_threads() or 1) < 2:
        yield
        return
    _assistant = Assistant()
    try:
        yield
    finally:
        _assistant.leave()
        _assistant = None
