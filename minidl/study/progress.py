"""How far a study is: in a line, on the terminal as it goes, or asked from beside it."""

import sys
import time
from typing import Any

from ..system.terminal import printable
from ..train.progress import say
from .results import best_of, sense
from .table import Counts, Table

_PERIOD, _PERIOD_ELSEWHERE = 1.0, 30.0  # seconds between two lines, on a terminal and in a file
_SHARE = 50  # of its time the driver spends one part at most on telling


class Progress:
    """Shows it about once a second on a terminal, where one line changes; elsewhere now and then, in a new line."""

    def __init__(self, table: Table, total: int = 0) -> None:
        self.table, self.total = table, total
        self.started = time.monotonic()
        self.ended = table.counts().ended
        self.terminal = sys.stdout is not None and not sys.stdout.closed and sys.stdout.isatty()
        self.period = _PERIOD if self.terminal else _PERIOD_ELSEWHERE
        self.told = self.started
        self.live: Any = None
        if self.terminal:
            from rich.live import Live

            self.live = Live("", auto_refresh=False, transient=True)
            self.live.start()

    def __call__(self) -> None:
        """Tell, if it is time to."""
        now = time.monotonic()
        if now - self.told < self.period:
            return
        self.told = now
        text = self._line(now)
        if self.live is not None:
            self.live.update(text, refresh=True)
        else:
            say(text)
        self.period = max(self.period, _SHARE * (time.monotonic() - now))  # to look through many trials takes a while

    def close(self) -> None:
        """Remove the line that changes, and say how it ended."""
        if self.live is not None:
            self.live.stop()
        say(self._line(time.monotonic()))

    def _line(self, now: float) -> str:
        counts = self.table.counts()
        return line(
            counts, best_line(self.table), (counts.ended - self.ended) / max(now - self.started, 1e-3), self.total
        )


def line(counts: Counts, best: str = "", rate: float = 0.0, total: int = 0) -> str:
    """Done, running, failed, trials a second, time left, and the best so far."""
    total = max(total, sum(counts))
    parts = [f"{counts.ended:,} of {total:,} trials"]
    named = [
        f"{number:,} {name}" for name, number in counts._asdict().items() if number and name not in ("planned", "done")
    ]
    parts += named
    if rate > 0:
        parts.append(f"{rate:.3g} trials/s")
        left = total - counts.ended
        if left:
            parts.append(f"{duration(left / rate)} left")
    return ", ".join(parts) + (f"; best {best}" if best else "")


def duration(seconds: float) -> str:
    """A time as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def best_line(table: Table) -> str:
    """The best so far by the first number that the trials measure, in words; nothing while there is none."""
    metric = table.first_metric()
    if metric is None:
        return ""
    found = best_of(table.rows("state = 'done'"), metric, sense(metric))
    settings = ", ".join(f"{name}={_short(value)}" for name, value in found.config.items() if name in table.searched())
    return f"{metric} {found.value:.4g} ({printable(', '.join(filter(None, [found.cell, settings])))})"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
