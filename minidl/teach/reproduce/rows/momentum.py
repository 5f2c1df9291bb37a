"""Momentum and Nesterov: EB1, EB5, EB6, and the pictures FB0 and FB1."""

from typing import Any

import numpy as np

from .... import nn, optim
from ....backend import seed
from ....data import Dataset, Loader
from ....display.figures import FAINT, INK, new_figure
from ....optim import rules, schedules
from ...functions import CURVATURES, START, bowl, descend, slope
from ...plots import COLOURS, contours, minimum, trace
from .. import as_printed
from ..registry import DERIVED, NOTE_B, OURS, Picture, Result, Table, claim, row


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


@row("EB5", "Momentum with the learning rate inside the velocity", rules.Momentum, as_printed.momentum)
def eb5() -> Result:
    alpha = schedules.exponential(0.1, 10, 0.5)
    worst = 0.0
    plain, lr = fewest_steps(rules.SGD())
    rows = [("gradient descent", f"{lr:.3f}", str(plain))]
    fewest = {}
    for beta in (0.5, 0.9, 0.99):
        rule = rules.Momentum(beta=beta, form="velocity")
        printed = as_printed.momentum(slope, np.array(START), 20, alpha, beta)
        worst = max(worst, float(np.abs(descend(rule, bowl, START, alpha) - printed).max()))
        fewest[beta], lr = fewest_steps(rule)
        rows.append((f"momentum, β = {beta}", f"{lr:.3f}", str(fewest[beta])))
    table = Table(("rule", "best α", "steps until f < 1e-6 for good"), rows, "Each with the best of 60 learning rates.")
    checks = [
        claim(
            "the rule equals the note's algorithm, under a falling α_k too", f"{worst:.1e}", worst < 1e-12, "0", DERIVED
        ),
        claim(
            "“converges in fewer steps”: the best of three β against gradient descent",
            f"{min(fewest.values())} steps",
            min(fewest.values()) < plain,
            f"fewer than gradient descent's {plain}",
            OURS,
        ),
    ]
    text = "Faster with a β that suits the function; β = 0.99 swings for hundreds of steps on this one."
    return Result(checks, [table], text=text)


@row("EB6", "Nesterov's momentum: the gradient at the interim point", rules.Nesterov, as_printed.nesterov)
def eb6() -> Result:
    worst = 0.0
    for alpha in (schedules.constant(0.3), schedules.exponential(0.3, 5, 0.5)):
        path = descend(rules.Nesterov(beta=0.5), bowl, START, alpha)
        worst = max(worst, float(np.abs(path - as_printed.nesterov(slope, np.array(START), 20, alpha, 0.5)).max()))
    plain, ahead = (
        float(steps_until(descend(rule, bowl, START, 0.1, 1000)))
        for rule in (rules.Momentum(beta=0.9), rules.Nesterov(beta=0.9))
    )
    checks = [
        claim(
            "the rule equals the note's algorithm, under a falling α_k too", f"{worst:.1e}", worst < 1e-12, "0", DERIVED
        ),
        claim(
            "“seems to do better”: steps until f < 1e-6, β = 0.9, α = 0.1",
            f"{ahead:.0f} steps",
            ahead < plain,
            f"fewer than momentum's {plain:.0f}",
            OURS,
        ),
    ]
    text = (
        "minidl's parameters hold the interim point θ̃ all the time, so that the gradient needs no detour; "
        "`iterate` gives the note's θ back, and that is what is compared."
    )
    return Result(checks, text=text)


@row("FB0", "The winding road of mini-batches, and momentum's", optim.SGD, optim.Momentum, Loader)
def fb0() -> Result:
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((200, 2)) * [0.45, 2.0]
    targets = inputs @ [0.0, 0.0] + rng.standard_normal(200)
    runs = {
        "SGD": (lambda p: optim.SGD(p, lr=0.06), "gradient descent, mini-batches of 4"),
        "Momentum": (lambda p: optim.Momentum(p, lr=0.06, beta=0.7, form="averaged"), "momentum, the same batches"),
    }
    paths = {rule: _batch_path(make, inputs, targets) for rule, (make, _) in runs.items()}
    figure, axes = new_figure(2, width=4.6, sharey=True)
    for panel, (rule, path) in zip(axes[0], paths.items(), strict=True):
        contours(
            panel,
            lambda w: ((inputs @ w.reshape(2, -1) - targets[:, None]) ** 2).mean(axis=0).reshape(w.shape[1:]),
            ((-3.4, 0.9), (-1.5, 1.7)),
            levels=16,
        )
        trace(panel, path, rule)
        minimum(panel, np.linalg.lstsq(inputs, targets, rcond=None)[0])
        panel.set(title=runs[rule][1], xlabel="$w_1$", ylabel="$w_2$")
    turns = {rule: _turning(path) for rule, path in paths.items()}
    checks = [
        claim(
            "the road winds: mean turn from one step to the next, over 45°",
            f"{turns['SGD']:.0f}°",
            turns["SGD"] > 45,
            "",
            NOTE_B,
            "La strada verso il minimo è tortuosa",
        ),
        claim(
            "momentum goes “to a middle point”: its mean turn",
            f"{turns['Momentum']:.0f}°",
            turns["Momentum"] < turns["SGD"],
            "less than that",
            NOTE_B,
            "andrò in un certo punto medio",
        ),
    ]
    return Result(
        checks,
        pictures=[
            Picture(
                figure,
                "50 updates of a linear model with two weights, on the contours of the loss over all 200 examples.",
            )
        ],
    )


def _batch_path(make: Any, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """50 updates of a linear model with two weights, by mini-batches of 4; the labels are the rows to take."""
    seed(0)
    w = nn.Parameter([-3.0, 1.4], dtype=np.float64)
    optimizer = make([w])
    path = [w.data.copy()]
    for _, rows in Loader(Dataset(inputs, np.arange(200)), 4):
        optimizer.zero_grad()
        nn.mean_squared_error(inputs[rows] @ w, targets[rows]).backward()
        optimizer.step()
        path.append(w.data.copy())
    return np.array(path)


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
            (interim, stop, FAINT, "gradient step -αg"),
            (theta, stop, COLOURS[rule], "actual step"),
        ):
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0}
            panel.annotate("", tip, start, arrowprops=arrow)
            panel.plot([], [], color=colour, label=label)
        panel.plot(*theta, "o", color=INK)
        panel.annotate("θ", theta, (-12, -4), textcoords="offset points")
        if rule == "Nesterov":
            panel.annotate("θ̃ = θ + βv", interim, (8, -4), textcoords="offset points")
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
