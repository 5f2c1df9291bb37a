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

_heard: dict[Any, Any] = {}  # the signals that are listened for, with what handled them before
_asked: int | None = None  # the first that has come
_at_once = False  # whether it need not wait


@contextmanager
def listening(*signals: Any) -> Iterator[None]:
    """Within the block `signals` only make `asked` true, and `obey` raise; a second Ctrl-C raises where it comes.

    One that is set to be ignored (under nohup, say) stays so, but for SIGPIPE, which Python ignores. Blocks may
    be nested. Outside the main thread, where Python delivers no signals, nothing happens.
    """
    global _asked
    outermost = not _heard
    mine = []
    if threading.current_thread() is threading.main_thread():
        for number in signals:
            if number is None or number in _heard:
                continue
            before = signal.getsignal(number)
            if before is None or (before is signal.SIG_IGN and number != SIGPIPE):
                continue
            mine.append(number)
            _heard[number] = signal.signal(number, _hear)
    hook = sys.unraisablehook
    if mine and outermost:
        # a second Ctrl-C that comes where Python cannot raise (in a weakref's callback) is obeyed with the first
        sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else hook(lost)
    try:
        yield
        if mine and outermost:
            obey()
    finally:
        sys.unraisablehook = hook
        for number in mine:
            signal.signal(number, _heard.pop(number))
        if mine and outermost:
            _asked = None


def asked() -> bool:
    """Whether a signal has come that is to be obeyed."""
    return _asked is not None


def obey() -> None:
    """Raise ``KeyboardInterrupt`` for Ctrl-C, ``SystemExit(128 + number)`` for another signal, if one has come."""
    if _asked is not None:
        raise KeyboardInterrupt if _asked == SIGINT else SystemExit(128 + _asked)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, which changes nothing that training goes on from, a signal is obeyed at once."""
    global _at_once
    obey()
    _at_once = True
    try:
        yield
    finally:
        _at_once = False


def _hear(number: int, frame: FrameType | None) -> None:
    global _asked
    if _asked is not None and number == SIGINT:
        raise KeyboardInterrupt
    if _asked is None:
        _asked = number
        compiling: Any = sys.modules.get("minidl.compile.warm")
        if compiling is not None:
            compiling.interrupted = True  # what this process has started ends with it
        if _at_once:
            obey()
