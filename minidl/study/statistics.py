"""The statistics of paired runs: rows are seeds, columns are rules, numbers are losses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..system.extras import missing_extra

RESAMPLES = 10_000
LEVEL = 0.95
_SEED = 20191011  # of the resampling, so that the same study has the same report


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its 95 % percentile bootstrap interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 where all of it is above zero, -1 where all is below, 0 where zero is inside."""
        return int(self.low > 0) - int(self.high < 0)

    def __str__(self) -> str:
        return f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def worst_for_diverged(losses: np.ndarray, initial: float) -> np.ndarray:
    """`losses` with a number in the place of what diverged: the largest there is, at least `initial`."""
    finite = losses[np.isfinite(losses)]
    worst = max([initial, *finite])
    return np.where(np.isfinite(losses), losses, worst)


def paired_difference(a: np.ndarray, b: np.ndarray) -> Interval:
    """The median over seeds of a - b, with its interval; a and b are (seeds,)."""
    difference = np.asarray(a, float) - np.asarray(b, float)
    value = float(np.median(difference))
    if np.ptp(difference) == 0:
        return Interval(value, value, value)
    found = _scipy().bootstrap(
        (difference,), np.median, n_resamples=RESAMPLES, confidence_level=LEVEL, method="percentile",
        vectorized=True, random_state=np.random.default_rng(_SEED),
    ).confidence_interval  # fmt: skip
    return Interval(value, float(found.low), float(found.high))


def quartiles(values: np.ndarray) -> tuple[float, float, float]:
    """The lower quartile, the median, the upper quartile."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def wilcoxon_holm(losses: np.ndarray) -> np.ndarray:
    """p of every pair of columns, (rules, rules): Wilcoxon's signed-rank test, by Holm's step-down over all pairs."""
    rules = losses.shape[1]
    pairs = [(i, j) for i in range(rules) for j in range(i + 1, rules)]
    p = [_wilcoxon(losses[:, i], losses[:, j]) for i, j in pairs]
    corrected = holm(p)
    found = np.ones((rules, rules))
    for (i, j), value in zip(pairs, corrected, strict=True):
        found[i, j] = found[j, i] = value
    return found


def _wilcoxon(a: np.ndarray, b: np.ndarray) -> float:
    return 1.0 if np.array_equal(a, b) else float(_scipy().wilcoxon(a, b, zero_method="zsplit").pvalue)


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values for all hypotheses together: Holm 1979. The smallest is multiplied by m, the next by m - 1, ..."""
    order = np.argsort(p)
    scaled = np.asarray(p, float)[order] * np.arange(len(p), 0, -1)
    found = np.empty(len(p))
    found[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return found


def probability_of_best(losses: np.ndarray) -> np.ndarray:
    """In which share of bootstrap samples of the seeds each column has the least median, (rules,)."""
    rng = np.random.default_rng(_SEED)
    seeds, rules = losses.shape
    drawn = rng.integers(seeds, size=(RESAMPLES, seeds))
    best = np.median(losses[drawn], axis=1).argmin(axis=1)
    return np.bincount(best, minlength=rules) / RESAMPLES


@dataclass(frozen=True)
class BestOfK:
    """What the best of k trials is expected to be, for k = 1 ... : `mean`, and its 90 % band `low` to `high`."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def best_of_k(losses: np.ndarray) -> BestOfK:
    """The expected least of k trials drawn from those that were made, (trials,), and how much luck is in it.

    Dodge et al. 2019 (arXiv:1909.03004), with the quantiles of the same distribution: P(least > x) = P(one > x)^k.
    """
    ordered = np.sort(losses)
    n = len(ordered)
    k = np.arange(1, n + 1)[:, None]
    above = np.arange(n - 1, -1, -1) / n  # of one trial, after each of the ordered losses
    cumulative = 1 - above**k  # (k, n): the least of k is at most this
    weights = np.diff(cumulative, axis=1, prepend=0.0)
    band = [ordered[(cumulative >= share - 1e-12).argmax(axis=1)] for share in (0.05, 0.95)]
    return BestOfK(weights @ ordered, *band)


def selected_best(tuning: Sequence[np.ndarray]) -> np.ndarray:
    """How often each rule has the best of its trials, (rules,), if the trials are drawn again: the noise of selection.

    `tuning` has the losses of each rule's trials.
    """
    rng = np.random.default_rng(_SEED)
    least = [losses[rng.integers(len(losses), size=(RESAMPLES, len(losses)))].min(axis=1) for losses in tuning]
    found: np.ndarray = np.bincount(np.array(least).argmin(axis=0), minlength=len(tuning)) / RESAMPLES
    return found


@dataclass(frozen=True)
class Reached:
    """How many updates a target took: the share of runs that got there, the median, None if most did not."""

    share: float
    median: float | None
    steps: np.ndarray  # at which the curve of those still on their way falls, ...
    surviving: np.ndarray  # ... and to what share


def steps_to_target(steps: Sequence[float | None], budget: int) -> Reached:
    """Of each run the update at which it reached a target, None for one that had not when its `budget` ended.

    Those are censored, not dropped: they count as on their way (Kaplan & Meier 1958).
    """
    censored = np.array([step is None for step in steps])
    values = np.array([budget if step is None else step for step in steps], float)
    scipy = _scipy()
    curve = scipy.ecdf(scipy.CensoredData.right_censored(values, censored)).sf
    below = np.flatnonzero(curve.probabilities <= 0.5)
    median = float(curve.quantiles[below[0]]) if below.size else None
    return Reached(float(1 - censored.mean()), median, curve.quantiles, curve.probabilities)


def good_range(lr: np.ndarray, losses: np.ndarray, factor: float = 1.1) -> float:
    """Over how many decades of lr the loss is within `factor` of the best that was found: wide is forgiving.

    The decades between tried rates that are both within it, of rates in any order.
    """
    order = np.argsort(lr)
    rates, good = np.log10(lr[order]), losses[order] <= factor * losses.min()
    gaps = np.diff(rates)
    return float(gaps[good[:-1] & good[1:]].sum())


def _scipy() -> Any:
    """``scipy.stats``. Raises `MissingExtraError`."""
    try:
        from scipy import stats
    except ImportError as error:
        raise missing_extra("studies need SciPy", "scipy", "study", error) from error
    return stats
