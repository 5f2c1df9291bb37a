"""Rules compared on real data, in kind: FA11-FA13 and EA10. The notes give no network, budget or metric."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .... import optim
from ....display.figures import INK, label_ends, new_figure
from ....errors import DataError
from ...plots import bands, plain_log
from ..registry import DERIVED, NOTE_A, OURS, Picture, Result, Table, agreed, claim, row
from ..sets_in_kind import pictures, texts
from ..trials import ANOTHER_WORKLOAD, RULES, Curve, Trial, datasets, run, workload
from ..tuned import (
    ByRate,
    best,
    budget,
    by_rate,
    decided,
    every,
    final,
    half_decades,
    on_fresh_seeds,
    repeats,
    seeds,
    updates_to,
)

_WITHIN = (1.2, 1.5, 2.0)  # a rate is good if it ends within this factor of the lowest loss of all


def at_default_and_tuned(quick: bool, seed: int, name: str, shown: str) -> Result:
    """Every rule at its default learning rate, and at its best: loss and error as training goes on."""
    try:
        parts = datasets(name.partition("/")[0])
    except DataError as error:
        return Result(not_run=f"data not present. {error}")
    updates, rates = _plan(quick)
    first, *fresh = seeds(seed, 1 + repeats(quick))
    default, tuned = _rates(name, rates, updates, first)
    curves = [_runs(name, lr, updates, fresh) for lr in (default, tuned)]
    figure, axes = new_figure(2, width=5.2, height=4.2, sharey=True)
    steps = curves[0]["SGD"][0].steps
    for panel, some, title in zip(
        axes[0], curves, ("at its default rate", f"at its best of {len(rates)} rates"), strict=True
    ):
        losses = {rule: [curve.loss for curve in runs] for rule, runs in some.items()}
        bands(panel, steps, losses, title=f"{shown}, each rule {title}", xlabel="updates")
    axes[0, 0].set_ylabel("validation loss")
    plain_log(axes[0, 0], (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0))
    low, high = axes[0, 0].get_ylim()
    axes[0, 0].set_ylim(max(low, 0.02), min(high, 5.0))
    for panel in axes[0]:
        label_ends(panel)
    ranked = sorted(RULES, key=lambda rule: _median(curves[1][rule]))
    rows = [
        (
            rule,
            *(cell for lr, some in zip((default, tuned), curves, strict=True) for cell in _cells(lr[rule], some[rule])),
        )
        for rule in ranked
    ]
    head = ("rule", "default lr", "loss", "error", "tuned lr", "loss", "error")
    spread = [
        [max(last) / max(min(last), 1e-9) for last in zip(*([c.final for c in some[r]] for r in RULES), strict=True)]
        for some in curves
    ]
    worst = max(curve.final for runs in curves[1].values() for curve in runs)
    guess = math.log(len(parts.train.classes))
    checks = [
        claim(
            f"every rule learns at its best rate, on each of {len(fresh)} seeds: highest final loss",
            f"{worst:.2f}",
            worst < 0.9 * guess,
            f"below 0.9·{guess:.2f}, the loss of equal guesses",
            DERIVED,
        ),
        claim(
            "defaults are no comparison of rules: worst over best loss at default rates, and at each rule's best",
            f"{_range(spread[0])}, and {_range(spread[1])}",
            agreed(decided(after, before, 0.0) for before, after in zip(*spread, strict=True)),
            "nearer to 1 when tuned",
            OURS,
            elsewhere=True,
        ),
    ]
    caption = (
        f"Median of {len(fresh)} seeds, with a band from lowest to highest. {len(parts.train):,} examples to train on, "
        f"{len(parts.fresh):,} that chose nothing to measure on, mini-batches of 64."
    )
    text = f"Rates are chosen on another seed, by {updates} updates at each of {len(rates)} rates." + _small(quick)
    table = Table(head, rows, f"After {updates} updates: median of {len(fresh)} seeds, best tuned loss first.")
    return Result(checks, [table], [Picture(figure, caption)], text, in_kind=ANOTHER_WORKLOAD)


def _plan(quick: bool) -> tuple[int, list[float]]:
    """Updates of a training, and the learning rates that are tried."""
    return (80, half_decades(-3, 0, 1)) if quick else (600, half_decades(-4, 1))


def _rates(name: str, rates: Sequence[float], updates: int, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """The default learning rate of each rule, and the best of `rates`."""
    found = by_rate(name, RULES, rates, updates, seed)
    return {rule: getattr(optim, rule).rule.lr for rule in RULES}, {rule: best(found[rule], final) for rule in RULES}


def _runs(name: str, lr: Mapping[str, float], updates: int, fresh: Iterable[int]) -> dict[str, list[Curve]]:
    return on_fresh_seeds([Trial(name, rule, lr[rule], updates) for rule in RULES], fresh)


def _small(quick: bool) -> str:
    return " This is the quick form: what it shows holds for so short a training." if quick else ""


def _median(runs: Sequence[Curve]) -> float:
    return float(np.median([curve.final for curve in runs]))


def _cells(lr: float, runs: Sequence[Curve]) -> tuple[str, str, str]:
    return f"{lr:.2g}", f"{_median(runs):.3f}", f"{np.median([curve.error[-1] for curve in runs]):.1%}"


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


@row("FA11", "The optimizers on MNIST", run, workload)
def fa11(quick: bool, seed: int) -> Result:
    return at_default_and_tuned(quick, seed, "mnist/mlp", "MNIST")


@row("FA12", "The optimizers on CIFAR-10", run, workload)
def fa12(quick: bool, seed: int) -> Result:
    return at_default_and_tuned(quick, seed, "cifar10/mlp", "CIFAR-10")


@row("FA13", "The optimizers on IMDB, 8,000 words", run, workload)
def fa13(quick: bool, seed: int) -> Result:
    return at_default_and_tuned(quick, seed, "imdb/words", "IMDB")


@row("FA15", "The optimizers on a harder set of pictures, in CIFAR-10's stead", pictures, run)
def fa15(quick: bool, seed: int) -> Result:
    result = at_default_and_tuned(quick, seed, "pictures/mlp", "harder pictures")
    result.text += " The pictures: MNIST's digits, moved, before pieces of other digits, in noise."
    return result


@row("FA16", "The optimizers on a sparse bag of words, in IMDB's stead", texts, run)
def fa16(quick: bool, seed: int) -> Result:
    result = at_default_and_tuned(quick, seed, "texts/words", "bags of words")
    result.text += (
        " The words: paragraphs of the docstrings of Python's standard library and of NumPy, of which they are to be "
        "told apart by the 1,000 most frequent words; a paragraph has a dozen of them."
    )
    final_loss = _tuned_losses(quick, seed, "texts/words")
    result.checks.append(
        claim(
            "rare features: AdaGrad against gradient descent, each at its best rate, on each seed",
            f"{_spread(final_loss['AdaGrad'])} against {_spread(final_loss['SGD'])}",
            agreed(decided(a, b, 0.02 * b) for a, b in zip(final_loss["AdaGrad"], final_loss["SGD"], strict=True)),
            "a lower validation loss, by over 2 %",
            OURS,
            elsewhere=True,
        )
    )
    return result


def _tuned_losses(quick: bool, seed: int, name: str) -> dict[str, list[float]]:
    updates, rates = _plan(quick)
    first, *fresh = seeds(seed, 1 + repeats(quick))
    _, tuned = _rates(name, rates, updates, first)
    return {rule: [c.final for c in runs] for rule, runs in _runs(name, tuned, updates, fresh).items()}


def _spread(losses: Sequence[float]) -> str:
    return f"{np.median(losses):.3f} ({min(losses):.3f} to {max(losses):.3f})"


def decades_below(curves: ByRate, loss: float) -> float:
    """Over how many decades of learning rates the final loss is below `loss`, in straight lines from dot to dot."""
    rates, losses = np.log10(list(curves)), np.log([min(curve.final, 1e3) for curve in curves.values()])
    grid = np.linspace(rates[0], rates[-1], 2001)
    return float((np.interp(grid, rates, losses) < np.log(loss)).mean() * (rates[-1] - rates[0]))


@row("EA10", "Is Adam less sensitive to its learning rate? Is it faster?", by_rate, decades_below, run)
def ea10(quick: bool, seed: int) -> Result:
    target = 0.15 if quick else 0.1  # error, set before any run
    rates = half_decades(-4, 1) if quick else half_decades(-5, 1, 4)
    some = seeds(seed, repeats(quick))
    found = [by_rate("mnist/mlp", RULES, rates, budget(quick), one, every(quick)) for one in some]
    lowest = [min(curve.final for curves in one.values() for curve in curves.values()) for one in found]
    width = {
        rule: {w: [decades_below(one[rule], w * low) for one, low in zip(found, lowest, strict=True)] for w in _WITHIN}
        for rule in RULES
    }
    needed = {rule: [min(updates_to(curve, target) for curve in one[rule].values()) for one in found] for rule in RULES}
    step = every(quick)
    ranked = sorted(RULES, key=lambda rule: -float(np.median(width[rule][1.5])))
    head = ("rule", *(f"good: within {within:g}×" for within in _WITHIN), f"updates to {target:.0%}", "at the border")
    rows = [
        (rule, *(_decades(width[rule][w]) for w in _WITHIN), _count(needed[rule]), _border(found, rule, lowest))
        for rule in ranked
    ]
    checks = [
        claim(
            f"less sensitive to η: decades of good rates (within 1.2×, 1.5×, 2×), Adam against {other}",
            ", ".join(f"{np.median(width['Adam'][w]):.1f} against {np.median(width[other][w]):.1f}" for w in _WITHIN),
            agreed(
                decided(theirs, ours, 0.1)
                for w in _WITHIN
                for ours, theirs in zip(width["Adam"][w], width[other][w], strict=True)
            ),
            "more, by over a tenth, on each seed",
            NOTE_A,
            "es menos sensible a la elección del valor inicial de la misma",
        )
        for other in ("SGD", "AdaGrad", "RMSProp")
    ]
    slower = [[decided(needed["Adam"][i], needed[r][i], step) for r in RULES if r != "Adam"] for i in range(len(some))]
    counts = [sum(answer is True for answer in answers) for answers in slower]
    ties = [sum(answer is None for answer in answers) for answers in slower]
    checks.append(
        claim(
            f"“converges faster than many”, each at its fastest: rules, of 7, that need over {step} updates more",
            f"{min(counts)} to {max(counts)}; within {step}: {min(ties)} to {max(ties)}",
            agreed(True if n > 3 else False if n + tie < 4 else None for n, tie in zip(counts, ties, strict=True)),
            "most, on each seed",
            NOTE_A,
            "En general converge más rápido que muchos otros optimizadores",
        )
    )
    caption = (
        f"Validation loss at the end against the learning rate: median of {len(some)} seeds, with a band from lowest "
        "to highest, the other rules in grey. Below the dotted line (1.5 times the lowest loss of all) a rate is good. "
        "What is missing diverged."
    )
    text = (
        f"MNIST, 784-64-10, 6,000 images, mini-batches of 64, {budget(quick)} updates, {len(some)} seeds, the same "
        f"{len(rates)} learning rates for every rule. The target was set before any run. A claim is decided if all "
        "seeds and all three thresholds agree." + _small(quick)
    )
    return Result(checks, [Table(head, rows)], [Picture(_ranges(found, lowest), caption)], text)


def _ranges(found: Sequence[dict[str, ByRate]], lowest: Sequence[float]) -> object:
    """A panel for each rule, in one window: final loss against the learning rate."""
    figure, axes = new_figure(4, 2, width=2.9, height=2.4, sharex=True, sharey=True)
    median = {}
    for rule in RULES:
        runs = np.array(
            [[curve.final if curve.final < 1e3 else math.nan for curve in one[rule].values()] for one in found]
        )
        median[rule] = runs
    rates = list(found[0][RULES[0]])
    for panel, rule in zip(axes.flat, RULES, strict=True):
        for other in RULES:
            panel.plot(rates, np.median(median[other], axis=0), color="#c4c9ce", linewidth=0.9)
        bands(panel, rates, {rule: median[rule]}, title=rule, xscale="log")
        panel.axhline(1.5 * float(np.median(lowest)), color=INK, linewidth=0.9, linestyle=":")
    for panel in axes.flat:
        plain_log(panel, (0.2, 0.3, 0.5, 1.0, 2.0, 4.0))
    axes[0, 0].set_ylim(0.8 * min(lowest), 4)
    for panel in axes[1]:
        panel.set_xlabel("learning rate")
    for panel in axes[:, 0]:
        panel.set_ylabel("validation loss")
    return figure


def _decades(widths: Sequence[float]) -> str:
    return f"{np.median(widths):.1f} ({min(widths):.1f} to {max(widths):.1f})"


def _count(needed: Sequence[float]) -> str:
    never = sum(math.isinf(n) for n in needed)
    return f"{np.median(needed):.0f}" + (f", never on {never} of {len(needed)}" if never else "")


def _border(found: Sequence[dict[str, ByRate]], rule: str, lowest: Sequence[float]) -> str:
    """Whether the lowest or highest rate that was tried is good too: then the range may go on."""
    ends = [
        list(one[rule].values())[i].final < 1.5 * low for one, low in zip(found, lowest, strict=True) for i in (0, -1)
    ]
    return "may go on" if any(ends) else "no"
