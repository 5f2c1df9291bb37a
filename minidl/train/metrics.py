"""What an epoch adds up to: the mean loss, and the share of samples classified right."""

import math
from typing import Any

from ..backend import array_module
from ..ops.shape import plain


class Tally:
    """Sums over samples that stay on the device until they are asked for."""

    def __init__(self) -> None:
        self.samples: int = 0
        self.skipped: int = 0  # batches that were left out
        self.loss: Any = 0.0
        self.right: Any = None

    def add(self, loss: Any, output: Any, labels: Any) -> None:
        """Count one batch: its mean loss, and the model's output, compared with the labels if they are classes."""
        output, labels = plain(output), plain(labels)
        hits = None
        if labels.dtype.kind in "iu" and labels.ndim == 1 and output.ndim == 2:
            hits = array_module(output).count_nonzero(output.argmax(axis=1) == labels)
        self.count(plain(loss).astype("float64"), hits, len(labels))

    def count(self, loss: Any, right: Any, samples: int) -> None:
        """Count one batch of `samples`: its mean loss in float64, and how many were `right` (None: not measured)."""
        self.loss = self.loss + loss * samples
        self.samples += samples
        if right is not None:
            self.right = right if self.right is None else self.right + right

    def extend(self, losses: Any, rights: Any, samples: int) -> None:
        """Count batches of so many `samples` each: their mean losses, and how many were right in each."""
        for loss in (losses.astype("float64") * samples).tolist():  # added one by one, as `count` does
            self.loss = self.loss + loss
        right = int(rights.sum())
        self.right = right if self.right is None else self.right + right
        self.samples += samples * len(losses)

    def means(self) -> dict[str, float]:
        """The mean loss over the samples (NaN over none); where there are any, the accuracy and what was skipped."""
        means = {"loss": float(self.loss) / self.samples if self.samples else math.nan}
        means |= {} if self.right is None else {"accuracy": float(self.right) / self.samples}
        return means | ({"skipped": self.skipped} if self.skipped else {})
