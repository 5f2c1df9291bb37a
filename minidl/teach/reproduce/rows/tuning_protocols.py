"""FB4: how the ranking of the rules turns with what is tuned (after Choi et al. 2019, in small)."""

import itertools
import math
from dataclasses import replace

import numpy as np

from ....display.figures import new_figure
from ...plots import dots
from ..registry import NOTE_B, Check, Picture, Result, Table, claim, row
from ..trials import ANOTHER_WORKLOAD, PLOTTED, Curve, Trial, run, run_all

PANELS = {
    "1: α constant, nothing else tuned": (False, False),
    "2: α falls, nothing else tuned": (True, False),
    "3: α constant, all else tuned": (False, True),
    "4: α falls, all else tuned": (True, True),
}
_RATES = {"SGD": (1e-3, 1e1), "Momentum": (1e-4, 1e0), "Nesterov": (1e-4, 1e0)}  # for the others 1e-5 to 1e-1
_FORGET, _FORGET_SLOWLY, _EPS = (0.02, 0.5), (1e-3, 0.5), (1e-10, 1e-3)
_SPACES = {  # what else is tuned: a name, and the range of its value (for a β or ρ: of what is missing to 1)
    "SGD": {},
    "Momentum": {"beta": _FORGET},
    "Nesterov": {"beta": _FORGET},
    "RMSProp": {"rho": _FORGET_SLOWLY, "eps": _EPS},
    "Adam": {"beta1": _FORGET, "beta2": _FORGET_SLOWLY, "eps": _EPS},
    "NAdam": {"beta1": _FORGET, "beta2": _FORGET_SLOWLY, "eps": _EPS},
}


def halton(index: int, base: int) -> float:
    """The `index`-th number of the Halton sequence of a base: spread evenly over (0, 1), in no visible order."""
    value, share = 0.0, 1.0
    while index:
        index, digit = divmod(index, base)
        share /= base
        value += share * digit
    return value


def coarse(rule: str, falls: bool, count: int, updates: int) -> list[Trial]:
    """`count` learning rates for `rule` (and, if α `falls`, what share of it is left in the end), on a log scale.

    The points are the same for every rule, stretched over its own range; the rest is left at its default.
    """
    found = []
    for index in range(1, count + 1):
        lr = _between(_RATES.get(rule, (1e-5, 1e-1)), halton(index, 2))
        share = _between((1e-4, 1.0), halton(index, 3)) if falls else None
        found.append(Trial("mnist/mlp", rule, lr, updates, decay=share))
    return found


def fine(best: Trial, count: int) -> list[Trial]:
    """`count` settings near the `best` of the coarse ones: α within a factor of √10, all else over its own range."""
    found = []
    for index in range(1, count + 1):
        points = (halton(index, base) for base in (2, 3, 5, 7))
        lr = best.lr * _between((10**-0.5, 10**0.5), next(points))
        hyper = []
        for name, ends in _SPACES[best.rule].items():
            value = _between(ends, next(points))
            hyper.append((name, value if name == "eps" else 1 - value))
        found.append(replace(best, lr=lr, hyper=tuple(hyper)))
    return found


def _between(ends: tuple[float, float], point: float) -> float:
    low, high = ends
    return math.exp(math.log(low) + point * (math.log(high) - math.log(low)))


@row("FB4", "Four ways to tune, four rankings", coarse, fine, run)
def fb4(quick: bool) -> Result:
    count, updates, seeds = (3, 60, (1,)) if quick else (16, 300, (1, 2, 3, 4, 5))
    tried = {
        (panel, rule): coarse(rule, falls, count, updates) for panel, (falls, _) in PANELS.items() for rule in PLOTTED
    }
    curves = run_all(itertools.chain(*tried.values()))
    for (panel, _), trials in tried.items():
        if PANELS[panel][1]:
            trials += fine(min(trials, key=lambda trial: curves[trial].final), count)
    curves |= run_all(itertools.chain(*tried.values()))
    chosen = {key: min(trials, key=lambda trial: curves[trial].final) for key, trials in tried.items()}
    again = {key: [replace(trial, seed=seed) for seed in seeds] for key, trial in chosen.items()}
    fresh = run_all(itertools.chain(*again.values()))
    figure, axes = new_figure(4, width=3.3, height=3.6, sharey=True)
    found: list[dict[str, list[float]]] = []
    rows = []
    for axis, panel in zip(axes[0], PANELS, strict=True):
        losses = {rule: [fresh[trial].final for trial in again[panel, rule]] for rule in PLOTTED}
        dots(axis, losses, title=panel)
        found.append(losses)
        rows += [
            (
                panel[0],
                rule,
                _setting(chosen[panel, rule]),
                _lost(tried[panel, rule], curves),
                f"{np.median(losses[rule]):.4f}",
            )
            for rule in PLOTTED
        ]
    axes[0, 0].set_ylabel("validation loss")
    table = Table(("panel", "rule", "chosen", "diverged", "median validation loss"), rows)
    caption = (
        f"A dot per seed, a bar at the median: the best of {count} settings ({2 * count} where all is tuned) by its "
        f"loss on seed 0, run again on {len(seeds)} fresh seed(s). MNIST, 784-64-10, {updates} updates of 64."
    )
    return Result(_claims(found), [table], [Picture(figure, caption)], in_kind=ANOTHER_WORKLOAD)


def _claims(found: list[dict[str, list[float]]]) -> list[Check]:
    median = [{rule: float(np.median(losses)) for rule, losses in panel.items()} for panel in found]
    ranked = [sorted(panel, key=panel.__getitem__) for panel in median]
    order = [
        ", ".join(f"{rule} {panel[rule]:.3f}" for rule in rules) for rules, panel in zip(ranked, median, strict=True)
    ]
    better = sum(tuned < plain for tuned, plain in zip(found[2]["Adam"], found[0]["Adam"], strict=True))
    seeds = len(found[0]["Adam"])
    improved = f"{median[2]['Adam']:.3f}, from {median[0]['Adam']:.3f}; better on {better} of {seeds} seeds"
    return [
        claim(
            "1: α constant: Adam worst",
            order[0],
            ranked[0][-1] == "Adam",
            "Adam worst",
            NOTE_B,
            "α/learning rate costante, Adam peggiore",
            elsewhere=True,
        ),
        claim(
            "2: α falls: Adam worst, momentum best",
            order[1],
            (ranked[1][0], ranked[1][-1]) == ("Momentum", "Adam"),
            "Momentum ... Adam",
            NOTE_B,
            "Adam peggiore. Momentum migliore",
            elsewhere=True,
        ),
        claim(
            "3: the rest tuned: Adam improves on 1",
            improved,
            better > 0.75 * seeds,
            "better",
            NOTE_B,
            "Adam ha altri iperparametri, se ottimizzati migliora",
            elsewhere=True,
        ),
        claim(
            "4: all tuned: Adam is the best",
            order[3],
            ranked[3][0] == "Adam",
            "Adam best",
            NOTE_B,
            "Ora è il migliore",
            elsewhere=True,
        ),
    ]


def _setting(trial: Trial) -> str:
    parts = [f"α = {trial.lr:.2g}"] + ([f"falls to {trial.decay:.2g}·α"] if trial.decay is not None else [])
    return ", ".join(parts + [f"{name} = {value:.4g}" for name, value in trial.hyper])


def _lost(trials: list[Trial], curves: dict[Trial, Curve]) -> str:
    return f"{sum(not math.isfinite(curves[trial].final) for trial in trials)} of {len(trials)}"
