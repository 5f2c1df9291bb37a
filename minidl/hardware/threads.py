"""How many threads NumPy's matrix products use.

OpenBLAS, which NumPy's wheels bring, takes every core for every product. For the small products of an MLP
that pays little, and on a machine that is busy with something else it costs dearly: the threads wait for one
another by spinning, and a step can take ten times as long. There is no public call to change it at run time,
so the library that NumPy has loaded is asked by name; where there is none of these names, nothing changes.

So a training has a second thread of its own, the *assistant*. It takes the second half of a product, which is cut in
two at a point that depends on its shape alone: the results are the same bits with and without it. Where there are more
than two cores, large products are left to OpenBLAS and all of them.

An assistant serves the thread that it was made in and no other; every other thread computes alone, and so does a
process that was forked. OpenBLAS's number of threads belongs to the whole process: whoever wants another is counted.
"""

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import numpy as np

from ..checks import checked_integer
from .denormals import flush

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
    """The number of threads that NumPy's matrix products use now; None if that is not known."""
    found = _openblas()
    return None if found is None else int(found[0]())


class _ThreadCounts:
    """OpenBLAS's number of threads while several of Python's threads want different ones.

    The smallest number wanted holds; when no thread wants one any more, it is what it was before. If each block
    restored the number that it had found, blocks that overlap in time would restore one another's.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.before: int | None = None  # the number outside all blocks; None while there is no block
        self._wanted: dict[int, list[int]] = {}  # by each thread, in its nested blocks

    def enter(self, count: int, get: Callable[[], int], set_: Callable[[int], None]) -> None:
        """Begin a block of this thread's in which products use `count` threads."""
        with self.lock:
            if self.before is None:
                self.before = get()
            self._wanted.setdefault(threading.get_ident(), []).append(count)
            self._apply(get, set_)

    def leave(self, get: Callable[[], int], set_: Callable[[int], None]) -> None:
        """End this thread's innermost block."""
        with self.lock:
            mine = self._wanted.get(threading.get_ident())
            if mine is None:  # the block was begun before a fork, by a thread that does not exist here
                return
            mine.pop()
            if not mine:
                del self._wanted[threading.get_ident()]
            self._apply(get, set_)

    def of(self, thread: int) -> int | None:
        """The number that a thread wants, else the one outside all blocks; None while there is no block."""
        with self.lock:
            mine = self._wanted.get(thread)
            return mine[-1] if mine else self.before

    def only(self, thread: int) -> None:
        """Forget all threads but one, as a fork does."""
        self._wanted = {ident: counts for ident, counts in self._wanted.items() if ident == thread}

    def _apply(self, get: Callable[[], int], set_: Callable[[int], None]) -> None:
        wanted = min((counts[-1] for counts in self._wanted.values()), default=self.before)
        if wanted is not None and wanted != get():
            set_(wanted)
        if not self._wanted:
            self.before = None


_counts = _ThreadCounts()


def allowed_threads() -> int:
    """How many threads products may use in this thread, whatever others want meanwhile."""
    return _counts.of(threading.get_ident()) or blas_threads() or 1


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
    found = _openblas() if count is not None else None
    if found is None or count is None:
        yield
        return
    _counts.enter(count, *found)
    try:
        yield
    finally:
        _counts.leave(*found)


class _Task:
    """A call for the assistant. Whichever claims it first makes it: the assistant, or its owner."""

    __slots__ = "_ended", "_free", "call", "ended", "error"

    def __init__(self, call: Callable[[], object]) -> None:
        self.call, self.ended = call, False
        self.error: BaseException | None = None
        self._free, self._ended = threading.Lock(), threading.Lock()
        self._ended.acquire()

    def claim(self) -> bool:
        """Whether the caller is the first to claim the call, and so has to make it."""
        return self._free.acquire(blocking=False)

    def make(self) -> None:
        """Make the call; what it raises is kept."""
        try:
            self.call()
        except BaseException as error:
            self.error = error
        self.ended = True
        self._ended.release()

    def wait(self) -> None:
        """Wait until the call has ended, even if a signal's handler raises meanwhile; that is raised afterwards."""
        raised: BaseException | None = None
        while not self.ended:  # not the lock: a handler may raise when that has just been taken
            try:
                self._ended.acquire()
            except BaseException as error:
                raised = error
        if raised is not None:
            raise raised


class Assistant:
    """A second thread, which makes one call while its owner makes another.

    A queue and a lock are all: they hand a call over in half the time that an executor and its futures take.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(self._tasks,), name="minidl-assistant", daemon=True
        )  # it does not hold its owner alive
        self._thread.start()

    def both(
        self, mine: Callable[[], object], other: Callable[[], object], cancel: Callable[[], object] | None = None
    ) -> None:
        """Call `mine` here and `other` there, at the same time. Raises what either raises.

        Neither runs any more afterwards, whatever exception ends the call, also one that a signal's handler raises.
        `cancel` is called then if `mine` did not finish, to end an `other` that waits for it.
        """
        task = _Task(other)
        finished = False
        try:
            self._tasks.put(task)
            mine()
            finished = True
        finally:
            # The task is either claimed back, or waited for: on no way out does the other thread still run.
            if task.claim():  # the assistant has not begun: the machine is busy
                if finished:
                    with np.errstate(all="ignore"):  # as there
                        other()
            else:
                if cancel is not None and not finished:
                    cancel()
                task.wait()
        if task.error is not None:
            raise task.error

    def leave(self) -> None:
        """End the thread."""
        self._tasks.put(None)
        self._thread.join()

    def __del__(self) -> None:
        self._tasks.put(None)  # in case `leave` was never called


def _work(tasks: "SimpleQueue[_Task | None]") -> None:
    """What the second thread runs."""
    flush()
    np.seterr(all="ignore")  # a warning from here would name no line of the user's; numbers are looked at elsewhere
    while (task := tasks.get()) is not None:
        if task.claim():
            task.make()
        del task  # and with it the arrays that it names


class _Own(threading.local):
    """State of each thread."""

    assistant: Assistant | None = None


_own = _Own()


def assistant() -> Assistant | None:
    """This thread's assistant; None if it has none."""
    return _own.assistant


def both(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Call `first` and `second`: at the same time if this thread has an assistant, else one after the other."""
    if _own.assistant is None:
        in_turn(first, second)
    else:
        _own.assistant.both(first, second)


def in_turn(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Call `first`, then `second`."""
    first()
    second()


@contextmanager
def assisted(wanted: bool) -> Iterator[None]:
    """Within the block this thread has an assistant, if one is `wanted` and NumPy may use more than one thread."""
    if not wanted or _own.assistant is not None or allowed_threads() < 2:
        yield
        return
    try:
        _own.assistant = mine = Assistant()
    except RuntimeError:  # the system grants no more threads
        yield
        return
    try:
        yield
    finally:
        if _own.assistant is mine:  # not so in a process that was forked within the block
            _own.assistant = None
            mine.leave()


def _forked() -> None:
    """In a process that was forked: its only thread is a copy of the one that forked, and no assistant is there."""
    _own.assistant = None
    _counts.only(threading.get_ident())
    _counts.lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_counts.lock.acquire, after_in_parent=_counts.lock.release, after_in_child=_forked)
