"""The types of the command line's options, and their errors."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..checks import bounds
from ..errors import OptionError

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:  # before click 8.4 it took no argument
    _Type = click.ParamType

_WIDEST, _DEEPEST = 1_000_000, 100  # larger hidden layers, or more, are a typing mistake


class _Kind(_Type):
    """A kind of values."""

    def refuse(self, value: Any, allowed: str, param: Any, ctx: Any) -> None:
        """Fail, with the beginning of the `value`, and what is `allowed`."""
        text = repr(value)
        self.fail(f"{text if len(text) <= 60 else f'{text[:57]}...'}: {allowed}", param, ctx)


class Whole(_Kind):
    """An integer from `least` on, up to `most` if that is given."""

    name = "N"

    def __init__(self, least: int, most: int | None = None) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The int that `value` spells."""
        number = _integer(value)
        if number is None or number < self.least or (self.most is not None and number > self.most):
            self.refuse(value, f"give an integer {bounds(self.least, self.most)}", param, ctx)
        return number


class Rate(_Kind):
    """A learning rate."""

    name = "X"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The float that `value` spells."""
        number = _float(value)
        if not 0 <= number < math.inf:
            self.refuse(value, "give a finite number of at least 0, such as 0.001", param, ctx)
        return number


class Limit(_Kind):
    """A number above 0."""

    name = "X"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The float that `value` spells."""
        number = _float(value)
        if not 0 < number < math.inf:
            self.refuse(value, "give a finite number above 0, such as 1.0", param, ctx)
        return number


class Share(_Kind):
    """A part of a whole, from 0 on but not all of it."""

    name = "X"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The float that `value` spells."""
        number = _float(value)
        if not 0 <= number < 1:
            self.refuse(value, "give a number from 0 up to, but not including, 1", param, ctx)
        return number


class Sizes(_Kind):
    """Hidden layer sizes, such as 256,128."""

    name = "N,N,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The sizes as a tuple of ints; none at all for "none"."""
        if not isinstance(value, str):
            return value
        if value == "none":
            return ()
        sizes = tuple(_integer(size) or 0 for size in value.split(",", _DEEPEST))
        if len(sizes) > _DEEPEST:
            self.refuse(value, f"at most {_DEEPEST} hidden layers", param, ctx)
        if min(sizes) < 1:
            self.refuse(value, "give sizes of hidden layers of at least 1, such as 256,128, or none", param, ctx)
        if max(sizes) > _WIDEST:
            self.refuse(value, f"at most {_WIDEST:,} units in a hidden layer", param, ctx)
        return sizes


class BatchSize(_Kind):
    """A positive integer, or "full"."""

    name = "N|full"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """An int, or the word."""
        if value == "full":
            return value
        size = _integer(value)
        if size is None or size < 1:
            self.refuse(
                value,
                "give a number of samples of at least 1 (1 is SGD), or full (gradient descent)",
                param,
                ctx,
            )
        return size


class Checked(_Kind):
    """Text that `check`, a function of minidl's, accepts or rejects with an `OptionError`."""

    def __init__(self, name: str, check: Callable[[str], Any]) -> None:
        self.name, self.check = name, check

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The text as it is given."""
        self.check(value)
        return value


def _rule(name: str) -> None:
    """Raise `OptionError` unless an optimizer is called `name`."""
    from ..optim.by_name import find_rule

    find_rule(name)


def hyperparameters(text: str) -> dict[str, Any]:
    """What ``beta=0.95,eps=1e-7`` spells. Raises `OptionError`, also for what has an option of its own."""
    from ..optim.by_name import setting

    found = dict(map(setting, filter(None, text.split(","))))
    for name in found:
        if name in ("lr", "ema", "weight_decay"):
            raise OptionError(f"--set {name}=...: there is an option for that, --{name.replace('_', '-')}")
    return found


def _period(text: str) -> None:
    """Raise `OptionError` unless `text` says how often, such as "500 steps"."""
    from ..train.saving.checkpoints import period

    period(text)


RULE = Checked("NAME", _rule)
RULES = "sgd, momentum, nesterov, adagrad, rmsprop, rmsprop-nesterov, adadelta, adam, adamw, nadam"
SETTINGS = Checked("NAME=VALUE", hyperparameters)
PERIOD = Checked("N steps|epochs|s", _period)


def _integer(text: Any) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _float(text: Any) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
