"""Ctrl-C while Python still imports the command ``minidl``: it ends at once, without a traceback.

The first that minidl imports. In any other program it does nothing.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def _is_command() -> bool:
    """Whether this process is ``minidl``, or ``python -m minidl`` that is looking for its module."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    if name == "-m":
        given = sys.orig_argv
        return given[given.index("-m") + 1 :][:1] in (["minidl"], ["minidl.cli"]) if "-m" in given else False
    return name in ("minidl", "minidl.exe")


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, Ctrl-C is the ``KeyboardInterrupt`` that it is in every other program."""
    if signal.getsignal(signal.SIGINT) is not _end:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it was asked to end already
            signal.signal(signal.SIGINT, _end)


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)
