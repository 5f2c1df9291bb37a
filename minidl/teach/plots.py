"""What figures of update rules are made of: a colour and marker per rule, contours, traces, curves, dots."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..display.figures import INK

# A colour, a marker and, for a rule that looks ahead, dashes for each rule: no two lines differ by hue alone. Each
# colour stands out from white by 3:1 or more, and any two are told apart by the colour-blind, too.
COLOURS = {
    "SGD": "#000000",
    "Momentum": "#0052B9",
    "Nesterov": "#5A85FF",
    "AdaGrad": "#00A865",
    "AdaDelta": "#B77EA2",
    "RMSProp": "#CF7D00",
    "RMSPropNesterov": "#6F4700",
    "Adam": "#DF4142",
    "NAdam": "#8B1E4C",
    "AdamW": "#625092",
}
MARKERS = dict(zip(COLOURS, "osD^vPX*ph", strict=True))
_DASHED = {"Nesterov", "RMSPropNesterov", "NAdam"}
_MARKS = 8  # markers on a long line


def rule_style(rule: str) -> dict[str, Any]:
    """Colour and dashes of the rule of that name, for ``axes.plot``."""
    return {"color": COLOURS[rule], "linestyle": (0, (4, 1.6)) if rule in _DASHED else "-"}


def rule_marks(rule: str, count: int) -> dict[str, Any]:
    """The marker of the rule of that name, on some of the `count` points of a line, for ``axes.plot``."""
    return {"marker": MARKERS[rule], "markersize": 5, "markevery": max(1, count // _MARKS)}


def contours(axes: Any, f: Callable[[Any], Any], domain: Any, levels: Any = 14, numbers: bool = False) -> None:
    """Level lines of `f` over `domain`, ((x1 from, to), (x2 from, to)), with their `numbers` if wanted."""
    x1, x2 = (np.linspace(start, stop, 161) for start, stop in domain)
    grid = np.stack(np.meshgrid(x1, x2))
    drawn = axes.contour(x1, x2, f(grid), levels, colors="#b9c4cf", linewidths=0.9, linestyles="solid")
    if numbers:
        axes.clabel(drawn, fmt="%.2g", fontsize=7, colors="#66727e")
    axes.set(xlim=domain[0], ylim=domain[1], xlabel="$x_1$", ylabel="$x_2$")
    axes.locator_params(nbins=6)
    axes.grid(visible=False)


def trace(axes: Any, path: np.ndarray, rule: str, label: str | None = None, every: int = 1) -> None:
    """A path of points on contours: a marker `every` so many steps, a ring where it starts, a square where it ends."""
    marks = {"marker": MARKERS[rule], "markersize": 3.5, "markevery": every}
    axes.plot(*path.T, linewidth=1.4, label=label or rule, **marks, **rule_style(rule))
    axes.plot(*path[0], marker="o", markersize=9, color=COLOURS[rule], fillstyle="none", linestyle="none")
    axes.plot(*path[-1], marker="s", markersize=8, color=COLOURS[rule], fillstyle="none", linestyle="none")


def minimum(axes: Any, *points: Any) -> None:
    """Mark minima by a cross."""
    for point in points:
        axes.plot(*point, marker="x", markersize=8, markeredgewidth=2, color=INK, linestyle="none", zorder=5)


def curves(axes: Any, x: Any, values: Mapping[str, Any], **labels: Any) -> None:
    """One line per rule, by its name, against `x`; `labels` go to ``axes.set``."""
    for rule, y in values.items():
        axes.plot(x, y, label=rule, **rule_marks(rule, len(y)), **rule_style(rule))
    axes.set(**labels)


def bands(axes: Any, x: Any, values: Mapping[str, Any], **labels: Any) -> None:
    """For each rule the median of its runs, (runs, points), and a band from the lowest to the highest."""
    for rule, runs in values.items():
        runs = np.where(np.isfinite(runs), runs, np.nan)
        low, middle, high = (np.quantile(runs, q, axis=0) for q in (0.0, 0.5, 1.0))
        axes.fill_between(x, low, high, color=COLOURS[rule], alpha=0.15, linewidth=0)
        axes.plot(x, middle, label=rule, **rule_marks(rule, len(middle)), **rule_style(rule))
    axes.set(**labels)


def lines(axes: Any, x: Any, values: Mapping[str, Any], colour: str = "viridis", **labels: Any) -> None:
    """Lines that differ by a number, not by a rule: from dark to light along a colour map as far as it is legible."""
    from matplotlib import colormaps

    shades = colormaps[colour](np.linspace(0, 0.55, len(values)))
    dashes = ["-", (0, (5, 1.5)), (0, (2, 1.2)), "-.", (0, (1, 1))]
    for i, (name, y) in enumerate(values.items()):
        axes.plot(x, y, label=name, color=shades[i], linestyle=dashes[i % len(dashes)])
    axes.set(**labels)


def dots(axes: Any, values: Mapping[str, Sequence[float]], **labels: Any) -> None:
    """A dot per seed, a bar at the median, a column per rule.

    A run without a value (it never got there, or diverged) is an arrow at the upper edge, and is counted there: call
    this when the limits of the axis are set.
    """
    axes.set(**labels)
    top = axes.get_ylim()[1]
    for i, (rule, found) in enumerate(values.items()):
        places = np.linspace(-0.22, 0.22, len(found)) + i if len(found) > 1 else np.array([float(i)])
        inside = np.isfinite(found) & (np.array(found) <= top)
        drawn = np.where(inside, found, np.nan)
        axes.plot(places, drawn, MARKERS[rule], color=COLOURS[rule], markersize=5, alpha=0.75)
        lost = int((~inside).sum())
        if lost:
            axes.plot(places[~inside], [0.97 * top] * lost, "^", color=COLOURS[rule], fillstyle="none", clip_on=False)
            axes.annotate(
                f"{lost} of {len(found)}", (i, top), (0, 3), textcoords="offset points", ha="center", fontsize=8
            )
        if np.isfinite(np.median(found)):
            axes.plot([i - 0.33, i + 0.33], [np.median(found)] * 2, color=COLOURS[rule], linewidth=2.5)
    axes.set_xticks(range(len(values)), list(values), rotation=40, ha="right")


def plain_log(axes: Any, ticks: Sequence[float]) -> None:
    """A logarithmic y axis with these ticks, written as plain numbers; the limits stay those of the data."""
    axes.set_yscale("log")
    limits = axes.get_ylim()
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.tick_params(axis="y", which="minor", left=False, labelleft=False)
    axes.set_ylim(limits)


def legend_below(figure: Any, axes: Any, columns: int = 5) -> None:
    """One legend for the whole figure, under it, with what `axes` shows."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(columns, len(names)))
