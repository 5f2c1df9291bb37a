"""The figures of the four panels' report."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..display.figures import new_figure, style
from ..teach.plots import COLOURS, legend_below, plain_log, rule_style
from .findings import TARGETS, Finding
from .panels import PANELS, RULES
from .statistics import paired_difference

_TICKS = 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10
Words = Mapping[str, str]
Found = Mapping[tuple[str, str], Finding]


def figures(found: Found, workload: str, words: Words) -> dict[str, Any]:
    """The figures of a workload, by the name of their captions."""
    made = {"figure": _panels, "best of k": _best_of_k, "sensitivity": _sensitivity, "survival": _survival}
    return {name: make(found, workload, words) for name, make in made.items()}


@style()
def _panels(found: Found, workload: str, words: Words) -> Any:
    """A dot per seed, a bar at the median, a band for its interval; the panels side by side, on one scale."""
    figure, axes = new_figure(4, width=3.3, height=3.9, sharey=True)
    for axis, panel in zip(axes[0], PANELS, strict=True):
        losses = found[workload, panel].losses
        for i, rule in enumerate(RULES):
            one = losses[:, i]
            interval = paired_difference(one, np.zeros(len(one)))
            axis.fill_between([i - 0.4, i + 0.4], interval.low, interval.high, color=COLOURS[rule], alpha=0.25, lw=0)
            axis.plot([i - 0.4, i + 0.4], [interval.value] * 2, color=COLOURS[rule], linewidth=2.2)
            axis.plot(np.linspace(-0.25, 0.25, len(one)) + i, one, ".", color=COLOURS[rule], markersize=4, alpha=0.7)
        axis.set_xticks(range(len(RULES)), RULES, rotation=55, ha="right")
        axis.set_title(textwrap.fill(words[panel], 34), fontsize=9)
        axis.grid(visible=False, axis="x")
    plain_log(axes[0][0], _TICKS)
    axes[0][0].set_ylabel(words["loss"])
    return figure


@style()
def _best_of_k(found: Found, workload: str, words: Words) -> Any:
    figure, axes = new_figure(4, width=3.3, height=3.4, sharey=True)
    for axis, panel in zip(axes[0], PANELS, strict=True):
        finding = found[workload, panel]
        for rule in RULES:
            curve = finding.best_of_k(rule)
            k = np.arange(1, len(curve.mean) + 1)
            axis.plot(k, curve.mean, label=rule, **rule_style(rule))
            if rule in BANDS:
                axis.fill_between(k, curve.low, curve.high, color=COLOURS[rule], alpha=0.15, lw=0)
        axis.set(xlabel=words["trials"])
        axis.set_title(textwrap.fill(words[panel], 34), fontsize=9)
        axis.locator_params(axis="x", integer=True)
    plain_log(axes[0][0], _TICKS)
    axes[0][0].set_ylabel(words["loss"])
    legend_below(figure, axes[0][0], columns=len(RULES))
    return figure


@style()
def _sensitivity(found: Found, workload: str, words: Words) -> Any:
    finding = found[workload, "P1"]
    figure, axes = new_figure(width=7.2, height=3.9)
    axis = axes[0][0]
    for rule in RULES:
        order = np.argsort(finding.lr[rule])
        losses = np.where(np.isfinite(finding.tuning[rule]), finding.tuning[rule], np.nan)
        axis.plot(finding.lr[rule][order], losses[order], marker=".", label=rule, **rule_style(rule))
    axis.set(xscale="log", xlabel="lr", ylabel=words["loss"])
    plain_log(axis, _TICKS)
    legend_below(figure, axis)
    return figure


@style()
def _survival(found: Found, workload: str, words: Words) -> Any:
    figure, axes = new_figure(4, width=3.3, height=3.4, sharey=True)
    for axis, panel in zip(axes[0], PANELS, strict=True):
        finding = found[workload, panel]
        for rule in RULES:
            reached = finding.reached[rule][0]
            steps = np.concatenate([[0], reached.steps])
            axis.step(steps, np.concatenate([[1], reached.surviving]), where="post", label=rule, **rule_style(rule))
        axis.set(xlabel=words["updates"], ylim=(-0.03, 1.03))
        axis.set_title(textwrap.fill(words[panel], 34), fontsize=9)
    axes[0][0].set_ylabel(words["share"])
    legend_below(figure, axes[0][0], columns=len(RULES))
    return figure


BANDS = "SGD", "Adam"  # nine bands would hide one another


def caption(name: str, workload: str, words: Words, seeds: int) -> str:
    """What stands below a figure."""
    return words[name].format(seeds=seeds, rules=", ".join(BANDS), target=TARGETS[workload][0])
