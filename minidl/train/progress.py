"""The progress of `fit`: a line per epoch, and on a terminal a bar with rate and time left."""

import contextlib
import sys
import time
from typing import Any

from ..ops.shape import plain
from ..system.terminal import tell
from .callbacks import Callback, Run
from .history import sentence

REPAINT = 0.2  # seconds: reading the loss off a GPU waits for it, so not at every step


class Progress(Callback):
    """Prints to standard output; where that is not a terminal, only the line per epoch."""

    def on_start(self, run: Run) -> None:
        """Show the bar, if this is a terminal."""
        self.bar: Any = None
        self.painted = time.perf_counter()
        if _is_terminal() and run.epochs:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                "epoch {task.fields[epoch]}/{task.fields[epochs]}",
                "{task.fields[rate]}",
                "loss {task.fields[loss]}",
            )
            self.bar = Bar(
                *[
                    TextColumn(columns[0]),
                    BarColumn(),
                    TextColumn(columns[1]),
                    TimeRemainingColumn(),
                    TextColumn(columns[2]),
                ],
                auto_refresh=False,  # no second thread beside the arithmetic
                transient=True,
            )
            fields = {"epoch": 1, "epochs": run.epochs, "rate": "", "loss": "-"}
            self.task = self.bar.add_task("", total=run.total, **fields)
            self.bar.start()

    def on_pause(self, run: Run) -> None:
        """Repaint the bar, a few times a second."""
        now = time.perf_counter()
        if self.bar is None or now - self.painted < REPAINT:
            return
        self.painted = now
        speed = self.bar.tasks[0].speed
        rate = f"{speed:,.0f} steps/s" if speed else ""
        shown = {"epoch": run.epoch, "rate": rate, "loss": f"{float(plain(run.loss)):.4f}"}
        self.bar.update(self.task, completed=run.step, refresh=True, **shown)

    def on_epoch(self, run: Run) -> None:
        """Print the epoch's line."""
        say(sentence(run.history[-1]))

    def on_end(self, run: Run) -> None:
        """Remove the bar; print why training stopped early, if it did."""
        if self.bar is not None:
            self.bar.stop()
        if run.stopped is not None:
            say(f"stopped after {run.step} steps: {run.stopped}")


def _is_terminal() -> bool:
    """Whether standard output is a terminal; it may as well be closed, or not be there."""
    return sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty()


def say(text: str) -> None:
    """Print a line, if there is still someone to read it: a closed pipe or a full disk behind it ends no training."""
    with contextlib.suppress(OSError):
        tell(text)
