"""The two bars that show how far a training is: on a terminal and below the cell of a notebook."""

import time
from typing import Any

from ..display.notebook import Output

_WIDTH = 24  # characters of the bar itself


class TerminalBar:
    """A line at the bottom, past which others scroll. What is done and what is left differ without colours, too.

    `total` is the number of steps, None if nobody knows: then it is no bar, but the numbers are there.
    """

    def __init__(self, total: int | None) -> None:
        from rich.progress import Progress, TextColumn, TimeRemainingColumn

        columns = "{task.fields[where]}", "[bar.complete]{task.fields[done]}[/][bar.back]{task.fields[left]}[/]"
        self._progress: Any = Progress(
            *map(TextColumn, columns), TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"), auto_refresh=False,  # no second thread beside the arithmetic
            transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=total, **self._fields(0.0, "epoch 1", "", ""))
        self._progress.start()

    def paint(self, step: int, where: str, loss: str) -> None:
        """Show that `step` of all steps are done."""
        task = self._progress.tasks[0]
        rate = f"{task.speed:,.0f} steps/s" if task.speed else ""
        fields = self._fields(step / task.total if task.total else 0.0, where, rate, loss)
        self._progress.update(self._task, completed=step, refresh=True, **fields)

    def close(self) -> None:
        """Remove it."""
        self._progress.stop()

    def _fields(self, share: float, where: str, rate: str, loss: str) -> dict[str, Any]:
        done, left = "#-" if self._progress.console.options.ascii_only else "━╌"
        length = round(_WIDTH * share)
        return {"where": where, "done": done * length, "left": left * (_WIDTH - length), "rate": rate, "loss": loss}


class NotebookBar:
    """A browser's own progress bar, with what is known beside it. `total` as above."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._output = Output()
        self._start = time.perf_counter()
        self.paint(0, "epoch 1", "")

    def paint(self, step: int, where: str, loss: str) -> None:
        """Show that `step` of all steps are done."""
        seconds = time.perf_counter() - self._start
        rate = f"{step / seconds:,.0f} steps/s" if step else ""
        share = f'value="{step}" max="{self._total}"' if self._total else ""
        bar = f'<progress {share} style="width: 24em"></progress>'
        self._output.show(f"{where} {bar} {rate} {loss}")

    def close(self) -> None:
        """Remove it."""
        self._output.show("")
