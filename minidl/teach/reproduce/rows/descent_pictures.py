"""Note A's pictures of descents: FA1-FA6, FA8, FA10, FA14."""

from typing import Any

import numpy as np

from ....display.figures import FAINT, INK, label_ends, new_figure
from ....optim import rules
from ....optim.rule import Rule
from ...functions import START, bowl, descend, fading, parabola, plateau, point, saddle, two_valleys
from ...plots import contours, minimum, rule_style, trace
from ..registry import DERIVED, NOTE_A, OURS, Picture, Result, claim, row

WINDOW = ((-5.5, 1.0), (-3.0, 3.0))  # of all pictures on f: what is compared is drawn on one scale
_LEVELS = (0.05, 0.2, 0.5, 1, 2, 4, 8, 14, 20)


def traced(rule: Rule, lr: float, title: str) -> tuple[np.ndarray, Picture]:
    """20 steps of `rule` on note A's f, and their picture on its contours."""
    path = descend(rule, bowl, START, lr)
    figure, ((axes,),) = new_figure(width=5.6, height=5.2)
    on_contours(axes, path, rule.name, title)
    return path, Picture(figure, f"{title}: 20 steps on f(x) = 0.1x1² + 2x2², {_MARKS}")


_MARKS = "a marker per step, from the ring to the square; in the corner, where it is in the end."


def on_contours(axes: Any, path: np.ndarray, rule: str, title: str) -> None:
    """A path of 20 steps on the level lines of f, with what the note prints at its end, and f there."""
    contours(axes, bowl, WINDOW, _LEVELS, numbers=True)
    trace(axes, path, rule)
    minimum(axes, (0, 0))
    out = np.abs(path[:, 1]) > WINDOW[1][1]
    far = f"; {out.sum()} of 20 steps are off the picture" if out.any() else ""
    end = f"epoch 20, {point(path[-1])}\nf = {bowl(path[-1]):.3g}{far}"
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2}
    axes.text(0.98, 0.02, end, transform=axes.transAxes, ha="right", fontsize=9, bbox=box, zorder=6)
    axes.set(title=title, aspect="equal")


@row("FA1", "A learning rate too small, right, too large", rules.SGD, parabola)
def fa1() -> Result:
    rates = {"too small: η = 0.02": 0.02, "right: η = 0.2": 0.2, "too large: η = 1.05": 1.05}
    paths = {name: descend(rules.SGD(), parabola, [-4.0], lr, 15)[:, 0] for name, lr in rates.items()}
    figure, axes = new_figure(3, width=3.6, sharey=True)
    x = np.linspace(-9, 9, 200)
    for panel, (name, path) in zip(axes[0], paths.items(), strict=True):
        panel.plot(x, parabola([x]), color=FAINT, linewidth=1.2)
        seen = path[np.abs(path) < 9]
        trace(panel, np.stack([seen, parabola([seen])], axis=1), "SGD")
        minimum(panel, (0, 0))
        panel.set(title=f"{name}\nx = {path[-1]:.3g} after 15 steps", xlabel="x", xlim=(-9.2, 9.2), ylim=(-2, 82))
    outside = int(np.argmax(np.abs(paths["too large: η = 1.05"]) >= 9))
    axes[0, 2].annotate(f"off the picture\nfrom step {outside} on", (0, 6), ha="center", fontsize=9)
    axes[0, 0].set_ylabel("f(x) = x²")
    small, right, large = (abs(path[-1]) for path in paths.values())
    checks = [
        claim(
            "too small: still more than 2 from the minimum after 15 steps",
            f"x = -4 → -{small:.2f}",
            small > 2,
            "",
            NOTE_A,
            "no se llegue a un mínimo deseable en un número controlado de iteraciones",
        ),
        claim("right: close to it after 15 steps", f"|x| = {right:.4f}", right < 0.01, "within 0.01", OURS),
        claim(
            "too large: further away after every step",
            f"|x| = {large:.2f}",
            bool(np.all(np.diff(np.abs(paths["too large: η = 1.05"])) > 0)),
            "",
            NOTE_A,
            "comúnmente, el algoritmo diverja",
        ),
    ]
    caption = (
        "15 steps of gradient descent on x² from -4 (ours: the note gives no function and no η). Each step multiplies "
        "x by 1 - 2η: it diverges from η = 1 on."
    )
    return Result(checks, pictures=[Picture(figure, caption)])


@row("FA2", "A, B, C: momentum crosses the plateau", rules.Momentum, plateau)
def fa2() -> Result:
    paths = {
        "SGD": descend(rules.SGD(), plateau, [0.0], 0.1, 1600)[:, 0],
        "Momentum": descend(rules.Momentum(beta=0.9), plateau, [0.0], 0.1, 1600)[:, 0],
    }
    arrived = {rule: int(np.argmax(np.abs(path - 10) < 0.25)) for rule, path in paths.items()}
    seen = {rule: path[:151] for rule, path in paths.items()}
    figure, axes = new_figure(2, 2, width=4.8, height=2.9, sharex="row", sharey="row", height_ratios=[3, 2])
    x = np.linspace(-0.4, 12.5, 400)
    for above, below, (rule, path) in zip(*axes, seen.items(), strict=True):
        above.plot(x, plateau([x]), color=FAINT, linewidth=1.2)
        trace(above, np.stack([path, plateau([path])], axis=1), rule, every=10)
        for name, at in (("A", 0.0), ("B", 5.0), ("C", 10.0)):
            above.plot(at, plateau([np.array(at)]), "|", color=INK, markersize=12)
            above.annotate(
                name, (at, plateau([np.array(at)])), (0, 12), textcoords="offset points", ha="center", weight="bold"
            )
        end = (path[-1], plateau([path[-1]]))
        above.annotate(f"x = {path[-1]:.2f} after 150 steps", end, (0, -18), textcoords="offset points", ha="center")
        name = "gradient descent" if rule == "SGD" else "momentum, β = 0.9"
        above.set(title=f"{name}: at C after {arrived[rule]:,} steps", xlabel="x", ylabel="f(x)", ylim=(2.6, 11.6))
        below.semilogy(np.abs(np.diff(path)), **rule_style(rule))
        below.set(xlabel="step", ylabel="step length", ylim=(1e-3, 2))
    stuck, through = paths["SGD"][150], seen["Momentum"]
    overshoot = through.max()
    checks = [
        claim(
            "after 150 steps gradient descent is still on the plateau around B, 3 < x < 7",
            f"x = {stuck:.2f}, at {abs(paths['SGD'][150] - paths['SGD'][149]):.4f} a step",
            3 < stuck < 7,
            "",
            NOTE_A,
            "será muy difícil moverse de ese punto, incluso luego de varias iteraciones",
        ),
        claim(
            "it has not stopped: it is at C, within 0.25 of x = 10, after",
            f"{arrived['SGD']:,} steps",
            1000 < arrived["SGD"] < 2000,
            "4/(0.1·0.02) = 2,000 steps for a plateau of 4, fewer with its round edges",
            DERIVED,
        ),
        claim(
            "momentum crosses the plateau and comes to rest at C, within 0.25 of x = 10 after 150 steps",
            f"x = {through[-1]:.2f}, there first after {arrived['Momentum']} steps",
            abs(through[-1] - 10) < 0.25,
            "",
            NOTE_A,
            "para luego seguir el camino más pronunciado desde B hasta C",
        ),
        claim(
            "it overshoots C on its way", f"as far as x = {overshoot:.2f}", 10.5 < overshoot < 12, "beyond 10.5", OURS,
        ),
    ]  # fmt: skip
    text = "The note gives no formula: this function has its slopes A-B and B-C and a plateau at B, and is ours."
    caption = (
        "150 steps from A at η = 0.1, a marker every ten, ring to square; the slope is -1 on A-B and B-C, and -0.02 "
        "around B. Below, how long each step is: at B gradient descent's are 50 times shorter."
    )
    return Result(checks, pictures=[Picture(figure, caption)], text=text)


@row("FA3", "Gradient descent, η = 0.4", rules.SGD, bowl, descend)
def fa3() -> Result:
    path, picture = traced(rules.SGD(), 0.4, "gradient descent, η = 0.4")
    share = np.abs(path[5] / path[0])
    seen = f"after 5 steps {share[1]:.0%} of x2 is left, {share[0]:.0%} of x1"
    return Result(
        [
            claim(
                "faster in the vertical than in the horizontal",
                seen,
                share[1] < share[0],
                "",
                NOTE_A,
                "se mueve más rápido en la dirección vertical que en la dirección horizontal",
            )
        ],
        pictures=[picture],
    )


@row("FA4", "Gradient descent, η = 0.6", rules.SGD, bowl, descend)
def fa4() -> Result:
    path = descend(rules.SGD(), bowl, START, 0.6)
    figure, axes = new_figure(2, width=5.2, height=4.8)
    on_contours(axes[0, 0], path, "SGD", "gradient descent, η = 0.6")
    for i, (label, marker, colour) in enumerate(
        ((r"$|x_1| = 5 \cdot 0.88^t$", "o", "#0052B9"), (r"$|x_2| = 2 \cdot 1.4^t$", "s", "#B84A00"))
    ):
        axes[0, 1].semilogy(np.abs(path[:, i]), marker=marker, markersize=3.5, color=colour, label=label)
    axes[0, 1].set(title="distance of each coordinate from the minimum", xlabel="step t", xticks=range(0, 21, 5))
    label_ends(axes[0, 1])
    grows = bool(np.all(np.diff(np.abs(path[:, 1])) > 0))
    checks = [
        claim(
            "x2 diverges: further from 0 at each step",
            f"{path[:4, 1].round(2)} ...",
            grows,
            "",
            NOTE_A,
            "hay una marcada divergencia para x_2",
        )
    ]
    away = ", ".join(f"{x:.1f}" for x in path[2:6, 1])
    caption = f"20 steps on f(x) = 0.1x1² + 2x2², {_MARKS} x2 leaves the picture at step 2: {away}, ..."
    return Result(checks, pictures=[Picture(figure, caption)])


@row("FA5", "Momentum, β = 0.5, η = 0.6", rules.Momentum, bowl, descend)
def fa5() -> Result:
    path, picture = traced(rules.Momentum(beta=0.5), 0.6, "momentum, β = 0.5, η = 0.6")
    left = bowl(path[-1])
    return Result(
        [claim("it converges: f after 20 steps", f"{left:.1e}", left < 1e-3, "below 0.001", OURS)], pictures=[picture]
    )


@row("FA6", "Momentum, β = 0.25, η = 0.6", rules.Momentum, bowl, descend)
def fa6() -> Result:
    path, picture = traced(rules.Momentum(beta=0.25), 0.6, "momentum, β = 0.25, η = 0.6")
    turns = int((np.diff(np.sign(path[:, 1])) != 0).sum())
    steady = descend(rules.Momentum(beta=0.5), bowl, START, 0.6)
    checks = [
        claim(
            "more erratic: |x2| added up over 20 steps, and at β = 0.5",
            f"{np.abs(path[:, 1]).sum():.1f} against {np.abs(steady[:, 1]).sum():.1f}",
            np.abs(path[:, 1]).sum() > np.abs(steady[:, 1]).sum(),
            "more",
            NOTE_A,
            "el algoritmo parece actuar de forma más errática",
        ),
        claim("x2 changes its sign", f"{turns} times in 20 steps", turns > 15, "over 15 times", OURS),
        claim(
            "and yet it converges: f after 20 steps",
            f"{bowl(path[-1]):.2f}, from {bowl(path[0]):.2f}",
            bowl(path[-1]) < 0.1,
            "",
            NOTE_A,
            "de igual manera converge a la solución buscada",
        ),
    ]
    return Result(checks, pictures=[picture])


@row("FA8", "AdaGrad, η = 0.4 and η = 2", rules.AdaGrad, bowl, descend)
def fa8() -> Result:
    rule = rules.AdaGrad(eps=1e-6, eps_mode="inside")
    slow, fast = (descend(rule, bowl, START, lr) for lr in (0.4, 2.0))
    figure, axes = new_figure(2, width=5.2, height=4.8, sharey=True)
    for panel, path, lr in zip(axes[0], (slow, fast), (0.4, 2.0), strict=True):
        on_contours(panel, path, "AdaGrad", f"AdaGrad, η = {lr:g}")
    steps = np.abs(np.diff(slow[:, 0]))
    checks = [
        claim(
            "η = 0.4: the steps in x1 shrink, and it does not arrive",
            f"{steps[0]:.2f} ... {steps[-1]:.3f}; x1 = {slow[-1, 0]:.2f}",
            bool(np.all(np.diff(steps) < 0)) and slow[-1, 0] < -1,
            "smaller each time, and x1 below -1",
            OURS,
        ),
        claim("η = 2: it arrives", f"f = {bowl(fast[-1]):.1e}", bowl(fast[-1]) < 1e-5, "below 1e-5", OURS),
    ]
    return Result(checks, pictures=[Picture(figure, f"20 steps on f(x) = 0.1x1² + 2x2², {_MARKS}")])


_ALL: dict[str, tuple[Rule, float]] = {
    "gradient descent, η = 0.4": (rules.SGD(), 0.4),
    "gradient descent, η = 0.6": (rules.SGD(), 0.6),
    "momentum, β = 0.5, η = 0.6": (rules.Momentum(beta=0.5), 0.6),
    "momentum, β = 0.25, η = 0.6": (rules.Momentum(beta=0.25), 0.6),
    "AdaGrad, η = 0.4": (rules.AdaGrad(eps=1e-6, eps_mode="inside"), 0.4),
    "RMSProp, γ = 0.9, η = 0.4": (rules.RMSProp(rho=0.9, eps=1e-6), 0.4),
}


@row("FA10", "RMSProp, η = 0.4, γ = 0.9", rules.RMSProp, bowl, descend)
def fa10() -> Result:
    path = descend(rules.RMSProp(rho=0.9, eps=1e-6), bowl, START, 0.4)
    figure, ((axes,),) = new_figure(width=5.6, height=5.2)
    on_contours(axes, path, "RMSProp", "RMSProp, η = 0.4, γ = 0.9")
    axes.annotate(
        r"first step: $3.16\,\eta$ in each coordinate", path[1], (-2.9, -2.2), fontsize=9,
        arrowprops={"arrowstyle": "->", "color": INK},
    )  # fmt: skip
    overview, panels = new_figure(3, 2, width=3.9, height=3.8, sharex=True, sharey=True)
    for panel, (name, (rule, lr)) in zip(panels.flat, _ALL.items(), strict=True):
        on_contours(panel, descend(rule, bowl, START, lr), rule.name, name)
    left = bowl(path[-1])
    checks = [claim("it converges: f after 20 steps", f"{left:.1e}", left < 1e-3, "below 0.001", OURS)]
    captions = (f"20 steps on f(x) = 0.1x1² + 2x2², {_MARKS}", f"Note A's runs on f, on one scale: {_MARKS}")
    return Result(checks, pictures=[Picture(figure, captions[0]), Picture(overview, captions[1])])


@row("FA14", "A local minimum, a saddle point, a vanishing gradient", rules.SGD, two_valleys, saddle, fading)
def fa14() -> Result:
    figure, axes = new_figure(3, width=3.8, height=3.5)
    valley = descend(rules.SGD(), two_valleys, [1.7], 0.04, 60)[:, 0]
    flat = descend(rules.SGD(), fading, [3.5], 0.1, 60)[:, 0]
    pass_ = descend(rules.SGD(), saddle, [-2.0, 1e-3], 0.1, 120)
    _on_curve(axes[0, 0], two_valleys, np.linspace(-1.75, 1.8, 300), valley, "a local minimum stops it")
    axes[0, 0].annotate("global minimum", (-1.04, -0.31), (-1.2, 1.6), arrowprops={"arrowstyle": "->", "color": INK})
    contours(axes[0, 1], saddle, ((-2.2, 0.8), (-1.3, 1.3)), np.linspace(-0.24, 2.4, 20))
    trace(axes[0, 1], pass_, "SGD")
    axes[0, 1].plot(0, 0, "s", color=INK, markersize=7)
    axes[0, 1].annotate("saddle", (0, 0), (-8, -16), textcoords="offset points", ha="right")
    minimum(axes[0, 1], (0, 1), (0, -1))
    low = [float(x) for x in np.roots([4, 0, -4, 0.3]).real]  # where the derivative of the two valleys is 0
    minimum(axes[0, 0], *((x, two_valleys([x])) for x in (min(low), max(low))))
    arrow = {"arrowstyle": "->", "color": INK}
    axes[0, 2].annotate("slope 0.0036,\nstep 0.00036", (3.5, 0.97), (1.4, -0.2), arrowprops=arrow)
    axes[0, 1].set(title="a saddle point holds it up")
    _on_curve(axes[0, 2], fading, np.linspace(-3, 4, 300), flat, "a vanishing gradient: hardly a step")
    slopes = [float(np.abs(np.diff(path)[-1])) for path in (valley, flat)]
    near = int((np.hypot(*pass_.T) < 0.3).sum())
    checks = [
        claim(
            "local minimum: it stops near x = 0.96, with f above the global minimum",
            f"x = {valley[-1]:.3f}",
            abs(valley[-1] - 0.96) < 0.01 and slopes[0] < 1e-3,
            "0.96, steps below 0.001",
            DERIVED,
        ),
        claim(
            "saddle: steps spent within 0.3 of (0, 0), where the gradient is all but 0",
            f"{near} of 120",
            near > 30,
            "over 30",
            OURS,
        ),
        claim(
            "saddle: it is no minimum, and is left in the end, for (0, 1)",
            f"({pass_[-1][0]:.2f}, {pass_[-1][1]:.2f})",
            pass_[-1][1] > 0.9,
            "",
            NOTE_A,
            "puntos de ensilladura (donde la derivada se anula pero no son máximos ni mínimos locales)",
        ),
        claim(
            "vanishing gradient: distance covered in 60 steps",
            f"{flat[0] - flat[-1]:.3f}",
            flat[0] - flat[-1] < 0.1,
            "below 0.1",
            OURS,
        ),
    ]
    text = "The three functions are ours: the note shows pictures without formulas."
    caption = (
        "Gradient descent on (x² - 1)² + 0.3x, on x1²/2 + x2⁴/4 - x2²/2 and on tanh x, from ring to square; crosses "
        "are minima, the filled square is the saddle. It starts at x2 = 0.001: at 0 it would never leave."
    )
    return Result(checks, pictures=[Picture(figure, caption)], text=text)


def _on_curve(axes: Any, f: Any, x: np.ndarray, path: np.ndarray, title: str) -> None:
    axes.plot(x, f([x]), color=FAINT, linewidth=1.2)
    trace(axes, np.stack([path, f([path])], axis=1), "SGD")
    axes.set(title=title, xlabel="x", ylabel="f(x)")
