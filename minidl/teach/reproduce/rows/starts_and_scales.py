"""Claims of note B put to small experiments: standardised inputs, RMSProp where f is not convex, bad starts."""

import math
from typing import Any

import numpy as np

from .... import nn
from ....display.figures import INK, label_ends, new_figure
from ....optim import rules
from ....transforms import grad
from ...functions import descend, plateau, saddle
from ...stability import spectral_radius
from ..registry import DERIVED, NOTE_B, OURS, Picture, Result, Table, claim, row
from ..trials import STARTS, Curve, Trial, run, run_all
from ..tuned import budget, seeds


def linear_model(inputs: np.ndarray, targets: np.ndarray, most: int = 20_000) -> tuple[float, int]:
    """The ratio of the curvatures of a linear model's loss, and gradient descent's steps until it is all but fitted.

    At the best α, 2 over the sum of the smallest and the largest; until the loss is within a thousandth of its fall.
    """
    x = np.column_stack([inputs, np.ones(len(inputs))])
    curvatures = np.linalg.eigvalsh(x.T @ x / len(x))
    slope = grad(lambda w: 0.5 * ((x @ w - targets) ** 2).mean())
    best = np.linalg.lstsq(x, targets, rcond=None)[0]
    lowest, highest = (0.5 * float(((x @ w - targets) ** 2).mean()) for w in (best, 0 * best))
    w, lr = 0 * best, 2 / (curvatures[0] + curvatures[-1])
    for step in range(1, most + 1):
        (w,) = rules.SGD().update(w, slope(w).numpy(), lr=lr, t=step)
        if 0.5 * float(((x @ w - targets) ** 2).mean()) - lowest < 1e-3 * (highest - lowest):
            return float(curvatures[-1] / curvatures[0]), step
    return float(curvatures[-1] / curvatures[0]), most


@row("EB17", "Standardised inputs: the same scale for all parameters", linear_model, spectral_radius)
def eb17(seed: int) -> Result:
    rows, steps = [], []
    for one in range(3 * seed, 3 * seed + 3):
        rng = np.random.default_rng(one)
        inputs = rng.standard_normal((200, 3)) * [0.3, 1.0, 4.0] + [2.0, -1.0, 5.0]
        targets = inputs @ [2.0, -1.0, 0.5] + rng.standard_normal(200)
        raw = linear_model(inputs, targets)
        scaled = linear_model((inputs - inputs.mean(axis=0)) / inputs.std(axis=0), targets)
        rows.append((str(one), f"{raw[0]:,.0f}", f"{raw[1]:,}", f"{scaled[0]:.1f}", f"{scaled[1]:,}"))
        steps.append((raw[1], scaled[1]))
    checks = [
        claim(
            "standardised, on three data sets: steps until the loss is within a thousandth of its fall, at the best α",
            "; ".join(f"{after} against {before:,}" for before, after in steps),
            all(after < before for before, after in steps),
            "fewer, on each",
            NOTE_B,
            "gli algoritmi funzionano meglio",
        ),
        claim(
            "why: the largest curvature over the smallest, which sets the speed, comes near to 1",
            ", ".join(cells[3] for cells in rows),
            all(float(cells[3]) < 2 for cells in rows),
            "below 2 for features that do not depend on one another",
            DERIVED,
        ),
    ]
    head = ("data set", "curvatures, as they come", "steps", "standardised", "steps")
    return Result(
        checks, [Table(head, rows, "A linear model of three features on scales of 0.3, 1 and 4, far from 0.")]
    )


_GOALS: dict[str, Any] = {  # function, start, and where a path has arrived
    "plateau A-B-C": (plateau, [0.0], lambda path: np.abs(path[:, 0] - 10) < 0.25),
    "saddle": (saddle, [-2.0, 1e-3], lambda path: np.hypot(path[:, 0], np.abs(path[:, 1]) - 1) < 0.25),
}


@row("EB18", "RMSProp where f is not convex, against AdaGrad", rules.RMSProp, rules.AdaGrad, plateau, saddle)
def eb18() -> Result:
    rates, steps = np.geomspace(1e-3, 3.0, 36), 500
    rows, arrive, best = [], {}, {}
    for name, (f, start, goal) in _GOALS.items():
        for rule in (rules.AdaGrad(eps=1e-6, eps_mode="inside"), rules.RMSProp(rho=0.9, eps=1e-6)):
            away = ~goal(descend(rule, f, np.repeat([start], 36, axis=0).T, rates, steps))
            last = np.where(away[-1], np.inf, steps + 1 - away[::-1].argmax(axis=0))
            arrive[name, rule.name], best[name, rule.name] = int(np.isfinite(last).sum()), last.min()
            at = f"{last[24]:.0f}" if np.isfinite(last[24]) else "never"
            rows.append((name, rule.name, f"{arrive[name, rule.name]} of 36", f"{last.min():.0f}", at))
    checks = [
        claim(
            f"{name}: at how many of the same 36 rates, 0.001 to 3, it is at its goal for good within {steps} steps",
            f"{arrive[name, 'RMSProp']} against AdaGrad's {arrive[name, 'AdaGrad']}",
            arrive[name, "RMSProp"] > arrive[name, "AdaGrad"],
            "more",
            NOTE_B,
            "gestendo meglio problemi non convessi",
        )
        for name in _GOALS
    ]
    head = ("function", "rule", "rates that arrive", "steps at the best rate", f"at η = {rates[24]:.2f}")
    text = (
        "After the steep part AdaGrad's η/√s stays as small as it has become; RMSProp forgets, and takes the flat part "
        "in strides. At a rate that is chosen for the function AdaGrad can be as fast."
    )
    return Result(checks, [Table(head, rows)], text=text)


@row("EB19", "A bad start, no convergence", nn.init.he_normal, run)
def eb19(quick: bool, seed: int) -> Result:
    rates, updates = (0.01, 0.03, 0.1), budget(quick)
    some = list(seeds(seed, 3))
    cases = {
        start: [Trial(f"mnist/deep from {start}", "SGD", lr, updates, one) for lr in rates for one in some]
        for start in STARTS
    }
    curves = run_all(trial for trials in cases.values() for trial in trials)
    runs = {start: [curves[trial] for trial in trials] for start, trials in cases.items()}
    finals = {start: [curve.final for curve in found] for start, found in runs.items()}
    figure, ((axes,),) = new_figure(width=6.6, height=3.8)
    steps = runs["He"][0].steps
    for start, style in zip(("zeros", "σ = 0.01", "He"), (":", "-.", "-"), strict=True):
        for i, curve in enumerate(runs[start][-3:]):
            label = start if i == 0 else "_"
            axes.plot(steps, curve.loss, linestyle=style, color={"He": "#0052B9"}.get(start, INK), label=label)
    axes.set(xlabel="updates", ylabel="validation loss", ylim=(0, 2.6), title="784, six layers of 32 ReLU, 10; α = 0.1")
    axes.annotate("σ = 1: not a number from the first updates on", (steps[0], 2.45), color="#B84A00")
    label_ends(axes)
    stuck = [abs(value - math.log(10)) for start in ("zeros", "σ = 0.01") for value in finals[start]]
    learned = np.reshape(finals["He"], (len(rates), len(some))).min(axis=0)
    rows = [(start, *(_ends(runs[start], rates, lr) for lr in rates)) for start in STARTS]
    checks = [
        claim(
            f"zeros and σ = 0.01, at each of 3 rates on 3 seeds: loss after {updates} updates, as of ten equal guesses",
            f"{math.log(10) - max(stuck):.3f} to {math.log(10) + max(stuck):.3f}",
            max(stuck) < 0.02,
            "ln 10 = 2.303",
            DERIVED,
        ),
        claim(
            "a wrong choice may not converge: σ = 1 diverges, in how many of 9 runs",
            f"{sum(not math.isfinite(value) for value in finals['σ = 1'])}",
            not any(math.isfinite(value) for value in finals["σ = 1"]),
            "all",
            NOTE_B,
            "Una loro scelta sbagliata potrebbe portare a non convergenza",
        ),
        claim(
            "He's start learns, on each seed: loss at the best of the rates",
            f"{min(learned):.2f} to {max(learned):.2f}",
            max(learned) < 2.0,
            "below 2",
            OURS,
        ),
    ]
    table = Table(("weights", *(f"α = {lr:g}" for lr in rates)), rows, "Validation loss, median of three seeds.")
    caption = "Three seeds of each start. From zeros only the last layer's bias learns."
    return Result(checks, [table], [Picture(figure, caption)])


def _ends(found: list[Curve], rates: tuple[float, ...], lr: float) -> str:
    of_rate = np.array_split([curve.final for curve in found], len(rates))[rates.index(lr)]
    return f"{np.median(of_rate):.2f}".replace("inf", "diverged")
