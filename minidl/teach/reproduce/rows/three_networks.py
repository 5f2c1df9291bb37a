"""FB2 and FB3: which rule has the lowest error on three networks, and which is there first. In kind."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ....display.figures import new_figure
from ...plots import dots
from ..registry import NOTE_B, Picture, Result, Table, agreed, claim, row
from ..trials import ANOTHER_WORKLOAD, PLOTTED, Curve, Trial, run
from ..tuned import (
    best,
    budget,
    by_rate,
    decided,
    every,
    final,
    half_decades,
    is_best,
    on_fresh_seeds,
    repeats,
    seeds,
    updates_to,
)

PANELS = {"mnist/linear": "linear", "mnist/mlp": "64 ReLU", "mnist/deep tanh": "5 layers of 32 tanh"}
_TIE = 0.006  # the standard error of an error rate of 8 % on 2,000 images


def tuned_on(quick: bool, seed: int, name: str, measure: Callable[[Curve], float] = final) -> dict[str, list[Curve]]:
    """Each of the PLOTTED rules at its best learning rate, which one seed chose, on seeds that have chosen nothing."""
    rates = half_decades(-3, 0, 1) if quick else half_decades(-4, 1)
    first, *fresh = seeds(seed, 1 + repeats(quick))
    found = by_rate(name, PLOTTED, rates, budget(quick), first, every(quick))
    chosen = [Trial(name, rule, best(found[rule], measure), budget(quick), every=every(quick)) for rule in PLOTTED]
    return on_fresh_seeds(chosen, fresh)


def _budget(quick: bool) -> str:
    rates, text = (4, " This quick form settles little.") if quick else (11, "")
    return (
        f"Each rule at the best of the same {rates} learning rates, chosen on a seed and on images of their own; "
        f"{repeats(quick)} other seeds, 6,000 images of MNIST, {budget(quick)} updates of 64, networks of ours. A "
        "statement is decided if all seeds agree, and a difference of 0.6 points or less, the standard error of such a "
        f"rate, is a tie.{text}"
    )


@row("FB2", "Three networks: which rule has the lowest validation error?", tuned_on, by_rate, run)
def fb2(quick: bool, seed: int) -> Result:
    figure, axes = new_figure(3, width=3.7, height=3.8, sharey=True)
    errors = [
        {rule: [c.error[-1] for c in runs] for rule, runs in tuned_on(quick, seed, name).items()} for name in PANELS
    ]
    top = 115 * max(max(values) for panel in errors for values in panel.values())
    for axis, panel, shown in zip(axes[0], errors, PANELS.values(), strict=True):
        dots(
            axis,
            {rule: [100 * e for e in values] for rule, values in panel.items()},
            title=shown,
            ylim=(0, min(top, 40)),
        )
    axes[0, 0].set_ylabel("validation error, %")
    rows = [
        (shown, *(f"{np.median(panel[rule]):.1%} ({min(panel[rule]):.1%}–{max(panel[rule]):.1%})" for rule in PLOTTED))
        for shown, panel in zip(PANELS.values(), errors, strict=True)
    ]
    first, second, third = errors
    checks = [
        claim(
            "first network: Nesterov best", _order(first), _best(["Nesterov"], first), "Nesterov, nearly the same",
            NOTE_B, "Primo grafico: meglio Nesterov, ma più o meno siamo li", elsewhere=True,
        ),
        claim(
            "second: RMSProp best", _order(second), _best(["RMSProp"], second), "RMSProp",
            NOTE_B, "Secondo grafico: meglio RSProb", elsewhere=True,
        ),
        claim(
            "third: Adam and NAdam much better", _order(third), _best(["Adam", "NAdam"], third), "Adam, NAdam",
            NOTE_B, "Terza rete: Adam e NAdam molto meglio", elsewhere=True,
        ),
    ]  # fmt: skip
    table = Table(("network", *PLOTTED), rows, "Median validation error, lowest and highest.")
    caption = "A mark per seed, a bar at the median; one scale, from 0."
    return Result(checks, [table], [Picture(figure, caption)], _budget(quick), in_kind=ANOTHER_WORKLOAD)


def _best(rules: Sequence[str], errors: Mapping[str, Sequence[float]]) -> bool | None:
    """Whether these rules are the best on every seed."""
    runs = zip(*errors.values(), strict=True)
    return agreed(is_best(rules, dict(zip(errors, run, strict=True)), _TIE) for run in runs)


def _order(errors: Mapping[str, Sequence[float]]) -> str:
    median = {rule: float(np.median(values)) for rule, values in errors.items()}
    first, second, *_, last = (f"{rule} {median[rule]:.1%}" for rule in sorted(median, key=median.__getitem__))
    return f"{first}, {second}; last {last}"


@row("FB3", "How many updates until that error is reached?", tuned_on, updates_to, run)
def fb3(quick: bool, seed: int) -> Result:
    target = 0.18 if quick else 0.15  # set before any run; each rate is chosen for it
    figure, axes = new_figure(3, width=3.7, height=3.8, sharey=True)
    rows, faster, slowest = [], [], []
    step = every(quick)
    for axis, (name, shown) in zip(axes[0], PANELS.items(), strict=True):
        found = tuned_on(quick, seed, name, lambda curve: updates_to(curve, target))
        needed = {rule: [updates_to(curve, target) for curve in runs] for rule, runs in found.items()}
        dots(axis, needed, title=f"{shown}: to {target:.0%}", ylim=(0, 1.15 * budget(quick)))
        rows.append((shown, *(_median(needed[rule]) for rule in PLOTTED)))
        faster += [decided(adam, sgd, step) for adam, sgd in zip(needed["Adam"], needed["SGD"], strict=True)]
        for values in zip(*needed.values(), strict=True):
            one = dict(zip(needed, values, strict=True))
            slowest.append(decided(max(n for rule, n in one.items() if rule != "SGD"), one["SGD"], step))
    axes[0, 0].set_ylabel("updates")
    runs = len(faster)
    checks = [
        claim(
            f"Adam needs fewer updates than SGD, by over {step}: in how many of {runs} runs",
            f"{sum(answer is True for answer in faster)}; more, in {sum(answer is False for answer in faster)}",
            agreed(faster), "in all", NOTE_B, "Adam è più veloce nel convergere", elsewhere=True,
        ),
        claim(
            f"SGD takes the most, by over {step}: in how many of {runs} runs",
            f"{sum(answer is True for answer in slowest)}; another rule, in {sum(a is False for a in slowest)}",
            agreed(slowest), "in all", NOTE_B, "SGD ci mette molto", elsewhere=True,
        ),
    ]  # fmt: skip
    caption = (
        f"Updates until the validation error is {target:.0%} for the first time, measured every {step}; a mark per "
        "seed, a bar at the median. An arrow at the upper edge is a run that never got there."
    )
    table = Table(
        ("network", *PLOTTED), rows, f"Median number of updates to {target:.0%}, and how many never got there."
    )
    text = f"The target was set before any run, and each rule's rate is the one that is there first. {_budget(quick)}"
    return Result(checks, [table], [Picture(figure, caption)], text, in_kind=ANOTHER_WORKLOAD)


def _median(needed: Sequence[float]) -> str:
    never = sum(math.isinf(n) for n in needed)
    middle = float(np.median(needed))
    shown = "never" if math.isinf(middle) else f"{middle:.0f}"
    return shown + (f" ({never} of {len(needed)} never)" if never else "")
