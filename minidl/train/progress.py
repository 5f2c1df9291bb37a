"""The progress of `fit`: a line per epoch; on a terminal and in a notebook also a bar with rate and time left."""

import contextlib
import re
import sys
import textwrap
import time
from typing import Any

from ..display.notebook import in_notebook
from ..display.tables import WIDTH
from ..ops.shape import plain
from ..system.terminal import tell
from .bars import NotebookBar, TerminalBar
from .callbacks import Callback, Run
from .history import sentence

REPAINT = 0.2  # seconds: reading the loss off a GPU waits for it, so not at every step


class Progress(Callback):
    """Prints to standard output; where that is neither a terminal nor a notebook, only the line per epoch."""

    def on_start(self, run: Run) -> None:
        """Show the bar, where there is one."""
        self.bar: TerminalBar | NotebookBar | None = None
        self.painted = time.perf_counter()
        if run.epochs and _is_terminal():
            self.bar = TerminalBar(run.total)
        elif run.epochs and in_notebook():
            self.bar = NotebookBar(run.total)

    def on_pause(self, run: Run) -> None:
        """Repaint the bar, a few times a second."""
        now = time.perf_counter()
        if self.bar is not None and now - self.painted >= REPAINT:
            self.painted = now
            self.bar.paint(run.step, f"epoch {run.epoch}/{run.epochs}", f"loss {float(plain(run.loss)):.4f}")

    def on_epoch(self, run: Run) -> None:
        """Print the epoch's line."""
        say(sentence(run.history[-1]))

    def on_end(self, run: Run) -> None:
        """Remove the bar; print why training stopped early, if it did."""
        if self.bar is not None:
            self.bar.close()
        if run.stopped is not None:
            say(f"stopped after {run.step} steps: {run.stopped}")


def _is_terminal() -> bool:
    """Whether standard output is a terminal; it may as well be closed, or not be there."""
    return sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty()


def say(text: str) -> None:
    """Print lines, if there is still someone to read them: a closed pipe or a full disk behind it ends no training.

    On a terminal what is longer than a line goes on in the next.
    """
    with contextlib.suppress(OSError):
        tell("\n".join(map(_wrapped, text.splitlines())) if _is_terminal() else text)


def _wrapped(line: str) -> str:
    """`line` in several, broken between words; where two blanks part it, between those parts."""
    kept = re.sub(r"(?<! ) (?! )", "\0", line) if "  " in line else line
    options: Any = {"subsequent_indent": "    ", "break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(kept, WIDTH, **options).replace("\0", " ")
