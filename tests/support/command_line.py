"""What a command line prints, run in this process; and the characters that a terminal would obey."""

import contextlib
import io
import re
import warnings

from minidl.cli import main

OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # all but newlines


def said(*arguments):
    """What a command line prints, here in this process, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as end:
            return out.getvalue() + err.getvalue(), end.code
    raise AssertionError("a command ends by SystemExit")
