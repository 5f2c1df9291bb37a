"""Timelines side by side: where their losses part, and how far apart their weights are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import to_numpy
from ..display.figures import ACCENT, FAINT, INK, new_figure, style
from ..display.tables import lines_of
from ..nn import Module

ROWS = 12  # of the table, at most


class Comparison:
    """The losses of several trainings by step, and the distance of their weights from the first one's.

    ``print(it)`` shows a table; `rows` hold each step with its losses (None where a training has not been), `distances`
    for each training but the first the norm of the difference by parameter, relative to the first one's weights.
    """

    def __init__(self, trainings: Sequence[tuple[str, list[float], Module]]) -> None:
        self.labels = [label for label, _, _ in trainings]
        losses = [found for _, found, _ in trainings]
        self.rows = [
            (k + 1, *(found[k] if k < len(found) else None for found in losses)) for k in range(max(map(len, losses)))
        ]
        first = trainings[0][2].state_dict()
        self.distances = [
            {name: _distance(array, first[name]) for name, array in model.state_dict().items()}
            for _, _, model in trainings[1:]
        ]

    @property
    def parted(self) -> int | None:
        """The first step at which the losses are not all the same; None if there is none."""
        return next((int(row[0] or 0) for row in self.rows if len(set(row[1:])) > 1), None)

    def text(self) -> str:
        """A table of losses, from the last step that all have in common on, and the distances."""
        first = max((self.parted or 1) - 1, 1)
        steps = sorted({round(s) for s in np.linspace(first, len(self.rows), ROWS)}) if self.rows else []
        table = [["step", *self.labels]]
        for step in steps:
            _, *losses = self.rows[step - 1]
            table.append([str(step), *("-" if loss is None else f"{loss:.6g}" for loss in losses)])
        lines = lines_of(table, ">" * len(table[0]))
        for label, apart in zip(self.labels[1:], self.distances, strict=True):
            far = max(apart, key=lambda name: apart[name])
            lines.append(f"{label}: weights differ most in {far}, by {apart[far]:.3g} of its size")
        return "\n".join(lines)

    def plot(self) -> Any:
        """A matplotlib figure of the losses, a line where they part. Raises `MissingExtraError` without matplotlib."""
        with style():
            return self._drawn()

    def _drawn(self) -> Any:
        figure, ((axes,),) = new_figure(width=6.4, height=3.6)
        colours = [INK, ACCENT, "#D55E00", "#0072B2", "#CC79A7"]
        for number, label in enumerate(self.labels):
            steps = [row[0] for row in self.rows if row[number + 1] is not None]
            values = [row[number + 1] for row in self.rows if row[number + 1] is not None]
            style = {"color": colours[number % len(colours)], "linestyle": ["-", "--", "-.", ":"][number % 4]}
            axes.plot(steps, values, label=label, **style)
        if self.parted is not None:
            axes.axvline(self.parted - 1, color=FAINT, linewidth=1)
        axes.set(xlabel="step", ylabel="loss of the batch", title="The same past, another course")
        axes.legend()
        return figure

    def __str__(self) -> str:
        return self.text()


def _distance(a: Any, b: Any) -> float:
    a, b = to_numpy(a).astype(float), to_numpy(b).astype(float)
    return float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1.0))
