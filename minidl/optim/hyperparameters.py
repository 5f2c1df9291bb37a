"""What a hyperparameter may be, and the error for one that is not."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import numpy as np

from ..backend import to_numpy
from ..errors import OptionError

Schedule: TypeAlias = Callable[[int], Any]  # k, the updates already made, -> a number
Rate: TypeAlias = float | np.number[Any] | Schedule  # what an optimizer takes for a number


class Range:
    """A number from 0 up to, not including, `below`; or, if `optional`, None."""

    def __init__(self, below: float = math.inf, optional: bool = False) -> None:
        self.below, self.optional = below, optional

    def __str__(self) -> str:
        numbers = "a finite number >= 0" if self.below == math.inf else f"a number in [0, {self.below:g})"
        return numbers + (", or None" if self.optional else "")

    def checked(self, where: str, name: str, value: Any) -> Any:
        """`value` if it is allowed; a Python or NumPy number as a Python float, which widens no array.

        An array or a Tensor is looked at element by element and returned as it is, and so is a schedule,
        which is checked whenever it is read. Raises `OptionError`.
        """
        if callable(value) or (value is None and self.optional):
            return value
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            value = float(value)
            good = 0 <= value < self.below
        else:
            values = to_numpy(value) if hasattr(value, "dtype") else np.empty((), object)
            good = values.dtype.kind == "f" and bool(np.all((values >= 0) & (values < self.below)))
        if not good:
            raise OptionError(f"{where}: {name}={value!r}: {name} must be {self} (or a schedule: k -> number)")
        return value


class Choice:
    """One of a few values: names, or True and False."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def checked(self, where: str, name: str, value: Any) -> Any:
        """`value` if it is one of them. Raises `OptionError`."""
        if not any(type(value) is type(choice) and value == choice for choice in self.values):
            choices = ", ".join(map(repr, self.values))
            raise OptionError(f"{where}: {name}={value!r}: choose one of {choices}")
        return value


Share = Annotated[Any, Range(below=1)]  # the share of the old that a running average keeps
ShareOrNone = Annotated[Any, Range(below=1, optional=True)]
NotNegative = Annotated[Any, Range()]
NotNegativeOrNone = Annotated[Any, Range(optional=True)]
EpsMode = Literal["outside", "inside"]
EpsModeHat = Literal["outside", "inside", "hat"]

LR = Range()


def check_eps(name: str, eps: Any, dtype: Any) -> None:
    """Raise `OptionError` if `eps`, a number, is lost in arrays of `dtype`: what it is there for would be 0/0, NaN.

    That is below the smallest number of float16; in other dtypes below the smallest that is not denormal, for denormals
    count as zero in training (hardware/denormals.py). A schedule is checked when it is read; an `eps` of 0 is allowed.
    """
    if dtype is None or dtype.kind != "f" or not isinstance(eps, float) or not eps:
        return
    limits = np.finfo(dtype)
    least = float(limits.smallest_subnormal if dtype == np.float16 else limits.smallest_normal)
    if eps < least:
        safe = 10.0 ** math.ceil(math.log10(float(limits.smallest_normal)))
        raise OptionError(
            f"{name}: eps={eps:g} is lost in {dtype}, which holds nothing above 0 and below {least:.2g}: a gradient of "
            f"zero would be divided by zero; give a larger one, eps={safe:g}, or make the parameters float32"
        )


def declared(annotations: dict[str, Any]) -> dict[str, Range | Choice]:
    """What each hyperparameter among a class's annotated attributes may be, read off its annotation."""
    found: dict[str, Range | Choice] = {}
    for name, hint in annotations.items():
        if hint is bool:
            found[name] = Choice(False, True)
        elif get_origin(hint) is Literal:
            found[name] = Choice(*get_args(hint))
        elif get_origin(hint) is Annotated:
            found[name] = hint.__metadata__[0]
    return found
