"""Signals that ask a training to stop: noted when they arrive, raised between two updates."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NAMES = "SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"
SIGINT, SIGTERM, SIGHUP, SIGPIPE = (getattr(signal, name, None) for name in _NAMES)  # Windows lacks two of them

# Python delivers signals to the main thread, and all of this is that thread's alone.
_previous_handlers: dict[Any, Any] = {}  # of the signals that are deferred now
_pending: int | None = None  # the first signal that has arrived
_immediate = False  # whether a signal raises where it arrives
_raised = False  # whether a second Ctrl-C has raised already: the clean-up that follows is not to be cut off in turn
_shelters = 0  # how many `sheltered` blocks are open
_in_common = False  # whether only that signal counts which the processes of a training have agreed on, ...
_agreed: int | None = None  # ... which is this one


@contextmanager
def deferring(*signals: Any) -> Iterator[None]:
    """Within the block a signal raises nothing where it arrives: it makes `pending` true, and `raise_if_pending` raise.

    A second Ctrl-C does raise where it arrives, once. A signal that is set to be ignored (under nohup, say) stays
    ignored, except SIGPIPE, which Python itself ignores. Blocks may be nested. Outside the main thread, where Python
    delivers no signals, nothing happens.
    """
    global _pending, _raised
    outermost = not _previous_handlers
    mine = []
    if _in_main_thread():
        for number in signals:
            if number is None or number in _previous_handlers:
                continue
            before = signal.getsignal(number)
            if before is None or (before is signal.SIG_IGN and number != SIGPIPE):
                continue
            mine.append(number)
            _previous_handlers[number] = before
            signal.signal(number, _on_signal)
    hook = sys.unraisablehook
    if mine and outermost:
        # a second Ctrl-C that arrives where Python cannot raise (in a weakref's callback) counts with the first
        sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else hook(lost)
    try:
        yield
        if mine and outermost:
            raise_if_pending()
    finally:
        if mine and outermost:
            sys.unraisablehook = hook
        for number in mine:
            signal.signal(number, _previous_handlers.pop(number))
        if mine and outermost:
            _pending, _raised = None, False


@contextmanager
def sheltered() -> Iterator[None]:
    """Within the block, which is short, no signal raises: for changes that must be made as a whole."""
    global _shelters
    if not _in_main_thread():
        yield
        return
    _shelters += 1
    try:
        yield
    finally:
        _shelters -= 1


@contextmanager
def in_common() -> Iterator[None]:
    """Within the block a deferred signal counts once `agree_on` was told of it: then all processes stop together."""
    global _in_common, _agreed
    _in_common = True
    try:
        yield
    finally:
        _in_common, _agreed = False, None


def arrived() -> int | None:
    """The deferred signal that has arrived in this process, if one has."""
    return _pending


def agree_on(number: int) -> None:
    """Within `in_common`: let this signal be pending."""
    global _agreed
    _agreed = number


def pending() -> bool:
    """Whether a deferred signal waits to be raised in this thread."""
    return _counting() is not None and _in_main_thread()


def raise_if_pending() -> None:
    """Raise ``KeyboardInterrupt`` for Ctrl-C, ``SystemExit(128 + number)`` for another signal, if one is pending."""
    number = _counting()
    if number is not None and _in_main_thread():
        raise KeyboardInterrupt if number == SIGINT else SystemExit(128 + number)


def _counting() -> int | None:
    return _agreed if _in_common else _pending


@contextmanager
def immediate() -> Iterator[None]:
    """Within the block, which must not change the state of training, a signal raises where it arrives."""
    global _immediate
    if not _in_main_thread():
        yield
        return
    raise_if_pending()
    _immediate = True
    try:
        yield
    finally:
        _immediate = False


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _on_signal(number: int, frame: FrameType | None) -> None:
    global _pending, _raised
    if _pending is None:
        _pending = number
        compiling: Any = sys.modules.get("minidl.compiler.native.cache.background")
        if compiling is not None:
            compiling.interrupted = True  # the compiler processes that this one has started end with it
        if not _immediate:
            return
    elif number != SIGINT:
        return
    if not _raised and not _shelters:
        _raised = True
        raise_if_pending()
