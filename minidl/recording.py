"""Whether what is computed is recorded, for a gradient: switched per thread, and per asynchronous task."""

from contextvars import ContextVar
from typing import overload

from .contexts import F, Reusable

# A context variable, because each thread and each task has its own; a count, so that blocks may end in any order.
pauses: ContextVar[int] = ContextVar("minidl: how many blocks keep recording off", default=0)
transforms: ContextVar[int] = ContextVar("minidl: how many functions are being differentiated", default=0)
paused = pauses.get  # how many such blocks the caller is in: nothing is recorded unless it is 0


class recording(Reusable):
    """Switch recording on or off for a block."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self._before: list[int] = []

    def __enter__(self) -> None:
        if self.on:
            self._before.append(paused())
            pauses.set(0)
        else:
            pauses.set(paused() + 1)

    def __exit__(self, *error: object) -> None:
        pauses.set(self._before.pop() if self.on else max(paused() - 1, 0))


@overload
def no_grad(function: None = None) -> recording: ...
@overload
def no_grad(function: F) -> F: ...
def no_grad(function: F | None = None) -> recording | F:
    """A context manager and a decorator: within it nothing is recorded, in this thread or asynchronous task.

    ``with no_grad():``, ``@no_grad()`` or ``@no_grad``. The same object may be used again, and within itself.

    Args:
        function: what to decorate, in the form without brackets. Generators and coroutines too: their bodies record
            nothing, what runs while they wait does.

    Returns:
        The context manager, or the decorated function.
    """
    return recording(False) if function is None else recording(False)(function)
