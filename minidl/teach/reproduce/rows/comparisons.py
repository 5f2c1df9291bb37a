"""Rules compared on real data, in kind: FA11-FA13, EA10, FB2, FB3. The notes give no network, budget or metric."""

import numpy as np

from .... import optim
from ....display.figures import INK, new_figure
from ....errors import DataError
from ...plots import curves, dots, legend_below, plain_log, rule_style
from ..registry import NOTE_A, NOTE_B, OURS, Picture, Result, Table, claim, row
from ..trials import ANOTHER_WORKLOAD, PLOTTED, RULES, Curve, Trial, datasets, run, run_all, workload

PANELS = {"mnist/linear": "linear", "mnist/mlp": "64 ReLU", "mnist/deep tanh": "5 layers of 32 tanh"}


def at_defaults(quick: bool, name: str, shown: str) -> Result:
    """Every rule at its default learning rate: validation loss and error as training goes on."""
    try:
        datasets(name.partition("/")[0])
    except DataError as error:
        return Result(not_run=f"data not present. {error}")
    updates = 80 if quick else 600
    trials = [Trial(name, rule, getattr(optim, rule).rule.lr, updates) for rule in RULES]
    found = {trial.rule: curve for trial, curve in run_all(trials).items()}
    figure, axes = new_figure(2, width=4.8)
    steps = found["SGD"].steps
    curves(
        axes[0, 0],
        steps,
        {rule: c.loss for rule, c in found.items()},
        title=f"{shown}: validation loss",
        xlabel="updates",
    )
    curves(axes[0, 1], steps, {rule: c.error for rule, c in found.items()}, title="validation error", xlabel="updates")
    for panel in axes[0]:
        plain_log(panel, (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0))
    legend_below(figure, axes[0, 0], columns=4)
    ranked = sorted(found, key=lambda rule: found[rule].error[-1])
    rows = [
        (rule, f"{getattr(optim, rule).rule.lr:g}", f"{found[rule].loss[-1]:.4f}", f"{found[rule].error[-1]:.1%}")
        for rule in ranked
    ]
    table = Table(
        ("rule", "lr (its default)", "validation loss", "validation error"),
        rows,
        f"After {updates} updates, best first.",
    )
    checks = [
        claim(
            "every rule learns: validation loss falls",
            f"at most {max(c.loss[0] for c in found.values()):.2f} after {steps[0]} updates, "
            f"{max(c.loss[-1] for c in found.values()):.2f} after {steps[-1]}",
            all(c.loss[-1] < c.loss[0] for c in found.values()),
            "less than at first",
            OURS,
        ),
    ]
    train, validation = datasets(name.partition("/")[0])
    caption = f"{len(train):,} examples to train on, {len(validation):,} for validation, mini-batches of 64, seed 0."
    return Result(checks, [table], [Picture(figure, caption)], in_kind=ANOTHER_WORKLOAD)


@row("FA11", "The optimizers on MNIST", run, workload)
def fa11(quick: bool) -> Result:
    return at_defaults(quick, "mnist/mlp", "MNIST")


@row("FA12", "The optimizers on CIFAR-10", run, workload)
def fa12(quick: bool) -> Result:
    return at_defaults(quick, "cifar10/mlp", "CIFAR-10")


@row("FA13", "The optimizers on IMDB, 8,000 words", run, workload)
def fa13(quick: bool) -> Result:
    return at_defaults(quick, "imdb/words", "IMDB")


def budget(quick: bool) -> int:
    """Updates of a trial."""
    return 80 if quick else 300


def tuned(quick: bool, name: str, rules: tuple[str, ...]) -> dict[str, dict[float, Curve]]:
    """For each rule, the curve of each learning rate: the same rates for all, from 0.0001 to 10."""
    rates = [10.0**k for k in (-3, -2, -1, 0)] if quick else [10.0 ** (k / 2) for k in range(-8, 3)]
    trials = [Trial(name, rule, lr, budget(quick)) for rule in rules for lr in rates]
    found: dict[str, dict[float, Curve]] = {rule: {} for rule in rules}
    for trial, curve in run_all(trials).items():
        found[trial.rule][trial.lr] = curve
    return found


def best(by_rate: dict[float, Curve]) -> float:
    """The learning rate with the lowest final validation loss."""
    return min(by_rate, key=lambda lr: by_rate[lr].final)


def on_fresh_seeds(quick: bool, name: str) -> dict[str, list[Curve]]:
    """Each of the PLOTTED rules at its best learning rate, which seed 0 chose, on seeds that have chosen nothing."""
    found = tuned(quick, name, PLOTTED)
    seeds = (1,) if quick else (1, 2, 3, 4, 5)
    trials = [Trial(name, rule, best(found[rule]), budget(quick), seed) for rule in PLOTTED for seed in seeds]
    done = run_all(trials)
    return {rule: [curve for trial, curve in done.items() if trial.rule == rule] for rule in PLOTTED}


def updates_to(curve: Curve, error: float) -> float:
    """After how many updates the validation error was `error` or less for the first time; infinity for never."""
    return next((float(step) for step, e in zip(curve.steps, curve.error, strict=True) if e <= error), np.inf)


def decades_below(by_rate: dict[float, Curve], loss: float) -> float:
    """Over how many decades of learning rates the final loss is below `loss`, in straight lines from dot to dot."""
    rates, losses = np.log10(list(by_rate)), np.log([min(curve.final, 1e3) for curve in by_rate.values()])
    grid = np.linspace(rates[0], rates[-1], 2001)
    return float((np.interp(grid, rates, losses) < np.log(loss)).mean() * (rates[-1] - rates[0]))


@row("EA10", "Is Adam less sensitive to its learning rate? Is it faster?", tuned, run)
def ea10(quick: bool) -> Result:
    found = tuned(quick, "mnist/mlp", RULES)
    lowest = min(curve.final for by_rate in found.values() for curve in by_rate.values())
    width = {rule: decades_below(by_rate, 1.5 * lowest) for rule, by_rate in found.items()}
    chosen = {rule: by_rate[best(by_rate)] for rule, by_rate in found.items()}
    target = max(curve.error[-1] for curve in chosen.values())
    needed = {rule: updates_to(curve, target) for rule, curve in chosen.items()}
    figure, ((axes,),) = new_figure(width=7, height=3.8)
    for rule, by_rate in found.items():
        values = [curve.final if curve.final < 1e3 else np.nan for curve in by_rate.values()]
        axes.plot(list(by_rate), values, marker="o", markersize=3.5, label=rule, **rule_style(rule))
    axes.axhline(1.5 * lowest, color=INK, linewidth=0.9, linestyle=":")
    axes.set(xscale="log", xlabel="learning rate, constant", ylabel="validation loss")
    plain_log(axes, (0.2, 0.3, 0.5, 1.0, 2.0, 4.0))
    axes.set_ylim(0.8 * lowest, 4)
    legend_below(figure, axes, columns=4)
    ranked = sorted(width, key=lambda rule: -width[rule])
    rows = [
        (rule, f"{width[rule]:.1f}", f"{best(found[rule]):.2g}", f"{chosen[rule].error[-1]:.1%}", f"{needed[rule]:.0f}")
        for rule in ranked
    ]
    head = ("rule", "decades of good learning rates", "best one", "its validation error", f"updates to {target:.1%}")
    slower = [rule for rule, n in needed.items() if n > needed["Adam"]]
    checks = [
        claim(
            f"less sensitive to η: decades of good rates, Adam against {other}",
            f"{width['Adam']:.1f} against {width[other]:.1f}",
            width["Adam"] > width[other],
            "more",
            NOTE_A,
            "es menos sensible a la elección del valor inicial de la misma",
        )
        for other in ("SGD", "AdaGrad", "RMSProp")
    ]
    checks.append(
        claim(
            "“converges faster than many”: rules that need more updates than Adam",
            f"{', '.join(slower)} ({len(slower)} of 7)",
            len(slower) > 3,
            "most",
            NOTE_A,
            "En general converge más rápido que muchos otros optimizadores",
        )
    )
    caption = (
        "Validation loss at the end against the learning rate, a dot for each; below the dotted line (1.5 times the "
        "lowest loss of all) a rate counts as good. What is missing diverged."
    )
    text = (
        f"MNIST, 784-64-10, 6,000 images, mini-batches of 64, {budget(quick)} updates, one seed; the same "
        "learning rates for every rule. A range that reaches the border of those tried may go on beyond it."
    )
    return Result(checks, [Table(head, rows)], [Picture(figure, caption)], text=text)


@row("FB2", "Three networks: which rule has the lowest validation error?", on_fresh_seeds, tuned, run)
def fb2(quick: bool) -> Result:
    figure, axes = new_figure(3, width=3.7, height=3.6)
    medians: list[dict[str, float]] = []
    for panel, (name, shown) in zip(axes[0], PANELS.items(), strict=True):
        errors = {
            rule: [100 * curve.error[-1] for curve in found] for rule, found in on_fresh_seeds(quick, name).items()
        }
        dots(panel, errors, title=shown)
        medians.append({rule: float(np.median(found)) for rule, found in errors.items()})
    axes[0, 0].set_ylabel("validation error, %")
    first, second, third = (sorted(m, key=m.__getitem__) for m in medians)
    rows = [
        (shown, *(f"{m[rule]:.1f} %" for rule in PLOTTED)) for shown, m in zip(PANELS.values(), medians, strict=True)
    ]
    checks = [
        claim(
            "first network: Nesterov best",
            _order(first, medians[0]),
            first[0] == "Nesterov",
            "Nesterov, but nearly the same",
            NOTE_B,
            "Primo grafico: meglio Nesterov, ma più o meno siamo li",
            elsewhere=True,
        ),
        claim(
            "second: RMSProp best",
            _order(second, medians[1]),
            second[0] == "RMSProp",
            "RMSProp",
            NOTE_B,
            "Secondo grafico: meglio RSProb",
            elsewhere=True,
        ),
        claim(
            "third: Adam and NAdam much better",
            _order(third, medians[2]),
            set(third[:2]) == {"Adam", "NAdam"},
            "Adam, NAdam",
            NOTE_B,
            "Terza rete: Adam e NAdam molto meglio",
            elsewhere=True,
        ),
    ]
    caption = (
        "A dot per seed, a bar at the median. Each rule at the best of the same learning rates; networks of ours on "
        "6,000 images of MNIST."
    )
    return Result(
        checks,
        [Table(("network", *PLOTTED), rows, "Median validation error.")],
        [Picture(figure, caption)],
        in_kind=ANOTHER_WORKLOAD,
    )


def _order(ranked: list[str], median: dict[str, float]) -> str:
    first, second, last = (f"{rule} {median[rule]:.1f} %" for rule in (ranked[0], ranked[1], ranked[-1]))
    return f"{first}, {second}; last {last}"


@row("FB3", "How many updates until that error is reached?", on_fresh_seeds, updates_to, run)
def fb3(quick: bool) -> Result:
    figure, axes = new_figure(3, width=3.7, height=3.6)
    rows, faster, slowest = [], [], []
    for panel, (name, shown) in zip(axes[0], PANELS.items(), strict=True):
        found = on_fresh_seeds(quick, name)
        target = max(float(np.median([curve.error[-1] for curve in one])) for one in found.values())
        needed = {rule: [updates_to(curve, target) for curve in one] for rule, one in found.items()}
        median = {rule: float(np.median(values)) for rule, values in needed.items()}
        dots(panel, needed, title=f"{shown}: to {target:.1%}")
        panel.set_ylim(bottom=0)
        rows.append((shown, f"{target:.1%}", *(f"{median[rule]:.0f}" for rule in PLOTTED)))
        faster.append(median["Adam"] < median["SGD"])
        slowest.append(median["SGD"] == max(median.values()))
    axes[0, 0].set_ylabel("updates")
    checks = [
        claim(
            "Adam needs fewer updates than SGD",
            f"in {sum(faster)} of 3 networks",
            all(faster),
            "fewer, in all",
            NOTE_B,
            "Adam è più veloce nel convergere",
            elsewhere=True,
        ),
        claim(
            "SGD takes the most",
            f"in {sum(slowest)} of 3 networks",
            all(slowest),
            "in all",
            NOTE_B,
            "SGD ci mette molto",
            elsewhere=True,
        ),
    ]
    caption = "Updates until the validation error that all rules reach in the end; a dot per seed, a bar at the median."
    table = Table(("network", "target error", *PLOTTED), rows, "Median number of updates, measured every 20.")
    return Result(checks, [table], [Picture(figure, caption)], in_kind=ANOTHER_WORKLOAD)
