"""Rules with the learning rate that is best for each: chosen on one seed, measured on others, on other data."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from .trials import Curve, Trial, run_all

_TIE = 0.006  # of two errors: the standard error of an error rate of 8 % that is measured on 2,000 images
ByRate = dict[float, Curve]


def budget(quick: bool) -> int:
    """Updates of a trial."""
    return 80 if quick else 300


def every(quick: bool) -> int:
    """Updates between two measurements, for the rows that count updates."""
    return 10 if quick else 20


def seeds(seed: int, count: int) -> range:
    """The first seed is there to choose by, the `count` after it to measure on."""
    return range(100 * seed + 1, 100 * seed + 1 + count)


def repeats(quick: bool) -> int:
    """Seeds that a statement is put to."""
    return 3 if quick else 10


def half_decades(first: int, last: int, parts: int = 2) -> list[float]:
    """The rates 10^first to 10^last, `parts` of them in each decade."""
    return [10.0 ** (k / parts) for k in range(first * parts, last * parts + 1)]


def by_rate(
    name: str, rules: Sequence[str], rates: Sequence[float], updates: int, seed: int, every: int = 20
) -> dict[str, ByRate]:
    """For each rule, the curve of each of the same learning rates, all from one seed."""
    trials = [Trial(name, rule, lr, updates, seed, every=every) for rule in rules for lr in rates]
    found: dict[str, ByRate] = {rule: {} for rule in rules}
    for trial, curve in run_all(trials).items():
        found[trial.rule][trial.lr] = curve
    return found


def best(curves: Mapping[float, Curve], measure: Callable[[Curve], float]) -> float:
    """The learning rate whose curve has the lowest `measure`; of several, the one with the lowest final loss."""
    return min(curves, key=lambda lr: (measure(curves[lr]), curves[lr].final))


def final(curve: Curve) -> float:
    """The last validation loss."""
    return curve.final


def on_fresh_seeds(chosen: Iterable[Trial], seeds: Iterable[int]) -> dict[str, list[Curve]]:
    """The curves of the chosen trials, one for each rule, on seeds and data that have chosen nothing."""
    again = {trial.rule: [replace(trial, seed=seed, fresh=True) for seed in seeds] for trial in chosen}
    done = run_all(trial for trials in again.values() for trial in trials)
    return {rule: [done[trial] for trial in trials] for rule, trials in again.items()}


def updates_to(curve: Curve, error: float) -> float:
    """After how many updates the validation error was `error` or less for the first time; infinity for never."""
    return next((float(step) for step, e in zip(curve.steps, curve.error, strict=True) if e <= error), math.inf)


def is_best(rules: Iterable[str], values: Mapping[str, float], tie: float = _TIE) -> bool | None:
    """Whether `rules` are all better (lower) than all others: None if it is closer than a tie."""
    own = [values[rule] for rule in rules]
    others = [value for rule, value in values.items() if rule not in rules]
    return decided(max(own), min(others), tie)


def decided(lower: float, higher: float, tie: float) -> bool | None:
    """Whether the first is the lower of two numbers; None if they differ by no more than `tie`."""
    if lower == higher or abs(higher - lower) <= tie:
        return None
    return lower < higher
