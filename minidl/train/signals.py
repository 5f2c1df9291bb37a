"""Signals that ask a training to stop: noted when they come, obeyed between two updates."""

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
_heard: dict[Any, Any] = {}  # the signals that are listened for, with what handled them before
_asked: int | None = None  # the first that has come
_at_once = False  # whether it need not wait
_raised = False  # whether a second Ctrl-C has raised already: what is then tidied up is not to be cut off in turn
_sheltered = 0  # how many blocks are open in which it does not raise


@contextmanager
def listening(*signals: Any) -> Iterator[None]:
    """Within the block `signals` only make `asked` true, and `obey` raise; a second Ctrl-C raises where it comes, once.

    One that is set to be ignored (under nohup, say) stays so, but for SIGPIPE, which Python ignores. Blocks may
    be nested. Outside the main thread, where Python delivers no signals, nothing happens.
    """
    global _asked, _raised
    outermost = not _heard
    mine = []
    if _in_main_thread():
        for number in signals:
            if number is None or number in _heard:
                continue
            before = signal.getsignal(number)
            if before is None or (before is signal.SIG_IGN and number != SIGPIPE):
                continue
            mine.append(number)
            _heard[number] = before
            signal.signal(number, _hear)
    hook = sys.unraisablehook
    if mine and outermost:
        # a second Ctrl-C that comes where Python cannot raise (in a weakref's callback) is obeyed with the first
        sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else hook(lost)
    try:
        yield
        if mine and outermost:
            obey()
    finally:
        if mine and outermost:
            sys.unraisablehook = hook
        for number in mine:
            signal.signal(number, _heard.pop(number))
        if mine and outermost:
            _asked, _raised = None, False


@contextmanager
def sheltered() -> Iterator[None]:
    """Within the block, which is short, no signal raises: for what must not be done by half."""
    global _sheltered
    if not _in_main_thread():
        yield
        return
    _sheltered += 1
    try:
        yield
    finally:
        _sheltered -= 1


def asked() -> bool:
    """Whether a signal has come that this thread is to obey."""
    return _asked is not None and _in_main_thread()


def obey() -> None:
    """Raise ``KeyboardInterrupt`` for Ctrl-C, ``SystemExit(128 + number)`` for another signal, if one has come."""
    if _asked is not None and _in_main_thread():
        raise KeyboardInterrupt if _asked == SIGINT else SystemExit(128 + _asked)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, which changes nothing that training goes on from, a signal is obeyed at once."""
    global _at_once
    if not _in_main_thread():
        yield
        return
    obey()
    _at_once = True
    try:
        yield
    finally:
        _at_once = False


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _hear(number: int, frame: FrameType | None) -> None:
    global _asked, _raised
    if _asked is None:
        _asked = number
        compiling: Any = sys.modules.get("minidl.compiler.native.cache.background")
        if compiling is not None:
            compiling.interrupted = True  # what this process has started ends with it
        if not _at_once:
            return
    elif number != SIGINT:
        return
    if not _raised and not _sheltered:
        _raised = True
        obey()
