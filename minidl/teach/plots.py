"""What figures of update rules are made of: a colour per rule, contours, traces, curves, dots."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..display.figures import INK

# Okabe & Ito's colours, told apart by the colour-blind too, and three more. A rule that looks ahead is drawn dashed,
# in a hue near that of the rule it grew out of: no two lines differ by hue alone.
COLOURS = {
    "SGD": "#000000",
    "Momentum": "#0072B2",
    "Nesterov": "#56B4E9",
    "AdaGrad": "#009E73",
    "AdaDelta": "#CC79A7",
    "RMSProp": "#E69F00",
    "RMSPropNesterov": "#8C510A",
    "Adam": "#D55E00",
    "NAdam": "#882255",
    "AdamW": "#777777",
}
_DASHED = {"Nesterov", "RMSPropNesterov", "NAdam"}


def rule_style(rule: str) -> dict[str, Any]:
    """Colour and dashes of the rule of that name, for ``axes.plot``."""
    return {"color": COLOURS[rule], "linestyle": (0, (4, 1.6)) if rule in _DASHED else "-"}


def contours(axes: Any, f: Callable[[Any], Any], domain: Any, levels: Any = 14) -> None:
    """Level lines of `f` over `domain`, ((x1 from, to), (x2 from, to))."""
    x1, x2 = (np.linspace(start, stop, 161) for start, stop in domain)
    grid = np.stack(np.meshgrid(x1, x2))
    axes.contour(x1, x2, f(grid), levels, colors="#b9c4cf", linewidths=0.9, linestyles="solid")
    axes.set(xlim=domain[0], ylim=domain[1], xlabel="$x_1$", ylabel="$x_2$")
    axes.locator_params(nbins=6)
    axes.grid(visible=False)


def trace(axes: Any, path: np.ndarray, rule: str, label: str | None = None) -> None:
    """A path of points on contours: a dot per step, a ring where it starts."""
    axes.plot(*path.T, marker="o", markersize=3.5, linewidth=1.4, label=label or rule, **rule_style(rule))
    axes.plot(*path[0], marker="o", markersize=9, color=COLOURS[rule], fillstyle="none", linestyle="none")


def minimum(axes: Any, *points: Any) -> None:
    """Mark minima by a cross."""
    for point in points:
        axes.plot(*point, marker="x", markersize=8, markeredgewidth=2, color=INK, linestyle="none", zorder=5)


def curves(axes: Any, x: Any, values: Mapping[str, Any], **labels: Any) -> None:
    """One line per rule, by its name, against `x`; `labels` go to ``axes.set``."""
    for rule, y in values.items():
        axes.plot(x, y, label=rule, **rule_style(rule))
    axes.set(**labels)


def lines(axes: Any, x: Any, values: Mapping[str, Any], colour: str = "viridis", **labels: Any) -> None:
    """Lines that differ by a number, not by a rule: from dark to light along one colour map."""
    from matplotlib import colormaps

    shades = colormaps[colour](np.linspace(0, 0.85, len(values)))
    dashes = ["-", (0, (5, 1.5)), (0, (2, 1.2)), "-.", (0, (1, 1))]
    for i, (name, y) in enumerate(values.items()):
        axes.plot(x, y, label=name, color=shades[i], linestyle=dashes[i % len(dashes)])
    axes.set(**labels)


def dots(axes: Any, values: dict[str, list[float]], **labels: Any) -> None:
    """A dot per seed, a bar at the median, a column per rule."""
    for i, (rule, found) in enumerate(values.items()):
        finite = [value for value in found if np.isfinite(value)]
        axes.plot(
            np.linspace(-0.18, 0.18, len(finite)) + i if len(finite) > 1 else [i] * len(finite),
            finite,
            "o",
            color=COLOURS[rule],
            markersize=5,
            alpha=0.75,
        )
        if finite:
            axes.plot([i - 0.33, i + 0.33], [np.median(found)] * 2, color=COLOURS[rule], linewidth=2.5)
    axes.set(**labels)
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
