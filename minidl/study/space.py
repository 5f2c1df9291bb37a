"""Search spaces: what each setting of a trial may be, and where a point of the unit cube lies in them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import OptionError


@dataclass(frozen=True)
class Uniform:
    """A number from `low` to `high`, each as likely.

    Raises `OptionError` unless both are finite and `low` is below `high`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check(self, self.low, self.high)

    def at(self, share: float) -> float:
        """The number that so large a `share` of the range lies below."""
        return self.low + share * (self.high - self.low)

    def share(self, value: float) -> float:
        """How large a share of the range lies below `value`: the inverse of `at`."""
        return (value - self.low) / (self.high - self.low)

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"


@dataclass(frozen=True)
class LogUniform:
    """A number from `low` to `high` whose logarithm is uniform: for learning rates.

    Raises `OptionError` unless both are finite, `low` is above 0 and below `high`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check(self, self.low, self.high)
        if self.low <= 0:
            raise OptionError(f"{self}: a range by its logarithm begins above 0, such as 1e-5..1e-1:log")

    def at(self, share: float) -> float:
        """The number that so large a `share` of the range lies below."""
        return float(math.exp(math.log(self.low) + share * math.log(self.high / self.low)))

    def share(self, value: float) -> float:
        """How large a share of the range lies below `value`: the inverse of `at`."""
        return math.log(value / self.low) / math.log(self.high / self.low)

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}:log"


class Choice:
    """One of several values, each as likely: ``Choice(32, 64, 128)``. Raises `OptionError` without any."""

    def __init__(self, *values: Any) -> None:
        self.values = values
        if not values:
            raise OptionError("Choice: give at least one value")

    def at(self, share: float) -> Any:
        """The value that has this `share`."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.values))})"

    def __str__(self) -> str:
        return ",".join(map(str, self.values))


Range: TypeAlias = Uniform | LogUniform | Choice
Space: TypeAlias = Mapping[str, Any]  # a Range, or a value that is the same in all trials


def ranges(space: Space) -> dict[str, Range]:
    """What of `space` is searched."""
    return {name: each for name, each in space.items() if isinstance(each, Uniform | LogUniform | Choice)}


def config_at(space: Space, point: Sequence[float]) -> dict[str, Any]:
    """The trial's settings at a `point` of the unit cube, a coordinate for each of the `ranges`, in their order."""
    searched = {name: each.at(share) for (name, each), share in zip(ranges(space).items(), point, strict=False)}
    return {name: searched.get(name, each) for name, each in space.items()}


def parse(text: str) -> Any:
    """A range or a value as the command line has it.

    ``1e-5..1e-1:log``, ``0.5..0.99``, ``32,64,128``, or one value for all trials. Raises `OptionError`.
    """
    body, colon, scale = text.partition(":")
    low, dots, high = body.partition("..")
    if dots:
        if scale not in (("log",) if colon else ("",)):
            raise OptionError(f"{text!r}: a range is LOW..HIGH, or LOW..HIGH:log, such as 1e-5..1e-1:log")
        return (LogUniform if scale else Uniform)(_number(low, text), _number(high, text))
    if "," in text:
        return Choice(*map(_value, text.split(",")))
    return _value(text)


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise OptionError(f"{whole!r}: {text!r} is no number: write LOW..HIGH, such as 1e-5..1e-1:log") from error


def _value(text: str) -> Any:
    words: dict[str, Any] = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _check(range: Uniform | LogUniform, low: Any, high: Any) -> None:
    numbers = all(isinstance(x, int | float) and math.isfinite(x) for x in (low, high))
    if not numbers or not low < high:
        raise OptionError(f"{type(range).__name__}({low!r}, {high!r}): give two finite numbers, the smaller one first")
