"""What an argument has to be, where several files ask for the same."""

import operator
from typing import Any

import numpy as np

from .errors import OptionError


def checked_integer(value: Any, what: str, least: int, most: int | None = None, note: str = "") -> int:
    """`value` as an int, if it is an integer of at least `least` (and at most `most`), and no bool.

    Raises `OptionError`, which begins with `what`; a `note` tells more of what is allowed.
    """
    try:
        # a bool is an index too; older NumPy warns of its own
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        raise OptionError(f"{what} must be an integer {bounds(least, most)}{note}, got {value!r}")
    return number


def bounds(least: int, most: int | None) -> str:
    """The integers that are allowed, in words, after "an integer"."""
    return f"of at least {least}" if most is None else f"from {least} to {most}"
