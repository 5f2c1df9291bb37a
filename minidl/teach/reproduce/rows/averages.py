"""What a running sum or average remembers: EA3, EA4, EA7, FA7, FA9."""

from typing import Any

import numpy as np

from ....display.figures import new_figure
from ....optim import rules
from ....optim.rule import Rule
from ...functions import START, after_20, bowl, descend
from ...plots import lines
from ..registry import DERIVED, NOTE_A, OURS, Picture, Result, Table, claim, number, row


def memory(rule: Rule, steps: int) -> np.ndarray:
    """The weights, in the first state of `rule` after `steps` steps, of the gradients of 0, 1, 2, ... steps ago.

    They are read off a run with a coordinate for each step, whose gradient is 1 at that step and else 0.
    """
    theta = np.zeros(steps)
    state = list(rule.init(theta))
    for t in range(1, steps + 1):
        theta, *state = rule(theta, np.eye(steps)[t - 1], *state, lr=1.0, t=t)
    return state[0][::-1]


_SAYS = {
    0.1: "si β = 0.1, en la iteración n=3; el gradiente en t =3 contribuirá el 100% del valor, el gradiente en t=2 "
    "contribuirá el 10% del valor, y el gradiente en t=1 contribuirá el 1% de su valor",
    0.9: "Si β =0.9, en la iteración n=3; el gradiente en t =3 contribuirá el 100% del valor, el gradiente en t=2 "
    "contribuirá el 90% del valor, y el gradiente en t=1 contribuirá el 81% de su valor",
}


def percent(weights: np.ndarray) -> str:
    """Weights as the note says them."""
    return ", ".join(f"{weight:.0%}" for weight in weights)


@row("EA3", "The velocity is a fading sum: 100 %, 10 %, 1 %", rules.Momentum, memory)
def ea3() -> Result:
    weak, strong = (memory(rules.Momentum(beta=beta), 3) for beta in (0.1, 0.9))
    rng = np.random.default_rng(0)
    g, beta = rng.standard_normal(40), 0.9
    v = 0.0
    for t, now in enumerate(g, 1):
        _, v = rules.Momentum(beta=beta)(0.0, now, v, lr=1.0, t=t)
    total = sum(beta**tau * g[-1 - tau] for tau in range(40))
    checks = [
        number("β = 0.1, n = 3: weights of g_3, g_2, g_1", percent(weak), "100%, 10%, 1%", NOTE_A, _SAYS[0.1]),
        number("β = 0.9, n = 3: weights of g_3, g_2, g_1", percent(strong), "100%, 90%, 81%", NOTE_A, _SAYS[0.9]),
        claim(
            "the recursion is the sum, over 40 random gradients",
            f"{v:.12f}",
            abs(v - total) < 1e-12,
            f"{total:.12f}",
            DERIVED,
        ),
    ]
    return Result(checks)


@row("EA4", "The second form, (1 - β)Σ, is the first with another learning rate", rules.Momentum, descend)
def ea4() -> Result:
    first, second = rules.Momentum(beta=0.5), rules.Momentum(beta=0.5, form="averaged")
    apart = np.abs(descend(first, bowl, START, 0.6) - descend(second, bowl, START, 1.2)).max()
    weights = memory(second, 3)
    checks = [
        number("weights of δ(3), δ(2), δ(1) in v(3), β = 0.5", f"{weights}", "[0.5   0.25  0.125]", DERIVED),
        number("first form, η = 0.6", after_20(first, 0.6), "epoch 20, x1: 0.007188, x2: 0.002553", NOTE_A),
        number("second form, η = 1.2", after_20(second, 1.2), "epoch 20, x1: 0.007188, x2: 0.002553", OURS),
        number("second form, η = 0.6", after_20(second, 0.6), "epoch 20, x1: -0.289993, x2: 0.001723", OURS),
        claim("η/(1 - β) makes the paths one: largest distance", f"{apart:.1e}", apart < 1e-12, "0", DERIVED),
    ]
    return Result(checks, text="The note changes from one form to the other without a word; see also ER6 and D2.")


@row("EA7", "RMSProp's s is an exponential moving average", rules.RMSProp, memory)
def ea7() -> Result:
    gamma, steps = 0.9, 40
    weights = memory(rules.RMSProp(rho=gamma), steps)
    expected = (1 - gamma) * gamma ** np.arange(steps)
    off = np.abs(weights - expected).max()
    shown = Table(
        ("steps ago", "weight in s", "(1 - γ)·γ^τ"),
        [(str(tau), f"{weights[tau]:.6f}", f"{expected[tau]:.6f}") for tau in (0, 1, 2, 3, 10, 39)],
        "γ = 0.9",
    )
    checks = [
        claim("weights of 40 squared gradients: distance from (1 - γ)·γ^τ", f"{off:.1e}", off < 1e-15, "0", DERIVED)
    ]
    return Result(checks, [shown])


def _as_weights(axes: Any) -> None:
    """A dot for each weight: there is nothing between them."""
    for line, marker in zip(axes.get_lines(), "os^D", strict=True):
        line.set(marker=marker, markersize=3, linestyle="none")
    axes.legend()


@row("FA7", "How fast momentum forgets: β^τ", rules.Momentum, memory)
def fa7() -> Result:
    betas = (0.95, 0.9, 0.6, 0.0)
    found = {f"β = {beta:g}": memory(rules.Momentum(beta=beta), 40) for beta in betas}
    figure, ((axes,),) = new_figure(width=6)
    lines(axes, np.arange(40), found, xlabel="τ: steps ago", ylabel=r"weight $\beta^\tau$ of that gradient in v")
    _as_weights(axes)
    axes.set_ylim(-0.02, 1.04)
    off = max(np.abs(found[f"β = {beta:g}"] - np.float64(beta) ** np.arange(40)).max() for beta in betas)
    checks = [claim("distance of the weights in v from β^τ", f"{off:.1e}", off < 1e-12, "0", DERIVED)]
    text = "The note names no β for this picture; those of the book Dive into Deep Learning are drawn."
    return Result(
        checks, pictures=[Picture(figure, "The weights of the last 40 gradients in v, for four β.")], text=text
    )


@row("FA9", "How fast RMSProp forgets: (1 - γ)·γ^τ", rules.RMSProp, memory)
def fa9() -> Result:
    gammas = (0.95, 0.9, 0.8, 0.7)
    found = {f"γ = {gamma:g}": memory(rules.RMSProp(rho=gamma), 40) for gamma in gammas}
    figure, axes = new_figure(2, width=4.8)
    inside = {f"{name}: {weights.sum():.4f} inside": weights for name, weights in found.items()}
    for panel in axes[0]:
        lines(panel, np.arange(40), inside, xlabel="τ: steps ago")
        _as_weights(panel)
    axes[0, 0].set(ylabel=r"weight $(1 - \gamma)\,\gamma^\tau$ of that $g^2$ in s", ylim=(-0.005, None))
    axes[0, 1].set(yscale="log", title="the same, on a log scale")
    axes[0, 1].get_legend().remove()
    mass = ", ".join(f"{weights.sum():.4f}" for weights in found.values())
    checks = [number("weight inside the 40 steps", mass, "0.8715, 0.9852, 0.9999, 1.0000", OURS)]
    return Result(checks, pictures=[Picture(figure, "The weights of the last 40 squared gradients in s, for four γ.")])
