"""Powers and logarithms to other bases, roots, and sums of them that do not overflow on the way."""

import math
from typing import Any

from ..autograd import Op
from ..backend import Array, array_module
from .elementwise import exp, where


@Op
def exp2(a: Array) -> Array:
    """The power 2^a. Derivative: 2^a log 2."""
    return array_module(a).exp2(a)


exp2.vjp(lambda g, y, a: g * (y * math.log(2)))


@Op
def log2(a: Array) -> Array:
    """The logarithm to base 2. Derivative: 1 / (a log 2). At and below 0 as `log`."""
    return array_module(a).log2(a)


@Op
def log10(a: Array) -> Array:
    """The logarithm to base 10. Derivative: 1 / (a log 10). At and below 0 as `log`."""
    return array_module(a).log10(a)


log2.vjp(lambda g, y, a: g / (a * math.log(2)))
log10.vjp(lambda g, y, a: g / (a * math.log(10)))


@Op
def cbrt(a: Array) -> Array:
    """The cube root, of negative numbers too. Derivative: 1 / 3y², so inf at 0, with NumPy's warning."""
    return array_module(a).cbrt(a)


cbrt.vjp(lambda g, y, a: g / (3 * y * y))


@Op
def hypot(a: Array, b: Array) -> Array:
    """The length √(a² + b²), without overflow. Derivatives: a / y and b / y; at the origin 0, as those of `norm`."""
    return array_module(a).hypot(a, b)


hypot.vjp(lambda g, y, a, b: g * (a / where(y == 0, 1, y)), lambda g, y, a, b: g * (b / where(y == 0, 1, y)))


@Op
def logaddexp(a: Array, b: Array) -> Array:
    """The logarithm of e^a + e^b, without overflow. Derivatives: the shares of the two in that sum; 0 if it is 0."""
    return array_module(a).logaddexp(a, b)


@Op
def logaddexp2(a: Array, b: Array) -> Array:
    """The logarithm to base 2 of 2^a + 2^b, without overflow. Derivatives: the shares of the two; 0 if the sum is 0."""
    return array_module(a).logaddexp2(a, b)


def _below(a: Any, y: Any) -> Any:
    """`a` - y, of two logarithms; -inf, not NaN, where both are -inf."""
    return a - where(y == -math.inf, 0, y)


logaddexp.vjp(lambda g, y, a, b: g * exp(_below(a, y)), lambda g, y, a, b: g * exp(_below(b, y)))
logaddexp2.vjp(lambda g, y, a, b: g * exp2(_below(a, y)), lambda g, y, a, b: g * exp2(_below(b, y)))
