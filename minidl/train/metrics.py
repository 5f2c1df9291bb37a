"""The metrics of an epoch: the mean loss, and how good the outputs are: of classes the share that is right, ..."""

import math
from typing import Any

from ..backend import array_module, backend_of, registry
from ..nn import binary_cross_entropy_with_logits, mean_squared_error
from ..ops.shape import plain


def _absolute_error(output: Any, targets: Any) -> Any:
    """The sum over the samples of each one's mean |output - target|."""
    return abs(output - targets).mean(dtype="float64") * len(targets)


def _exact_matches(logits: Any, targets: Any) -> Any:
    """How many samples have every yes and no right: a logit above 0 says yes."""
    right = (logits > 0) == (targets > 0.5)
    return right.reshape(len(right), -1).all(axis=1).sum()


# What fits targets that are no classes, by the loss that they are trained with: a name, and a sum over the samples.
# (Compared by identity: a loss of the user's need not have a hash.)
_BY_LOSS: tuple[tuple[Any, str, Any], ...] = (
    (mean_squared_error, "mean_absolute_error", _absolute_error),
    (binary_cross_entropy_with_logits, "exact_match", _exact_matches),
)


class RunningMetrics:
    """Running sums over the samples seen so far. They stay on the device until `means` reads them."""

    def __init__(self) -> None:
        self.samples: int = 0
        self.skipped: int = 0  # batches that were left out
        self.loss: Any = 0.0  # the sum over the samples, in float64
        self.correct: Any = None  # samples classified correctly; None as long as that is not measured
        self.others: dict[str, Any] = {}  # further sums over the samples, by name

    def add(self, loss: Any, output: Any, labels: Any, function: Any = None) -> None:
        """Count one batch: its mean loss, and the model's output, compared with the labels.

        If they are classes, the hits; else what fits the loss's `function`.
        """
        output, labels = plain(output), plain(labels)
        fitting = next((found for loss_function, *found in _BY_LOSS if loss_function is function), None)
        if fitting is not None and labels.dtype.kind == "f" and output.shape == labels.shape:
            name, measure = fitting
            total = self.others.get(name, 0.0) + measure(output, labels)
            self.others = self.others | {name: total}  # a new one: a snapshot may hold the old
        correct = None
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
        return means | ({"skipped": self.skipped} if self.skipped else {})
