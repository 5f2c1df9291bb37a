"""Division of whole parts: quotients rounded to integers, and what remains."""

from typing import Any

from ..autograd import Op
from ..backend import Array, array_module
from ..fitting import zeros_of
from .elementwise import trunc


@Op
def floor_divide(a: Array, b: Array) -> Array:
    """The quotient a / b rounded downwards, ``a // b``. Constant between its jumps: derivatives 0."""
    return a // b


floor_divide.vjp(lambda g, y, a, b: zeros_of(g), lambda g, y, a, b: zeros_of(g))


@Op
def remainder(a: Array, b: Array) -> Array:
    """What ``a // b`` leaves, ``a % b``, with the sign of b. Derivatives between its jumps: 1 and -(a // b)."""
    return a % b


remainder.vjp(lambda g, y, a, b: g, lambda g, y, a, b: -g * floor_divide(a, b))


@Op
def fmod(a: Array, b: Array) -> Array:
    """What a / b rounded towards 0 leaves, with the sign of a. Derivatives between its jumps: 1 and -trunc(a / b)."""
    return array_module(a).fmod(a, b)


fmod.vjp(lambda g, y, a, b: g, lambda g, y, a, b: -g * trunc(a / b))


def divmod(a: Array, b: Array) -> tuple[Any, Any]:
    """The pair (a // b, a % b)."""
    return floor_divide(a, b), remainder(a, b)
