"""While Python still imports minidl: Ctrl-C ends the command at once, and nobody looks for garbage.

The first that minidl imports, so it imports little itself.
"""

import gc
import os
import signal
import sys

# What an import makes stays, and to look for garbage in it took a tenth of the time.
_collects = gc.isenabled()
gc.disable()


def imported() -> None:
    """The import has ended: look for garbage again, if that was on; and not at once among all that is new."""
    global _collects
    if not gc.get_freeze_count():  # nobody has frozen anything, so that this unfreezes nothing of theirs
        gc.freeze()
        gc.unfreeze()  # what was young counts as old from here on
    if _collects:
        gc.enable()
    _collects = False  # should minidl be loaded again, it has switched nothing off


def _is_command() -> bool:
    """Whether this process is ``minidl``, or ``python -m minidl`` that is looking for its module."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    if name == "-m":
        given = sys.orig_argv
        return given[given.index("-m") + 1 :][:1] in (["minidl"], ["minidl.cli"]) if "-m" in given else False
    return name in ("minidl", "minidl.exe")


def end(number: int, frame: object) -> None:
    """Exit, from a signal's handler."""
    os._exit(128 + number)


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, end)
