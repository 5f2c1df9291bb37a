"""Momentum and Nesterov: EB1, EB5, EB6, and the pictures FB0 and FB1."""

from typing import Any

import numpy as np

from ....display.figures import INK, new_figure
from ....optim import rules, schedules
from ....optim.rule import Rule
from ....transforms import grad
from ...functions import CURVATURES, START, bowl, descend, slope
from ...plots import COLOURS, MARKERS, contours, minimum, trace
from ...stability import spectral_radius
from .. import as_printed
from ..registry import DERIVED, NOTE_B, OURS, Picture, Result, Table, agreed, claim, row


def steps_until(path: np.ndarray, value: float = 1e-6) -> np.ndarray:
    """After how many steps f is below `value` for good: for each run of `path`; infinity for never."""
    with np.errstate(over="ignore", invalid="ignore"):
        above = ~(bowl(np.moveaxis(path, 1, 0)) < value)
    last = len(above) - 1 - above[::-1].argmax(axis=0)
    return np.where(above[-1], np.inf, np.where(above.any(axis=0), last + 1, 0))


def fewest_steps(rule: Any, steps: int = 1500) -> tuple[int, float]:
    """The fewest steps until f < 1e-6, and the learning rate, one of 60, that needs them."""
    rates = np.geomspace(1e-3, 1.0, 60)
    needed = steps_until(descend(rule, bowl, np.repeat([START], 60, axis=0).T, rates, steps))
    return int(needed.min()), float(rates[needed.argmin()])


@row("EB1", "SGD with a learning rate per epoch", rules.SGD, schedules.per_epoch, as_printed.sgd)
def eb1() -> Result:
    alpha = schedules.per_epoch(schedules.exponential(0.4, 1, 0.5), steps_per_epoch=5)
    path = descend(rules.SGD(), bowl, START, alpha)
    rates = [alpha(k) for k in range(20)]
    closed = np.array([x * np.prod([1 - a * h for a in rates]) for x, h in zip(START, CURVATURES, strict=True)])
    printed = as_printed.sgd(slope, np.array(START), 20, alpha)
    checks = [
        claim(
            "the rule equals the note's algorithm at each of 20 steps",
            _apart(path, printed),
            _equal(path, printed),
            "0",
            DERIVED,
        ),
        claim(
            "closed form Π(1 - α_k·λ)·x0",
            f"{path[-1]}",
            bool(np.allclose(path[-1], closed, rtol=0, atol=1e-12)),
            f"{closed}",
            DERIVED,
        ),
        claim(
            "α_k falls with the epoch, k = updates // updates per epoch",
            f"{sorted(set(rates), reverse=True)}",
            rates == sorted(rates, reverse=True),
            "",
            NOTE_B,
            "Essa dovrebbe decrescere durante l'avanzamneto",
        ),
    ]
    return Result(checks, text="Four epochs of five updates each; α halves after each epoch.")


_BETAS = (0.5, 0.9, 0.99)  # the note's
_CONDITIONS = (20, 1000, 100_000)  # the first is that of note A's f


def steps_at_best(rule: Rule, condition: float) -> float:
    """Steps until the error on a quadratic is a millionth: by the best of 600 α, in the long run."""
    rates = np.geomspace(1e-3, 4.0, 600)
    slowest = spectral_radius(rule, (1 / condition, 1.0), rates)
    return float(np.log(1e-6) / np.log(slowest.min()))


@row("EB5", "Momentum with the learning rate inside the velocity", rules.Momentum, as_printed.momentum, steps_at_best)
def eb5() -> Result:
    alpha = schedules.exponential(0.1, 10, 0.5)
    worst = 0.0
    plain, lr = fewest_steps(rules.SGD())
    rows = [
        ("gradient descent", f"{lr:.3f}", str(plain), *(f"{steps_at_best(rules.SGD(), c):,.0f}" for c in _CONDITIONS))
    ]
    fewest, faster = {}, dict.fromkeys(_CONDITIONS, 0)
    for beta in _BETAS:
        rule = rules.Momentum(beta=beta, form="velocity")
        printed = as_printed.momentum(slope, np.array(START), 20, alpha, beta)
        worst = max(worst, float(np.abs(descend(rule, bowl, START, alpha) - printed).max()))
        fewest[beta], lr = fewest_steps(rule)
        needed = {condition: steps_at_best(rule, condition) for condition in _CONDITIONS}
        for condition, steps in needed.items():
            faster[condition] += steps < steps_at_best(rules.SGD(), condition)
        rows.append((f"momentum, β = {beta}", f"{lr:.3f}", str(fewest[beta]), *(f"{n:,.0f}" for n in needed.values())))
    head = ("rule", "best α on f", "steps on f until f < 1e-6", *(f"κ = {c:,}" for c in _CONDITIONS))
    table = Table(head, rows, "On f the best of 60 α, by running; for each κ the best of 600, by the spectral radius.")
    fastest = [float(np.sqrt(beta)) for beta in _BETAS[1:]]
    checks = [
        claim(
            "the rule equals the note's algorithm, under a falling α_k too", f"{worst:.1e}", worst < 1e-12, "0", DERIVED
        ),
        claim(
            "in fewer steps, on note A's f, with β = 0.5: against gradient descent, each at its best α",
            f"{fewest[0.5]} against {plain}",
            fewest[0.5] < plain,
            "",
            NOTE_B,
            "tale algoritmo è più rapido, converge in meno passi",
        ),
        claim(
            "but there not with β = 0.9 and 0.99: no α lets the error shrink faster than by √β a step",
            f"{fewest[0.9]} and {fewest[0.99]:,} against {plain}",
            min(fewest[0.9], fewest[0.99]) > plain,
            f"over {plain}: √β is {fastest[0]:.3f} and {fastest[1]:.3f}, gradient descent's factor 19/21 = 0.905",
            DERIVED,
        ),
        claim(
            f"“very often”: of three β, how many are faster where κ is {', '.join(f'{c:,}' for c in _CONDITIONS)}",
            ", ".join(str(n) for n in faster.values()),
            sum(faster.values()) >= 5,
            "most of nine",
            NOTE_B,
            "Molto spesso, tale algoritmo è più rapido",
        ),
    ]
    text = (
        "κ is the ratio of the largest curvature to the smallest. The larger it is, the larger the β that pays: 0.99 "
        "swings for over a thousand steps on f, and is the best by far where κ = 100,000."
    )
    return Result(checks, [table], text=text)


@row(
    "EB6", "Nesterov's momentum: the gradient at the interim point", rules.Nesterov, as_printed.nesterov, steps_at_best
)
def eb6() -> Result:
    worst = 0.0
    for alpha in (schedules.constant(0.3), schedules.exponential(0.3, 5, 0.5)):
        path = descend(rules.Nesterov(beta=0.5), bowl, START, alpha)
        worst = max(worst, float(np.abs(path - as_printed.nesterov(slope, np.array(START), 20, alpha, 0.5)).max()))
    rows, better = [], []
    for beta in _BETAS:
        (plain, _), (ahead, _) = (fewest_steps(kind(beta=beta)) for kind in (rules.Momentum, rules.Nesterov))
        needed = [steps_at_best(kind(beta=beta), 1000) for kind in (rules.Momentum, rules.Nesterov)]
        better += [ahead < plain, needed[1] < needed[0]]
        rows.append((f"{beta:g}", str(plain), str(ahead), *(f"{n:,.0f}" for n in needed)))
    ends = [descend(kind(beta=0.5), bowl, START, 0.6)[-1] for kind in (rules.Momentum, rules.Nesterov)]
    checks = [
        claim(
            "the rule equals the note's algorithm, under a falling α_k too", f"{worst:.1e}", worst < 1e-12, "0", DERIVED
        ),
        claim(
            "it does better: in how many of 6 settings it needs fewer steps than momentum, each at its best α",
            f"{sum(better)}",
            agreed(better),
            "in all",
            NOTE_B,
            "Il cambiamento è piccolo, ma empiricamente sembra andare meglio",
        ),
        claim(
            "not at any α: note A's α = 0.6, β = 0.5, the distance from the minimum after 20 steps",
            f"momentum {np.hypot(*ends[0]):.3f}, Nesterov {np.hypot(*ends[1]):.0f}",
            bool(np.hypot(*ends[0]) < 0.1 and np.hypot(*ends[1]) > 1e6),
            "momentum converges, Nesterov diverges (S1)",
            DERIVED,
        ),
    ]
    head = ("β", "f: momentum", "f: Nesterov", "κ = 1,000: momentum", "κ = 1,000: Nesterov")
    table = Table(head, rows, "Steps until f < 1e-6, and until the error is a millionth, each at its best α.")
    text = (
        "minidl's parameters hold the interim point θ̃ all the time, so that the gradient needs no detour; "
        "`iterate` gives the note's θ back, and that is compared. Which of the two is faster turns with β and κ."
    )
    return Result(checks, [table], text=text)


_ROAD = {  # name, rule, α: momentum's steps come to be as large as those of α/(1 - β)
    "gradient descent, α = 0.06": (rules.SGD(), 0.06),
    "momentum, α = 0.06, β = 0.7": (rules.Momentum(beta=0.7, form="velocity"), 0.06),
    "gradient descent, α = 0.2": (rules.SGD(), 0.2),
}


@row("FB0", "The winding road of mini-batches, and momentum's", rules.SGD, rules.Momentum, grad)
def fb0(seed: int) -> Result:
    rng = np.random.default_rng(3 + seed)
    inputs = rng.standard_normal((200, 2)) * [0.45, 2.0]
    targets = rng.standard_normal(200)
    orders = np.array([rng.permuted(np.tile(np.arange(200), 10)).reshape(100, 20) for _ in range(20)])
    paths = {name: _road(rule, lr, inputs, targets, orders) for name, (rule, lr) in _ROAD.items()}
    lowest = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    excess = {name: _excess(path - lowest[:, None], inputs) for name, path in paths.items()}
    needed = {name: np.where((e <= 0.1).any(axis=0), (e <= 0.1).argmax(axis=0), np.inf) for name, e in excess.items()}
    turns = {name: np.mean([_turning(path[:31, :, k]) for k in range(20)]) for name, path in paths.items()}
    figure, axes = new_figure(3, width=3.9, height=3.6, sharey=True)
    for panel, (name, path) in zip(axes[0], paths.items(), strict=True):
        contours(panel, lambda w: _excess(w - lowest[:, None, None], inputs), ((-3.4, 0.9), (-1.9, 1.9)), levels=16)
        trace(panel, path[:31, :, 0], _ROAD[name][0].name)
        minimum(panel, lowest)
        panel.set(title=f"{name}: {np.median(needed[name]):.0f} steps", xlabel="$w_1$", ylabel="")
    axes[0, 0].set_ylabel("$w_2$")
    slow, heavy, large = needed.values()
    first, second, third = turns.values()
    rows = [
        (
            name,
            f"{np.median(needed[name]):.0f} ({needed[name].min():.0f} to {needed[name].max():.0f})",
            f"{turns[name]:.0f}°",
        )
        for name in paths
    ]
    checks = [
        claim(
            "the road winds: mean turn from one step to the next, over 45°",
            f"{first:.0f}°",
            bool(first > 45),
            "",
            NOTE_B,
            "La strada verso il minimo è tortuosa",
        ),
        claim(
            "momentum goes “to a middle point”: its mean turn",
            f"{second:.0f}°",
            bool(second < first),
            "less than that",
            NOTE_B,
            "andrò in un certo punto medio",
        ),
        claim(
            "and gains speed: in how many of 20 orders the loss is within 0.1 of its lowest in fewer steps",
            f"{int((heavy < slow).sum())}; {np.median(heavy):.0f} against {np.median(slow):.0f}",
            bool((heavy < slow).all()),
            "in all",
            NOTE_B,
            "avrò più spinta nel seguire quella direzione",
        ),
        claim(
            "an α of 0.06/(1 - 0.7) alone makes gradient descent as fast, but its road winds the most",
            f"{np.median(large):.0f} steps, {third:.0f}°",
            bool(np.median(large) < np.median(slow) and third > first),
            f"fewer than {np.median(slow):.0f} steps, over {first:.0f}°",
            OURS,
        ),
    ]
    caption = (
        "30 updates by mini-batches of 20, the same batches in each panel, on the contours of the loss over all 200 "
        "examples of a linear model with two weights; from ring to square, a cross at the minimum. In the title, the "
        "median number of steps until the loss is within 0.1 of its lowest, over 20 orders."
    )
    table = Table(
        ("rule", "steps to within 0.1", "mean turn"), rows, "Median, fewest and most of 20 orders of the batches."
    )
    text = "With batches of 4 momentum's last steps are the noisier ones: what a batch says weighs 1/(1 - β) in all."
    return Result(checks, [table], [Picture(figure, caption)], text)


def _road(rule: Rule, lr: float, inputs: np.ndarray, targets: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """The steps of a linear model with two weights, (steps + 1, 2, K): one for each of K orders, (K, steps, batch)."""
    w = np.repeat([[-3.0], [1.4]], len(orders), axis=1)
    state, path = list(rule.init(w)), [w]
    for t, rows in enumerate(np.moveaxis(orders, 1, 0), 1):
        x, y = inputs[rows], targets[rows]

        def loss(w: Any, x: Any = x, y: Any = y) -> Any:
            return ((x[:, :, 0] * w[0][:, None] + x[:, :, 1] * w[1][:, None] - y) ** 2).mean(axis=1).sum()

        w, *state = rule(w, grad(loss)(w).numpy(), *state, lr=lr, t=t)
        path.append(w)
    return np.array(path)


def _excess(off: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """How far the loss is above its lowest, at a distance `off` from there: (2, ...), or a path (steps, 2, K)."""
    curvature = inputs.T @ inputs / len(inputs)
    first = off if len(off) == 2 else np.moveaxis(off, 1, 0)
    return np.einsum("i...,ij,j...->...", first, curvature, first)


def _turning(path: np.ndarray) -> float:
    """The mean angle between a step and the next, in degrees."""
    steps = np.diff(path, axis=0)
    direction = np.arctan2(steps[:, 1], steps[:, 0])
    turn = np.abs((np.diff(direction) + np.pi) % (2 * np.pi) - np.pi)
    return float(np.degrees(turn.mean()))


@row("FB1", "Tip to tail: the steps of momentum and of Nesterov", rules.Momentum, rules.Nesterov)
def fb1() -> Result:
    theta, v, beta, alpha = np.array([-3.4, -1.3]), np.array([0.95, 0.55]), 0.9, 0.22
    momentum, nesterov = rules.Momentum(beta=beta, form="velocity"), rules.Nesterov(beta=beta)
    interim = theta + beta * v
    end, _ = momentum(theta, slope(theta), v, lr=alpha, t=1)
    ahead = nesterov(interim, slope(interim), v, lr=alpha, t=1)
    end_ahead = nesterov.iterate(*ahead)
    figure, axes = new_figure(2, width=4.6, sharey=True)
    for panel, rule, stop, title in (
        (axes[0, 0], "Momentum", end, "momentum: the gradient is taken at θ"),
        (axes[0, 1], "Nesterov", end_ahead, "Nesterov: first βv, then the gradient at θ̃"),
    ):
        contours(panel, bowl, ((-3.8, -1.6), (-1.6, 0.7)), levels=12)
        for start, tip, colour, label in (
            (theta, interim, INK, "momentum step βv"),
            (interim, stop, "#B84A00", "gradient step -αg"),
            (theta, stop, COLOURS[rule], "actual step"),
        ):
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0}
            panel.annotate("", tip, start, arrowprops=arrow)
            panel.plot([], [], color=colour, label=label)
        panel.plot(*theta, "o", color=INK)
        panel.annotate("$\\theta$", theta, (-14, -10), textcoords="offset points")
        if rule == "Nesterov":
            panel.annotate(r"$\tilde{\theta} = \theta + \beta v$", interim, (8, -4), textcoords="offset points")
            panel.plot(*end, MARKERS["Momentum"], color=COLOURS["Momentum"], fillstyle="none", markersize=9)
            panel.annotate("momentum's end", end, (-10, 8), textcoords="offset points", ha="right", fontsize=9)
        panel.legend(loc="lower right")
        panel.set(title=title)
    checks = [
        claim(
            "momentum: actual step = βv - αg(θ)",
            f"{end - theta}",
            bool(np.allclose(end, interim - alpha * slope(theta))),
            f"{interim - alpha * slope(theta) - theta}",
            DERIVED,
        ),
        claim(
            "Nesterov: actual step = βv - αg(θ + βv)",
            f"{end_ahead - theta}",
            bool(np.allclose(end_ahead, interim - alpha * slope(interim))),
            f"{interim - alpha * slope(interim) - theta}",
            DERIVED,
        ),
    ]
    return Result(
        checks, pictures=[Picture(figure, "One step on note A's f, from the same θ and v: β = 0.9, α = 0.22.")]
    )


def _apart(path: np.ndarray, other: np.ndarray) -> str:
    return f"{np.abs(path - other).max():.1e}"


def _equal(path: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(path - other).max() < 1e-12)
