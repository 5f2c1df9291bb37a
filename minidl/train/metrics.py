"""The metrics of an epoch: the mean loss, and how good the outputs are: of classes the share that is right, ..."""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .. import nn
from ..backend import array_module, backend_of, registry
from ..errors import OptionError
from ..ops.shape import plain
from .losses import core, is_one_of

Metrics: TypeAlias = Mapping[str, Callable[[Any, Any], Any]]

_TAKEN = "epoch step lr loss accuracy mean_absolute_error exact_match r2 skipped seconds engine".split()


def checked_metrics(where: str, metrics: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """`metrics` as a dict of functions. Raises `OptionError`, which begins with `where`, for anything else."""
    metrics = {} if metrics is None else metrics
    if not isinstance(metrics, Mapping):
        raise OptionError(
            f"{where}: metrics is a dict of functions of outputs and targets, {{'rmse': rmse}}, got {metrics!r}; "
            f"accuracy, mean_absolute_error and the like are measured by themselves"
        )
    for name, function in metrics.items():
        if not isinstance(name, str) or name in _TAKEN or name.startswith("validation_"):
            raise OptionError(f"{where}: metrics: the name {name!r} is taken: choose another for yours")
        if not callable(function):
            raise OptionError(
                f"{where}: metrics: {name!r} is to be a function of outputs and targets, got {function!r}"
            )
    return dict(metrics)


def _absolute_error(output: Any, targets: Any) -> Any:
    """The sum over the samples of each one's mean |output - target|."""
    return abs(output - targets).mean(dtype="float64") * len(targets)


def _exact_matches(yes: float, wanted: float) -> Callable[[Any, Any], Any]:
    """Counts samples with every yes and no right: an output above `yes` says yes, a target above `wanted` wants it."""

    def count(output: Any, targets: Any) -> Any:
        right = (output > yes) == (targets > wanted)
        return right.reshape(len(right), -1).all(axis=1).sum()

    return count


_REGRESSION = nn.mean_squared_error, nn.mean_absolute_error, nn.huber
# What fits targets that are no classes, by the loss that they are trained with: a name, and a sum over the samples.
_BY_LOSS: tuple[tuple[tuple[Any, ...], str, Any], ...] = (
    (_REGRESSION, "mean_absolute_error", _absolute_error),
    ((nn.binary_cross_entropy_with_logits,), "exact_match", _exact_matches(0, 0.5)),
    ((nn.binary_cross_entropy,), "exact_match", _exact_matches(0.5, 0.5)),
    ((nn.hinge,), "exact_match", _exact_matches(0, 0)),
)
_OF_PROBABILITIES = nn.softmax_cross_entropy, nn.kl_divergence  # whose targets may be soft labels

Spread: TypeAlias = tuple[Any, Any, Any, Any]


def _spread(output: Any, targets: Any) -> Spread:
    """Of one batch: the number of targets, their mean, Σ (y - mean)² and Σ (y - output)², in float64."""
    y = targets.astype("float64")
    mean = y.mean()
    return y.size, mean, ((y - mean) ** 2).sum(), ((y - output) ** 2).sum()


def _together(a: Spread, b: Spread) -> Spread:
    """Those of two parts, as of the whole (Chan, Golub and LeVeque 1983): exact where Σ y² - n mean² would cancel."""
    count, apart = a[0] + b[0], b[1] - a[1]
    mean = a[1] + apart * (b[0] / count)
    return count, mean, a[2] + b[2] + apart * apart * (a[0] * b[0] / count), a[3] + b[3]


def _r2(spread: Spread) -> float:
    """1 - Σ (y - output)² / Σ (y - mean)²; for targets that are all alike 1 if all are met, else 0 (scikit-learn's)."""
    _, _, total, residual = map(float, spread)
    if total == 0:
        return 1.0 if residual == 0 else 0.0
    return 1.0 - residual / total


class RunningMetrics:
    """Running sums over the samples seen so far. They stay on the device until `means` reads them.

    `own`: the metrics of a user's own. None of them knows of the samples' weights; only the loss does.
    """

    def __init__(self, own: Metrics | None = None) -> None:
        self.own = own or {}
        self.samples: int = 0
        self.skipped: int = 0  # batches that were left out
        self.loss: Any = 0.0  # the sum over the samples, in float64
        self.correct: Any = None  # samples classified correctly; None as long as that is not measured
        self.others: dict[str, Any] = {}  # further sums over the samples, by name
        self.spread: Spread | None = None  # what R² is made of

    def add(self, loss: Any, output: Any, labels: Any, function: Any = None) -> None:
        """Count one batch: its mean loss, and the model's output, compared with the labels.

        `labels` may be the pair of them and their weights. If they are classes, the hits are counted; else what fits
        the loss's `function`.
        """
        output, labels = plain(output), plain(labels[0] if isinstance(labels, tuple) else labels)
        sums: dict[str, Any] = {}
        function = core(function)
        fitting = next((found for losses, *found in _BY_LOSS if is_one_of(function, losses)), None)
        if fitting is not None and labels.dtype.kind == "f" and output.shape == labels.shape:
            name, measure = fitting
            sums[name] = measure(output, labels)
            if is_one_of(function, _REGRESSION) and labels.shape == (len(labels), 1):
                batch = _spread(output, labels)
                self.spread = batch if self.spread is None else _together(self.spread, batch)
        if self.own:
            own = copy.copy(output)  # that of a compiled step is overwritten by the next
            sums |= {name: _mean_of(name, measure(own, labels)) * len(labels) for name, measure in self.own.items()}
        if sums:  # a new dict: a snapshot may hold the old
            self.others = self.others | {name: self.others.get(name, 0.0) + total for name, total in sums.items()}
        correct = None
        if is_one_of(function, _OF_PROBABILITIES) and labels.ndim == 2:  # soft labels, of which the likeliest counts
            labels = labels.argmax(axis=1)
        if labels.dtype.kind in "iu" and labels.ndim == 1 and output.ndim == 2:
            by_kernel = registry.get(("count_hits", backend_of(output)))
            correct = by_kernel and by_kernel(output, labels)
            if correct is None:
                correct = array_module(output).count_nonzero(output.argmax(axis=1) == labels)
        self.count(plain(loss).astype("float64"), correct, len(labels))

    def count(self, loss: Any, correct: Any, samples: int) -> None:
        """Count one batch of `samples`: its mean loss in float64, and how many were correct (None: not measured)."""
        self.loss = self.loss + loss * samples
        self.samples += samples
        if correct is not None:
            self.correct = correct if self.correct is None else self.correct + correct

    def join(self, other: "RunningMetrics") -> None:
        """Count what `other` has counted."""
        self.samples += other.samples
        self.loss = self.loss + other.loss
        if other.correct is not None:
            self.correct = other.correct if self.correct is None else self.correct + other.correct
        if other.others:
            self.others = self.others | {name: self.others.get(name, 0.0) + x for name, x in other.others.items()}
        if other.spread is not None:
            self.spread = other.spread if self.spread is None else _together(self.spread, other.spread)

    def extend(self, losses: Any, correct: Any, samples: int) -> None:
        """Count batches of `samples` each: an array of their mean losses, and one of how many were correct in each."""
        for loss in (losses.astype("float64") * samples).tolist():  # one by one, so that the sum rounds as `count`'s
            self.loss = self.loss + loss
        total = int(correct.sum())
        self.correct = total if self.correct is None else self.correct + total
        self.samples += samples * len(losses)

    def means(self) -> dict[str, float]:
        """The mean loss (NaN without a sample); what else was measured; "skipped" if any batch was."""
        means = {"loss": float(self.loss) / self.samples if self.samples else math.nan}
        means |= {} if self.correct is None else {"accuracy": float(self.correct) / self.samples}
        means |= {name: float(total) / self.samples for name, total in self.others.items()}
        means |= {} if self.spread is None else {"r2": _r2(self.spread)}
        return means | ({"skipped": self.skipped} if self.skipped else {})


def _mean_of(name: str, value: Any) -> float:
    """What a metric of the user's own gave for a batch, as a number. Raises `OptionError`."""
    try:
        return float(plain(value))
    except (TypeError, ValueError) as error:
        raise OptionError(f"metrics: {name!r} is to give one number for a batch, its mean, got {value!r}") from error
