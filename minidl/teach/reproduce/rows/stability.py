"""S1: for which (η, β) gradient descent, momentum and Nesterov converge on note A's f, and why."""

from typing import Any

import numpy as np

from ....display.figures import INK, new_figure
from ....optim import rules
from ....optim.rule import Rule
from ...functions import CURVATURES, START, bowl, descend
from ...plots import rule_style
from ...stability import spectral_radius, update_matrix
from ..registry import DERIVED, Picture, Result, Table, claim, number, row

_SETTINGS = [  # what the notes run, or would: rule, η, β
    ("SGD", 0.4, 0.0),
    ("SGD", 0.6, 0.0),
    ("Momentum", 0.6, 0.5),
    ("Momentum", 0.6, 0.25),
    ("Nesterov", 0.3, 0.5),
    ("Nesterov", 0.6, 0.5),
]


def closed_form(name: str, curvature: float, lr: Any, beta: Any) -> Any:
    """The same for one curvature, from the roots of z² - b·z + c = 0 (worked out by hand)."""
    shrunk = 1 - lr * curvature
    if name == "SGD":
        return np.abs(shrunk)
    b, c = (beta + shrunk, beta) if name == "Momentum" else ((1 + beta) * shrunk, beta * shrunk)
    root = np.sqrt(b * b - 4 * c + 0j)
    return np.maximum(np.abs(b + root), np.abs(b - root)) / 2


def _rule(name: str, beta: Any) -> Rule:
    return rules.SGD() if name == "SGD" else getattr(rules, name)(beta=beta)


@row(
    "S1", "The stability map: why Nesterov diverges at η = 0.6, β = 0.5", update_matrix, spectral_radius, rules.Nesterov
)
def s1() -> Result:
    lr, beta = np.meshgrid(np.linspace(0.005, 1.0, 200), np.linspace(0.0, 0.99, 160))
    figure, axes = new_figure(3, 2, width=4.1, height=3.2)
    off = 0.0
    for panel, name in zip(axes[0], ("SGD", "Momentum", "Nesterov"), strict=True):
        radius = spectral_radius(_rule(name, beta), CURVATURES, lr)
        off = max(
            off, float(np.abs(radius - np.max([closed_form(name, h, lr, beta) for h in CURVATURES], axis=0)).max())
        )
        shade = panel.pcolormesh(lr, beta, radius, cmap="PuOr_r", vmin=0.4, vmax=1.6, rasterized=True)
        panel.contour(lr, beta, radius, [1.0], colors=INK, linewidths=1.6)
        panel.set(title=f"{_TITLES[name]}: spectral radius", xlabel="η", ylabel="β")
        panel.grid(visible=False)
        for rule, at, momentum in _SETTINGS:
            if rule == name:
                panel.plot(at, momentum, "o", color="white", markeredgecolor=INK, markersize=8, clip_on=False)
                aside = (9, "left") if spectral_radius(_rule(rule, momentum), CURVATURES, at) > 1 else (-9, "right")
                box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
                panel.annotate(
                    f"η {at:g}, β {momentum:g}",
                    (at, momentum),
                    (aside[0], 4),
                    textcoords="offset points",
                    ha=aside[1],
                    bbox=box,
                    fontsize=9,
                )
    figure.colorbar(shade, ax=list(axes[0]), label="below 1 it converges", extend="both")
    rows = []
    for panel, name in zip(axes[1], ("SGD", "Momentum", "Nesterov"), strict=True):
        for i, (rule, at, momentum) in enumerate(s for s in _SETTINGS if s[0] == name):
            radius = float(spectral_radius(_rule(rule, momentum), CURVATURES, at))
            path = descend(_rule(rule, momentum), bowl, START, at)
            error = np.hypot(*path.T)
            label = f"η = {at:g}" + (f", β = {momentum:g}" if momentum else "")
            panel.semilogy(error, marker="os"[i], markersize=4, label=label, **rule_style(rule))
            panel.semilogy(error[-1] * radius ** np.arange(-20.0, 1), color=INK, linewidth=1.1, linestyle=":", zorder=5)
            rows.append(
                (
                    _TITLES[rule],
                    f"{at:g}",
                    f"{momentum:g}",
                    f"{radius:.4f}",
                    "converges" if radius < 1 else "diverges",
                    f"{error[-1]:.3g}",
                )
            )
        panel.set(
            title=f"{_TITLES[name]}: its runs",
            xlabel="step",
            ylabel="distance from the minimum",
            xticks=range(0, 21, 5),
        )
        panel.legend()
    table = Table(("rule", "η", "β", "spectral radius", "so it", "distance after 20 steps"), rows)
    limit = {"Momentum": 2 * 1.5 / 4, "Nesterov": 2 * 1.5 / (4 * 2)}
    heavy, ahead = (float(closed_form(name, 4.0, 0.6, 0.5)) for name in ("Momentum", "Nesterov"))
    checks = [
        claim(
            "eigenvalues of the rules' update matrices against the roots worked out by hand",
            f"{off:.1e}",
            off < 1e-6,
            "0",
            DERIVED,
        ),
        number(
            "momentum at η = 0.6, β = 0.5: spectral radius for λ = 4",
            f"{heavy:.4f}, stable",
            "0.7071, stable",
            DERIVED,
        ),
        number("Nesterov at the same η and β", f"{ahead:.4f}, unstable", "2.3926, unstable", DERIVED),
        claim(
            "the largest stable η at β = 0.5: 2(1 + β)/λ for momentum, 2(1 + β)/(λ(1 + 2β)) for Nesterov",
            f"{limit['Momentum']:.3f}, {limit['Nesterov']:.3f}",
            all(abs(closed_form(name, 4.0, at, 0.5) - 1) < 1e-9 for name, at in limit.items()),
            "there the spectral radius is 1",
            DERIVED,
        ),
    ]
    text = (
        "Momentum goes from θ to (1 - ηλ)·θ + β·v: only the error is multiplied by 1 - ηλ. Nesterov goes to "
        "(1 - ηλ)·(θ + β·v): it multiplies the look-ahead as a whole. At note A's η = 0.6 and λ = 4 that factor is "
        "-1.4. In momentum the velocity, which points back, tames it; in Nesterov it is blown up with the rest."
    )
    caption = (
        "Above: the spectral radius of one step, with a line where it is 1, with the notes' settings (η, β). Below: "
        "those runs; dotted, the slope that the spectral radius predicts."
    )
    return Result(checks, [table], [Picture(figure, caption)], text)


_TITLES = {"SGD": "gradient descent", "Momentum": "momentum", "Nesterov": "Nesterov"}
