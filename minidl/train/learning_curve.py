"""The learning curve as a picture."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..display.figures import TRAINING, VALIDATION, as_bytes, label_ends, new_figure, style
from ..errors import MissingExtraError

if TYPE_CHECKING:
    from .history import History

_OF_THE_RUN = {"epoch", "step", "lr", "seconds", "engine", "skipped"}  # told of each epoch, and measured on no data
_SHARES = {"accuracy", "exact_match"}


@style()
def curve(history: "History") -> Any:
    """A figure of the loss, and of whatever else was measured, against the epoch; for training and validation.

    Raises `MissingExtraError` if matplotlib is not installed.
    """
    names = {name.removeprefix("validation_"): None for row in history.rows for name in row if name not in _OF_THE_RUN}
    panels = list(names) or ["loss"]
    figure, (row_of_axes,) = new_figure(len(panels), width=4.5, height=3.6)
    for axes, name in zip(row_of_axes, panels, strict=True):
        _draw(axes, history, name)
    return figure


def _draw(axes: Any, history: "History", name: str) -> None:
    """The lines of one measurement."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axes.set(title=name.replace("_", " "), xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if name in _SHARES:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    for label, key, colour in (("training", name, TRAINING), ("validation", f"validation_{name}", VALIDATION)):
        points = [(row["epoch"], row[key]) for row in history.rows if math.isfinite(row.get(key, math.nan))]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, color=colour, label=label)
    label_ends(axes)


def learning_curve(history: "History", path: str | Path) -> str | None:
    """Draw the curve into `path` (PNG or SVG, by its ending).

    Returns why there is no picture, if there is none: Matplotlib is not installed, or does not work here.
    """
    try:
        Path(path).write_bytes(as_bytes(curve(history), Path(path).suffix.removeprefix(".")))
    except MissingExtraError as error:
        return str(error)
    except (MemoryError, SystemError) as error:
        return f"out of memory ({error})"
    return None
