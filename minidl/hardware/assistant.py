"""A second thread, which takes half of what can be halved.

While it has nothing to do it is blocked in its queue: it costs no time, and nothing waits for it at the end.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np

from .denormals import flush


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
            try:
                raise raised
            finally:
                raised = None  # which holds this frame: together they would keep the assistant from ending


class Assistant:
    """A second thread, which makes one call while its owner makes another.

    A queue and a lock are all: they hand a call over in half the time that an executor and its futures take.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        # It holds no reference to this object, and so does not keep it, or the interpreter, alive.
        threading.Thread(target=_work, args=(self._tasks,), name="minidl-assistant", daemon=True).start()

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
            try:
                raise task.error
            finally:
                del task  # whose error holds this frame: as in `wait`

    def __del__(self) -> None:
        self._tasks.put(None)  # so the thread ends when its owner does


def _work(tasks: "SimpleQueue[_Task | None]") -> None:
    """What the second thread runs."""
    flush()
    np.seterr(all="ignore")  # a warning from here would name no line of the user's; numbers are looked at elsewhere
    while (task := tasks.get()) is not None:
        if task.claim():
            task.make()
        del task  # and with it the arrays that it names
