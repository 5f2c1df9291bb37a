"""The learning curve as a picture."""

import logging
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError
from ..system.extras import missing_extra
from .history import History


def learning_curve(history: History, path: str | Path) -> str | None:
    """Draw loss and accuracy against the epoch into `path` (PNG or SVG, by its ending).

    Returns why there is no picture, if there is none: Matplotlib is not installed, or does not work here.
    """
    try:
        _draw(history, path)
    except MissingExtraError as error:
        return str(error)
    except (MemoryError, SystemError) as error:
        return f"out of memory ({error})"
    return None


def load_figure() -> Any:
    """Matplotlib's ``Figure``: not pyplot, so no window and no global state. Raises `MissingExtraError`."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # a home folder that cannot be written to is no reason for two lines of warning
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("figures need matplotlib", "matplotlib", "plot", error) from error
    finally:
        log.setLevel(level)
    return Figure


def _draw(history: History, path: str | Path) -> None:
    Figure = load_figure()
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for prefix, colour in (("", "#0072B2"), ("validation_", "#D55E00")):  # Okabe & Ito: safe for the colour-blind
            values = [row.get(prefix + name) for row in history.rows]
            if None not in values:
                label = "validation" if prefix else "training"
                axes.plot(history["epoch"], values, marker="o", markersize=3, color=colour, label=label)
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(frameon=False)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    figure.savefig(path, dpi=120)
