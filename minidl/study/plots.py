"""Pictures of a study."""

import math
from typing import Any

import numpy as np

from ..display.figures import INK, new_figure, style
from ..errors import OptionError
from ..teach.plots import COLOURS, rule_style
from .study import Study
from .table import Table


@style()
def sensitivity(study: Study, metric: str | None = None) -> Any:
    """The metric over the first setting that is searched: a dot for each trial, a line through the medians of seeds.

    Trials that did not end well lie at the upper edge, as crosses. Raises `MissingExtraError` without matplotlib,
    `OptionError` if nothing is there to be drawn.
    """
    with Table(study.folder) as table:
        metric, searched = metric or table.first_metric(), table.searched()
    rows = [row for row in study.rows() if row["state"] not in ("planned", "running")]
    named = {name for row in rows for name in row["result"]}
    if metric is None or metric not in named or not searched:
        raise OptionError(
            f"{study.folder}: there is no {metric or 'result'} to draw over a setting; run the study first"
        )
    figure, axes = new_figure(width=6.4, height=4.2)
    axes = axes[0][0]
    for cell in dict.fromkeys(row["cell"] for row in rows):
        _draw(axes, cell, [row for row in rows if row["cell"] == cell], searched[0], metric)
    values = [row["config"][searched[0]] for row in rows if searched[0] in row["config"]]
    if min(values) > 0 and max(values) > 50 * min(values):
        axes.set_xscale("log")
    found = [row["result"][metric] for row in rows if row["result"].get(metric) is not None]
    if min(found) > 0 and max(found) > 20 * min(found):
        axes.set_yscale("log")
    axes.set(xlabel=searched[0], ylabel=metric)
    axes.legend()
    return figure


def _draw(axes: Any, cell: str, rows: list[dict[str, Any]], name: str, metric: str) -> None:
    """One cell: dots, the line through medians, and crosses for what went wrong."""
    look = rule_style(cell) if cell in COLOURS else {"color": None if cell else INK}
    x = np.array([row["config"][name] for row in rows], float)
    y = np.array([math.nan if row["result"].get(metric) is None else row["result"][metric] for row in rows], float)
    points = np.unique(x)
    medians = [np.median(y[x == each]) for each in points]  # NaN where a seed went wrong: the line is broken there
    (drawn,) = axes.plot(points, medians, label=cell or None, **look)
    axes.plot(x, y, "o", markersize=3, alpha=0.6, color=drawn.get_color())
    bad = x[np.isnan(y)]
    if bad.size:
        top = axes.get_xaxis_transform()
        axes.plot(
            bad, np.full(bad.size, 0.98), "x", markersize=5, color=drawn.get_color(), transform=top, clip_on=False
        )
