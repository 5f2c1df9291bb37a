"""The result as one picture: steps as bars, growth as curves."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from .analysis import best

COLOURS = {"minidl": "#0072B2", "minidl[fast]": "#56B4E9", "PyTorch": "#D55E00", "JAX": "#009E73"}
OTHERS = "#999999"


def draw(result: Mapping[str, Any], path: Path) -> bool:
    """Draw what was measured of steps and growth into `path`; False if there is nothing, or no matplotlib."""
    steps, growth = (result["sections"].get(name, {}) for name in ("steps", "growth"))
    if not steps and not growth:
        return False
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    rows = [part for part in (steps, growth) if part]
    figure = Figure(figsize=(14, 4.2 * len(rows)), layout="constrained")
    for row, part in zip(figure.subfigures(len(rows), 1, squeeze=False)[:, 0], rows, strict=True):
        for axes, (name, one) in zip(row.subplots(1, len(part), squeeze=False)[0], part.items(), strict=True):
            (_bars if part is steps else _curves)(axes, name, one)
    figure.savefig(path, dpi=110)
    return True


def _bars(axes: Any, name: str, one: Mapping[str, Any]) -> None:
    """The median of everyone's best variant, up to ten times the shortest; the floor as a line."""
    medians = {contender: median(best(variants)[1]) for contender, variants in one["us"].items()}
    axes.axvline(medians.pop("floor"), color="black", linestyle=":", linewidth=1)
    names = sorted(medians, key=medians.__getitem__, reverse=True)
    labels = [f"{n}\n{medians[n]:,.0f}" for n in names]  # there, as the longest bars end outside the picture
    axes.barh(labels, [medians[n] for n in names], color=[COLOURS.get(n, OTHERS) for n in names])
    if medians:
        axes.set_xlim(0, min(10 * min(medians.values()), 1.2 * max(medians.values())))
    axes.set_title(f"{name}: {one['describe']}", fontsize=8)
    axes.set_xlabel("µs a step; dotted: the floor", fontsize=8)
    axes.tick_params(labelsize=7)


def _curves(axes: Any, axis: str, one: Mapping[str, Any]) -> None:
    for name, rounds in one["us"].items():
        medians = [median(values) for values in zip(*rounds, strict=True)]
        axes.plot(one["points"], medians, marker="o", markersize=3, color=COLOURS.get(name, OTHERS), label=name)
    axes.set(xscale="log", yscale="log", xlabel=axis, ylabel="µs per example")
    axes.set_xticks(one["points"], map(str, one["points"]))
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False, fontsize=7)
