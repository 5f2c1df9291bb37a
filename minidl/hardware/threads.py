"""How many threads compute: OpenBLAS's, which NumPy's matrix products use, and minidl's own.

OpenBLAS, which NumPy's wheels bring, takes every core for every product. For the small products of an MLP
that pays little, and on a machine that is busy with something else it costs dearly: the threads wait for one
another by spinning, and a step can take ten times as long. There is no public call to change it at run time,
so the library that NumPy has loaded is asked by name; where there is none of these names, nothing changes.

So while minidl computes (arithmetic.py) OpenBLAS has one thread, and each thread of the user's may have a second one,
its *assistant*. It takes the second half of a product, which is cut in two at a point that depends on its shape alone:
the results are the same bits with and without it. Where there are more than two cores, large products are left to
OpenBLAS and as many of them as are allowed.

An assistant serves the thread that it was made in and no other. It is made when there is first something worth
sharing, and ends with its thread. OpenBLAS's number of threads belongs to the whole process: whoever wants another is
counted.
"""

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import numpy as np

from ..checks import checked_integer
from ..machine_code import silent
from .assistant import Assistant
from .denormals import Denormals
from .thread_limit import limit

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_NAMES = "scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads"


@functools.cache
def _openblas() -> tuple[Any, Any] | None:
    """The functions that get and set OpenBLAS's number of threads; None if NumPy uses another library."""
    try:
        library = ctypes.PyDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    for name in _NAMES:
        if hasattr(library, name.format("set")):
            get, set_ = (getattr(library, name.format(verb)) for verb in ("get", "set"))
            set_.restype = None
            return get, set_
    return None


def blas_threads() -> int | None:
    """The number of threads that NumPy's matrix products use now; None if that is not known."""
    found = _openblas()
    return None if found is None else int(found[0]())


class _ThreadCounts:
    """OpenBLAS's number of threads while several of Python's threads want different ones.

    The smallest number wanted holds; when no thread wants one any more, it is what it was before. If each block
    restored the number that it had found, blocks that overlap in time would restore one another's.
    """

    def __init__(self) -> None:
        # Reentrant, as a signal's handler may compute, or fork, while its thread holds it.
        self.lock = threading.RLock()
        self.before: int | None = None  # the number outside all blocks; None while there is no block
        self._wanted: dict[int, int] = {}  # by each thread, in its innermost block

    def mine(self) -> int | None:
        """The number that this thread wants; None if it does not care."""
        return self._wanted.get(get_ident())

    def want(self, count: int | None) -> None:
        """From here on this thread wants `count`; None if it does not care. Made again, nothing more happens."""
        found = _openblas()
        if found is None:
            return
        get, set_ = found
        wanted = self._wanted
        with self.lock:
            if count is not None:
                if self.before is None:
                    self.before = get()
                wanted[get_ident()] = count
            else:
                wanted.pop(get_ident(), None)
            if wanted:
                set_(count if count is not None and len(wanted) == 1 else min(wanted.values()))
            elif self.before is not None:
                set_(self.before)
                self.before = None

    def only(self, thread: int) -> None:
        """Forget all threads but one, as a fork does."""
        for other in self._wanted.keys() - {thread}:
            del self._wanted[other]
        self.want(self._wanted.get(thread))


_counts = _ThreadCounts()


@contextmanager
def use_blas_threads(count: int | None) -> Iterator[None]:
    """Within the block matrix products use `count` threads; None changes nothing.

    The number is one for the whole process. Blocks may be nested, and open in several threads at once: then the
    smallest number holds, and after the last of them the number is what it was before the first.

    Results are the same bit for bit only for the same number of threads. Raises `OptionError` unless
    `count` is an integer of at least 1.
    """
    if count is not None:
        count = checked_integer(count, "threads", 1)
    if count is None:
        yield
        return
    before = _counts.mine()
    _counts.want(count)
    try:
        yield
    finally:
        _counts.want(before)


class Circumstances:
    """What a thread computes with: the state of its outermost call into minidl, and what it keeps between calls."""

    __slots__ = "_denormals", "alone", "assistant", "inside", "threads", "wanted"

    def __init__(self) -> None:
        self.inside = False  # whether the thread is in such a call
        self.threads: int | None = None  # how many threads that call was told to use
        self.alone = False  # whether the assistant has no part in it
        self.wanted: int | None = None  # of OpenBLAS's threads, outside of the call
        self.assistant: Assistant | None = None
        self._denormals = Denormals()

    def enter(self) -> None:
        """Begin the outermost call: denormals are zero, and OpenBLAS has one thread."""
        self.wanted = _counts.mine()
        self.inside = True
        self._denormals.flush()
        _counts.want(1)

    def leave(self) -> None:
        """End it: all is as it was before. Whatever came in between, `leave` may be called again."""
        if self.inside:
            self._denormals.restore()
            _counts.want(self.wanted)
            self.alone = False
            self.inside = False


class _Here(threading.local):
    def __init__(self) -> None:
        self.now = Circumstances()


here = _Here()  # each thread's, in `now`


def allowed_threads() -> int:
    """How many threads this thread's call into minidl may use.

    What `fit` was told comes first, then `minidl.threads` or MINIDL_THREADS, then OpenBLAS's own number.
    """
    now = here.now
    given = now.threads or limit()
    if given is not None:
        return given
    return (now.wanted if now.inside else _counts.mine()) or _counts.before or blas_threads() or 1


def assistant() -> Assistant | None:
    """This thread's assistant, made now if there is none yet; None where it has no part in what is computed."""
    now = here.now
    if not now.inside or now.alone or allowed_threads() < 2 or not silent():
        return None
    if now.assistant is None:
        try:
            now.assistant = Assistant()
        except RuntimeError:  # the system grants no more threads
            return None
    return now.assistant


def both(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Call `first` and `second`: at the same time if this thread has an assistant, else one after the other."""
    other = assistant()
    if other is None:
        in_turn(first, second)
    else:
        other.both(first, second)


def in_turn(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Call `first`, then `second`."""
    first()
    second()


def _forked() -> None:
    """In a process that was forked: its only thread is a copy of the one that forked, and no assistant is there."""
    now = here.now
    now.assistant = None
    now.alone = now.inside  # to the end of the call that forked
    _counts.only(get_ident())
    _counts.lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_counts.lock.acquire, after_in_parent=_counts.lock.release, after_in_child=_forked)
