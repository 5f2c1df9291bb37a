"""What the raw timings say: medians over the rounds, and ratios between contenders, paired round by round."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Ratio(NamedTuple):
    """How many times as long as another: the median over the rounds, the smallest and the largest."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}–{self.most:.2f})"


def best(variants: Mapping[str, Sequence[float]]) -> tuple[str, Sequence[float]]:
    """The variant with the smallest median, and its timings."""
    return min(variants.items(), key=lambda item: median(item[1]))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """`ours` / `theirs` of the same round each; rounds that only one of them took part in do not count."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=False)]
    return Ratio(median(ratios), min(ratios), max(ratios))
