"""Note B on the learning rate: EB2, EB3, EB4."""

import math
from typing import Any

import numpy as np

from ....display.figures import FAINT, INK, new_figure
from ....optim import schedules
from ....optim.schedules import robbins_monro
from ...plots import lines
from ..registry import DERIVED, NOTE_B, Picture, Result, Table, claim, number, row

KERAS = schedules.exponential(1e-2, 10_000, 0.9)  # the note's ExponentialDecay


@row("EB2", "The two conditions for convergence", robbins_monro)
def eb2() -> Result:
    candidates: dict[str, tuple[Any, bool, bool]] = {
        "1/k": (schedules.inverse_time(1.0, 1, 1.0), True, True),
        "1/√k": (lambda k: 1 / math.sqrt(k + 1), True, False),
        "constant": (schedules.constant(0.01), True, False),
        "the note's ExponentialDecay": (KERAS, False, True),
        "down to α_0/100, then constant (EB3)": (schedules.linear(1e-2, None, 10_000), True, False),
    }
    checks, rows = [], []
    for name, (schedule, diverges, converge) in candidates.items():
        found = robbins_monro(schedule)
        seen = f"{_answer(found.sum_diverges)}, {_answer(found.squares_converge)}"
        checks.append(
            number(f"{name}: Σα_k = ∞? Σα_k² < ∞?", seen, f"{_answer(diverges)}, {_answer(converge)}", DERIVED)
        )
        rows.append((name, "converges" if found else "not guaranteed", found.reason))
    total = KERAS.start / (1 - KERAS.decay_rate ** (1 / KERAS.decay_steps))
    checks.append(
        claim(
            "all the steps of the note's ExponentialDecay together",
            f"{total:,.1f}: the first condition fails",
            not robbins_monro(KERAS).sum_diverges,
            "949.1, a finite sum",
            DERIVED,
        )
    )
    text = (
        "So the note's own Keras example fails the note's first condition, and a rate that ends at a constant fails "
        "the second. For the misprinted second condition see ER10."
    )
    return Result(checks, [Table(("α_k", "SGD", "why"), rows)], text=text)


@row("EB3", "From α_0 to α_τ = α_0/100 at τ, then constant", schedules.linear)
def eb3() -> Result:
    alpha = schedules.linear(1e-2, None, 10_000)
    k = np.arange(0, 15_001, 50)
    figure, ((axes,),) = new_figure(width=6)
    lines(
        axes,
        k,
        {"linear to $α_0$/100 at τ = 10,000": [alpha(int(i)) for i in k]},
        xlabel="k: updates",
        ylabel="$α_k$",
        ylim=(0, 0.0105),
    )
    axes.plot(10_000, alpha(10_000), "o", color=INK)
    axes.annotate("$α_τ$ = 0.0001", (10_000, alpha(10_000)), (10, 10), textcoords="offset points")
    axes.legend()
    checks = [
        number(
            "α_0, α_τ/2, α_τ, α_2τ",
            ", ".join(f"{alpha(i):g}" for i in (0, 5000, 10_000, 20_000)),
            "0.01, 0.00505, 0.0001, 0.0001",
            DERIVED,
        ),
        number("α_0/α_τ", f"{alpha(0) / alpha(10_000):g}", "100", NOTE_B, "α_τ = α_0/100"),
    ]
    text = (
        "The note leaves the formula out; it is that of its source, Goodfellow et al., Deep Learning (2016), chapter "
        "8: α_k = (1 - k/τ)·α_0 + (k/τ)·α_τ for k < τ."
    )
    return Result(checks, pictures=[Picture(figure, "minidl.optim.schedules.linear(1e-2, None, 10_000)")], text=text)


@row("EB4", "Keras' ExponentialDecay: decay_steps is not τ", schedules.exponential)
def eb4() -> Result:
    k = np.arange(0, 500_001, 1000)
    figure, ((axes,),) = new_figure(width=6)
    lines(
        axes,
        k,
        {"ExponentialDecay(1e-2, 10000, 0.9)": [KERAS(int(i)) for i in k]},
        xlabel="k: updates (not epochs)",
        ylabel="$α_k$",
        yscale="log",
    )
    axes.axhline(1e-4, color=FAINT, linewidth=1, linestyle="--")
    axes.annotate("$α_0$/100", (0, 1e-4), (4, 4), textcoords="offset points")
    axes.plot(437_087, 1e-4, "o", color=INK)
    axes.plot(10_000, KERAS(10_000), "s", color=INK)
    axes.annotate("k = decay_steps = 10,000: α = 0.009", (10_000, KERAS(10_000)), (8, 6), textcoords="offset points")
    axes.annotate("k = 437,087", (437_087, 1e-4), (-8, -14), textcoords="offset points", ha="right")
    axes.legend(loc="lower left")
    hundredth = next(i for i in range(437_000, 438_000) if KERAS(i) <= 1e-4)
    checks = [
        number("α at k = 0 and k = 10,000", f"{KERAS(0):g}, {KERAS(10_000):g}", "0.01, 0.009", DERIVED),
        number("no staircase: α at k = 5,000", f"{KERAS(5_000):.6f}", "0.009487", DERIVED),
        number("the first k with α_k ≤ α_0/100", f"{hundredth:,}", "437,087", DERIVED),
    ]
    text = (
        "The note's comment says decay_steps = τ. With decay_rate = 0.9 the rate at k = decay_steps is still 90 % of "
        "α_0."
    )
    return Result(checks, pictures=[Picture(figure, "The note's schedule, over half a million updates.")], text=text)


def _answer(yes: bool | None) -> str:
    return "?" if yes is None else "yes" if yes else "no"
