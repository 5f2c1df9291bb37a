"""FB4: how the ranking of the rules turns with what is tuned (after Choi et al. 2019, in small)."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ....display.figures import new_figure
from ...plots import dots
from ..registry import NOTE_B, Check, Picture, Result, Table, agreed, claim, row
from ..trials import ANOTHER_WORKLOAD, PLOTTED, Trial, run, run_all
from ..tuned import budget, decided, on_fresh_seeds, repeats, seeds

PANELS = {  # whether α falls, whether all else is tuned, and the panels that are a part of this one
    "1: α constant, nothing else tuned": (False, False, ()),
    "2: α falls, nothing else tuned": (True, False, (0,)),
    "3: α constant, all else tuned": (False, True, (0,)),
    "4: α falls, all else tuned": (True, True, (1, 2)),
}
_TIE = 0.02  # of two losses, relative: what one seed differs from the next by
_RATES = {"SGD": (1e-3, 1e1), "Momentum": (1e-4, 1e0), "Nesterov": (1e-4, 1e0)}  # for the others 1e-5 to 1e-1
_FORGET, _EPS = (1e-3, 0.5), (1e-10, 1e2)
_SPACES = {  # what else is tuned: a name, and the range of its value (for a β or ρ: of what is missing to 1)
    "SGD": {},
    "Momentum": {"beta": _FORGET},
    "Nesterov": {"beta": _FORGET},
    "RMSProp": {"rho": _FORGET, "eps": _EPS},
    "Adam": {"beta1": _FORGET, "beta2": _FORGET, "eps": _EPS},
    "NAdam": {"beta1": _FORGET, "beta2": _FORGET, "eps": _EPS},
}
_GRADIENT = 1e-2  # about √s of this network: with ε far above it a rule is one of momentum, at a rate of α/ε
Panel = Mapping[str, Sequence[float]]  # the losses of each rule, one for each seed


def halton(index: int, base: int) -> float:
    """The `index`-th number of the Halton sequence of a base: spread evenly over (0, 1), in no visible order."""
    value, share = 0.0, 1.0
    while index:
        index, digit = divmod(index, base)
        share /= base
        value += share * digit
    return value


def trials(rule: str, panel: str, count: int, winners: Sequence[Trial], updates: int, seed: int) -> list[Trial]:
    """`count` settings of `rule` for a panel: the `winners` of the panels within it, then points on a log scale.

    Every other point has its learning rate near the winner's, within a factor of √10, and all else anywhere; the points
    are the same for every rule, stretched over its own ranges.
    """
    falls, all_else, _ = PANELS[panel]
    found = [replace(one, decay=one.decay if one.decay is not None or not falls else 1.0) for one in winners]
    for index in range(1, count + 1 - len(found)):
        points = (halton(index, base) for base in (2, 3, 5, 7, 11))
        low, high = _RATES.get(rule, (1e-5, 1e-1))
        near = winners[0] if winners and index % 2 else None
        lr = near.lr * _between((10**-0.5, 10**0.5), next(points)) if near else _between((low, high), next(points))
        share = _between((1e-4, 1.0), next(points)) if falls else None
        hyper = []
        for name, ends in _SPACES[rule].items() if all_else else ():
            value = _between(ends, next(points))
            hyper.append((name, value if name == "eps" else 1 - value))
            if name == "eps":
                lr *= 1 + value / _GRADIENT
        found.append(Trial("mnist/mlp", rule, lr, updates, seed, tuple(hyper), share))
    return found


def _between(ends: tuple[float, float], point: float) -> float:
    low, high = ends
    return math.exp(math.log(low) + point * (math.log(high) - math.log(low)))


def searched(quick: bool, count: int, seed: int) -> dict[str, dict[str, Trial]]:
    """The best setting of each rule in each panel, by its loss on one seed: `count` are tried of each."""
    chosen: dict[str, dict[str, Trial]] = {}
    for panel, (_, _, within) in PANELS.items():
        inside = [list(chosen.values())[i] for i in within]
        tried = {
            rule: trials(rule, panel, count, [one[rule] for one in inside], budget(quick), seed) for rule in PLOTTED
        }
        curves = run_all(itertools.chain(*tried.values()))
        chosen[panel] = {rule: min(some, key=lambda one: curves[one].final) for rule, some in tried.items()}
    return chosen


@row("FB4", "Four ways to tune, four rankings", trials, searched, run)
def fb4(quick: bool, seed: int) -> Result:
    count = 6 if quick else 24
    first, *fresh = seeds(seed, 1 + repeats(quick))
    chosen = searched(quick, count, first)
    runs = {panel: on_fresh_seeds(some.values(), fresh) for panel, some in chosen.items()}
    losses = [{rule: [curve.final for curve in found[rule]] for rule in PLOTTED} for found in runs.values()]
    figure, axes = new_figure(4, width=3.3, height=3.8, sharey=True)
    top = 1.15 * max(value for panel in losses for some in panel.values() for value in some if value < 5)
    for axis, panel, found in zip(axes[0], PANELS, losses, strict=True):
        dots(axis, found, title=panel, ylim=(0, top))
    axes[0, 0].set_ylabel("validation loss")
    rows = [
        (panel[0], rule, _setting(chosen[panel][rule]), _spread(found[rule]))
        for panel, found in zip(PANELS, losses, strict=True)
        for rule in PLOTTED
    ]
    caption = (
        f"A mark per seed, a bar at the median, one scale from 0: the best of {count} settings by its loss on one "
        f"seed, run again on {len(fresh)} others and on other images. MNIST, 784-64-10, {budget(quick)} updates of 64."
    )
    text = (
        f"{count} settings of each rule in each panel; the best of a panel is one of those of the panels that contain "
        "it. Adam's and NAdam's learning rate is stretched with ε, so that momentum is among their settings. A claim "
        f"is decided if all seeds agree by over {_TIE:.0%}. With {count} settings nothing is ranked for good: a search "
        "as large as the note's source has (Choi et al. 2019) is a matter of days."
    )
    table = Table(("panel", "rule", "chosen", "validation loss"), rows, "Median, lowest and highest.")
    return Result(_claims(losses), [table], [Picture(figure, caption)], text, in_kind=ANOTHER_WORKLOAD)


def _claims(losses: Sequence[Panel]) -> list[Check]:
    one, two, three, four = losses
    improved = [decided(after, before, _TIE * before) for after, before in zip(three["Adam"], one["Adam"], strict=True)]
    return [
        claim(
            "1: α constant: Adam worst", _order(one), _extreme("Adam", one, -1), "Adam worst",
            NOTE_B, "α/learning rate costante, Adam peggiore", elsewhere=True,
        ),
        claim(
            "2: α falls: Adam worst, momentum best", _order(two),
            agreed([_extreme("Adam", two, -1), _extreme("Momentum", two, 1)]), "Momentum ... Adam",
            NOTE_B, "Adam peggiore. Momentum migliore", elsewhere=True,
        ),
        claim(
            "3: the rest tuned: Adam improves on 1",
            f"{np.median(three['Adam']):.3f}, from {np.median(one['Adam']):.3f}",
            agreed(improved), "better on each seed", NOTE_B, "Adam ha altri iperparametri, se ottimizzati migliora",
        ),
        claim(
            "4: all tuned: Adam is the best", _order(four), _extreme("Adam", four, 1), "Adam best",
            NOTE_B, "Ora è il migliore", elsewhere=True,
        ),
    ]  # fmt: skip


def _extreme(rule: str, panel: Panel, sign: int) -> bool | None:
    """Whether a rule is the best (sign 1) or the worst (-1) of the panel on every seed, by more than a tie."""
    others = zip(*(values for name, values in panel.items() if name != rule), strict=True)
    return agreed(
        decided(sign * own, min(sign * value for value in rest), _TIE * abs(own))
        for own, rest in zip(panel[rule], others, strict=True)
    )


def _order(panel: Panel) -> str:
    median = {rule: float(np.median(values)) for rule, values in panel.items()}
    return ", ".join(f"{rule} {median[rule]:.3f}" for rule in sorted(median, key=median.__getitem__))


def _spread(losses: Sequence[float]) -> str:
    return f"{np.median(losses):.3f} ({min(losses):.3f} to {max(losses):.3f})"


def _setting(trial: Trial) -> str:
    low, high = _RATES.get(trial.rule, (1e-5, 1e-1))
    eps = dict(trial.hyper).get("eps", 0.0)
    base = trial.lr / (1 + eps / _GRADIENT)
    edge = " (at the border)" if not 1.8 * low < base < high / 1.8 else ""
    parts = [f"α = {trial.lr:.2g}{edge}"] + ([f"falls to {trial.decay:.2g}·α"] if trial.decay is not None else [])
    return ", ".join(parts + [f"{name} = {value:.4g}" for name, value in trial.hyper])
