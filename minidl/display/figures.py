"""One style for every figure; and a figure that a notebook shows by itself.

matplotlib is imported when a figure is made, and never pyplot: no window opens, no global state is left.
"""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import MissingExtraError
from ..system.extras import missing_extra

INK, FAINT, ACCENT = "#222222", "#8A8A8A", "#2E8F80"  # each 3:1 or more on white
TRAINING, VALIDATION = "#0072B2", "#B84A00"  # told apart by the colour-blind, and dark enough for letters on white
_GAP = 12.0  # points between two labels

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters, Greek ones too, on every machine
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "legend.frameon": True,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "savefig.dpi": 200,  # sharp on a projector
    "svg.fonttype": "path",  # letters as outlines: what is seen does not depend on the reader's fonts
    "svg.hashsalt": "minidl",
}


@contextmanager
def style() -> Iterator[None]:
    """Within the block, or the function that it decorates, matplotlib draws in minidl's style.

    Without matplotlib nothing happens.
    """
    try:
        load_figure()
    except MissingExtraError:
        yield
        return
    from matplotlib import rc_context

    with rc_context(_STYLE):
        yield


def load_figure() -> Any:
    """Matplotlib's ``Figure``, which shows itself in a notebook here. Raises `MissingExtraError`."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # a home folder that cannot be written to is no reason for two lines of warning
    try:
        from matplotlib.figure import Figure as Base
    except ImportError as error:
        raise missing_extra("figures need matplotlib", "matplotlib", "plot", error) from error
    finally:
        log.setLevel(level)

    class Figure(Base):
        """A figure as the last line of a cell: matplotlib teaches notebooks to show one only with pyplot."""

        def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
            width, height = (round(96 * inches) for inches in self.get_size_inches())
            return as_bytes(self, "png", dpi=192), {"width": width, "height": height}

    return Figure


def new_figure(columns: int = 1, rows: int = 1, *, width: float = 4.4, height: float = 3.4, **options: Any) -> Any:
    """A figure and an array of its axes, (rows, columns), `width` by `height` inches each.

    Raises `MissingExtraError` if matplotlib is not installed.
    """
    figure = load_figure()(figsize=(columns * width, rows * height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


@style()
def as_bytes(figure: Any, form: str, **options: Any) -> bytes:
    """The picture as the content of a file, "png" or "svg"."""
    file = io.BytesIO()
    options |= {"metadata": {"Date": None}} if form == "svg" else {}  # the same figure, the same file
    figure.savefig(file, format=form, **options)
    return file.getvalue()


def label_ends(axes: Any) -> None:
    """Write each line's label behind its last finite point, in its colour; they are moved apart where they meet.

    A line whose label begins with an underscore has none, as in a legend.
    """
    axes.autoscale_view()  # matplotlib would wait until it draws
    points_per_pixel = 72 / axes.figure.dpi
    ends = []
    bottom, top = sorted(axes.get_ylim())
    for line in axes.lines:
        points = np.array(line.get_data(), dtype=float).T
        points = points[np.isfinite(points).all(axis=1)]
        if line.get_label().startswith("_") or not len(points):
            continue
        x, y = points[-1]
        y = min(max(y, bottom), top)  # of a line that leaves the picture, at its edge
        ends.append((axes.transData.transform((x, y))[1] * points_per_pixel, (x, y), line))
    lowest = float("-inf")
    for height, end, line in sorted(ends, key=lambda each: each[0]):
        lowest = max(height, lowest + _GAP)
        axes.annotate(
            line.get_label(), end, xytext=(7, lowest - height), textcoords="offset points", va="center",
            color=line.get_color(), annotation_clip=False,
        )  # fmt: skip
