"""Ctrl-C while Python still imports the command ``minidl``: it ends at once, without a traceback.

The first that minidl imports, so it imports little itself. In any other program it does nothing.
"""

import os
import signal
import sys


def _is_command() -> bool:
    """Whether this process is ``minidl``, or ``python -m minidl`` that is looking for its module."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    if name == "-m":
        given = sys.orig_argv
        return given[given.index("-m") + 1 :][:1] in (["minidl"], ["minidl.cli"]) if "-m" in given else False
    return name in ("minidl", "minidl.exe")


def end(number: int, frame: object) -> None:
    os._exit(128 + number)


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, end)
