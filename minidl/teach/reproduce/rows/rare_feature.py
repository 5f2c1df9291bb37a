"""EA5: a feature that is seen once in a hundred examples, under one learning rate for all and under AdaGrad."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ....display.figures import INK, label_ends, new_figure
from ....optim import rules, schedules
from ....optim.rule import Rule
from ....transforms import grad
from ...plots import COLOURS
from ..registry import NOTE_A, Picture, Result, Table, claim, row

_STEPS, _CHOOSING, _FRESH = 1500, 10, 40  # noise seeds to choose by, and to measure on
_RATES = np.geomspace(0.02, 5.12, 9)
_RARE = np.arange(1, _STEPS + 1) % 100 == 0
_ADAGRAD = rules.AdaGrad(eps=1e-6, eps_mode="inside")
_WAYS: Mapping[str, tuple[Rule, Callable[[int], float]]] = {
    "one α, constant": (rules.SGD(), schedules.constant(1.0)),
    "one α, falls slowly: 1/(1 + k/300)": (rules.SGD(), schedules.inverse_time(1.0, 300, 1.0)),
    "one α, falls fast: 1/(1 + k/20)": (rules.SGD(), schedules.inverse_time(1.0, 20, 1.0)),
    "AdaGrad": (_ADAGRAD, schedules.constant(1.0)),
}


def errors(rule: Rule, shape: Callable[[int], float], noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far each weight is off, and AdaGrad's s: (steps, 2, rates, seeds).

    A linear model learns w = (1, 3) from one example a step; the first feature is always there, the second now and
    then. `noise` is what is added to the targets, (seeds, steps).
    """
    w = np.zeros((2, len(_RATES), len(noise)))
    state: list[Any] = list(rule.init(w))
    off, squares = [], []
    with np.errstate(all="ignore"):  # the largest rates diverge
        for k, rare in enumerate(_RARE):
            y = 1.0 + 3.0 * rare + noise[:, k]
            g = grad(lambda w, x=float(rare), y=y: ((w[0] + x * w[1] - y) ** 2).sum())(w).numpy()
            w, *state = rule(w, g, *state, lr=_RATES[:, None] * shape(k), t=k + 1)
            off.append(np.abs(w - np.array([1.0, 3.0])[:, None, None]))
            squares.append(state[0] if state else w)
    return np.nan_to_num(off, nan=1e9, posinf=1e9), np.array(squares)


@row("EA5", "AdaGrad's learning rate per coordinate, on a rare feature", rules.AdaGrad, errors)
def ea5(seed: int) -> Result:
    noise = np.random.default_rng(seed).standard_normal((_CHOOSING + _FRESH, _STEPS))
    off, rows, chosen = {}, [], {}
    for way, (rule, shape) in _WAYS.items():
        off[way], squares = errors(rule, shape, noise)
        last = off[way][-1]
        by = {"the frequent weight": last[0], "both weights": last.sum(axis=0)}
        for what, measure in by.items():
            i = chosen[way, what] = int(measure[:, :_CHOOSING].mean(axis=1).argmin())
            frequent, rare = np.median(last[:, i, _CHOOSING:], axis=1)
            rows.append((way, what, f"{_RATES[i]:.2f}", f"{frequent:.2f}", f"{rare:.2f}"))
    adagrad = chosen["AdaGrad", "both weights"]
    rates = np.median(_RATES[adagrad] / np.sqrt(squares[:, :, adagrad, _CHOOSING:] + 1e-6), axis=2)
    fast = "one α, falls fast: 1/(1 + k/20)"
    left = off[fast][-1][1, chosen[fast, "the frequent weight"], _CHOOSING:]
    early = int(np.argmax(_RARE))
    fallen = rates[-1] / rates[early]
    checks = [
        claim(
            "η/√(s + ε) of the frequent weight and of the rare, from when the rare feature is first seen to the end",
            f"to {fallen[0]:.0%} and {fallen[1]:.0%}; the rare's is {rates[-1, 1] / rates[-1, 0]:.1f} times as large",
            bool(fallen[0] < fallen[1] and rates[-1, 1] > 3 * rates[-1, 0]),
            "",
            NOTE_A,
            "decaiga rápidamente para features frecuentes y más lentamente para features poco frecuentes",
        ),
        claim(
            f"one α that falls fast, chosen by the frequent weight: how far the rare one, 3, is off, in {_FRESH} runs",
            f"{left.min():.2f} to {left.max():.2f}: over half of it",
            bool(left.min() > 1.5),
            "",
            NOTE_A,
            "los asociados a features poco frecuentes no se lleguen a ajustar",
        ),
    ]
    table = Table(
        ("learning rate", "chosen by the error of", "α_0 or η", "frequent weight off by", "rare weight off by"),
        rows,
        f"Median of {_FRESH} runs with other noise than the {_CHOOSING} that chose, from the same {len(_RATES)} rates.",
    )
    text = (
        "Ours: a linear model with noisy targets, one example a step, 15 of 1,500 with the rare feature. Tuned for "
        f"both weights, {_compared(off, chosen)} AdaGrad needs no schedule; it gains little here on one that is tuned."
    )
    caption = (
        "Left: AdaGrad's rates of the two weights, the rare one's from 1280 on, which falls only when its feature is "
        "seen. Right: how far the rare weight is off, median of 40 runs."
    )
    return Result(checks, [table], [Picture(_drawn(rates, off, chosen), caption)], text)


def _compared(off: Mapping[str, np.ndarray], chosen: Mapping[tuple[str, str], int]) -> str:
    """Both weights' errors together, of AdaGrad and of the best single α: means with their standard errors."""
    total = {way: off[way][-1][:, chosen[way, "both weights"], _CHOOSING:].sum(axis=0) for way in off}
    single = min((way for way in total if way != "AdaGrad"), key=lambda way: total[way].mean())
    said = {way: f"{total[way].mean():.2f} ± {total[way].std(ddof=1) / np.sqrt(_FRESH):.2f}" for way in total}
    return (
        f"both together are off by {said['AdaGrad']} with AdaGrad, by {said[single]} with the best single α ({single})."
    )


def _drawn(rates: np.ndarray, off: Mapping[str, np.ndarray], chosen: Mapping[tuple[str, str], int]) -> Any:
    figure, axes = new_figure(2, width=5.8, height=3.8)
    left, right = axes[0]
    left.semilogy(rates[:, 0], color=COLOURS["AdaGrad"], label="frequent")
    left.semilogy(rates[:, 1], color=INK, linestyle=(0, (4, 1.6)), label="rare")
    left.set(
        title=r"AdaGrad: $\eta / \sqrt{s + \varepsilon}$ of each weight", xlabel="step", ylabel="its learning rate"
    )
    fast = "one α, falls fast: 1/(1 + k/20)"
    for way, by, label, style in (
        (fast, "the frequent weight", "falls fast, by the frequent", {"color": INK, "linestyle": ":"}),
        (fast, "both weights", "falls fast, by both", {"color": INK}),
        ("AdaGrad", "both weights", "AdaGrad, by both", {"color": COLOURS["AdaGrad"]}),
    ):
        middle = np.median(off[way][:, 1, chosen[way, by], _CHOOSING:], axis=1)
        right.plot(middle, label=label, **style)
    right.set(title="how far the rare weight is off; α chosen by ...", xlabel="step", ylabel="|w - 3|", ylim=(0, 3.1))
    for panel in axes[0]:
        label_ends(panel)
    return figure
