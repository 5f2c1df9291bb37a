"""Functions of one array, element by element, each with its derivative beside it; and `where` and `arctan2`."""

from typing import Any

import numpy as np

from ..arrays import as_array
from ..autograd import Op
from ..backend import Array, array_module
from ..fitting import zeros_of
from ..node import Node


@Op
def positive(a: Array) -> Array:
    """A copy, +a."""
    return +a


positive.vjp(lambda g, y, a: g)


@Op
def negative(a: Array) -> Array:
    """The opposite, -a."""
    return -a


negative.vjp(lambda g, y, a: -g)


@Op
def conjugate(a: Array) -> Array:
    """The complex conjugate, of a real number a copy."""
    return array_module(a).conjugate(a)


conjugate.vjp(lambda g, y, a: g)


def real(val: Array) -> Any:
    """The real part, of a real number itself."""
    return positive(val)


def real_if_close(a: Array) -> Any:
    """The real part, `real`: of a real number itself."""
    return positive(a)


def imag(val: Array) -> Any:
    """The imaginary part, of a real number 0."""
    return zeros_of(val)


@Op
def sign(a: Array) -> Array:
    """The sign, -1, 0 or 1; NaN stays NaN. Constant between its jumps: derivative 0."""
    return array_module(a).sign(a)


@Op
def floor(a: Array) -> Array:
    """The next integer downwards. Constant between its jumps: derivative 0."""
    return array_module(a).floor(a)


@Op
def ceil(a: Array) -> Array:
    """The next integer upwards. Constant between its jumps: derivative 0."""
    return array_module(a).ceil(a)


@Op
def trunc(a: Array) -> Array:
    """The next integer towards 0. Constant between its jumps: derivative 0."""
    return array_module(a).trunc(a)


def fix(x: Array) -> Any:
    """`trunc`, under NumPy's older name."""
    return trunc(x)


@Op
def rint(a: Array) -> Array:
    """The nearest integer, of two the even one. Constant between its jumps: derivative 0."""
    return array_module(a).rint(a)


@Op
def round(a: Array, decimals: int = 0) -> Array:
    """The nearest number with so many `decimals`, of two the even one. Constant between its jumps: derivative 0."""
    return a.round(decimals)


for step in (sign, floor, ceil, trunc, rint):
    step.vjp(lambda g, y, a: zeros_of(g))
round.vjp(lambda g, y, a, decimals: zeros_of(g))


@Op
def absolute(a: Array) -> Array:
    """The absolute value |a|. Derivative: the sign of a, so 0 at 0."""
    return abs(a)


absolute.vjp(lambda g, y, a: g * sign(a))


@Op
def fabs(a: Array) -> Array:
    """The absolute value |a|, in floating point. Derivative: the sign of a, so 0 at 0."""
    return array_module(a).fabs(a)


fabs.vjp(lambda g, y, a: g * sign(a))


@Op
def exp(a: Array) -> Array:
    """The exponential e^a. Derivative: itself."""
    return array_module(a).exp(a)


exp.vjp(lambda g, y, a: g * y)


@Op
def expm1(a: Array) -> Array:
    """The exponential less one, e^a - 1, exact for small a. Derivative: e^a."""
    return array_module(a).expm1(a)


expm1.vjp(lambda g, y, a: g * (y + 1))


@Op
def log(a: Array) -> Array:
    """The natural logarithm. Derivative: 1 / a. At and below 0 as in NumPy: -inf and NaN, with its warnings."""
    return array_module(a).log(a)


log.vjp(lambda g, y, a: g / a)


@Op
def log1p(a: Array) -> Array:
    """The logarithm log(1 + a), exact for small a. Derivative: 1 / (1 + a)."""
    return array_module(a).log1p(a)


log1p.vjp(lambda g, y, a: g / (1 + a))


@Op
def sqrt(a: Array) -> Array:
    """The square root √a. Derivative: 1 / 2√a, so inf at 0, with NumPy's warning; `norm` and `std` have 0 there."""
    return array_module(a).sqrt(a)


sqrt.vjp(lambda g, y, a: g / (2 * y))


@Op
def square(a: Array) -> Array:
    """The square a². Derivative: 2a."""
    return array_module(a).square(a)


square.vjp(lambda g, y, a: g * (2 * a))


@Op
def reciprocal(a: Array) -> Array:
    """The reciprocal 1 / a. Derivative: -1 / a². For integers, NumPy's: rounded towards 0."""
    return array_module(a).reciprocal(a)


reciprocal.vjp(lambda g, y, a: -g * y * y)


@Op
def sin(a: Array) -> Array:
    """The sine. Derivative: cos a."""
    return array_module(a).sin(a)


@Op
def cos(a: Array) -> Array:
    """The cosine. Derivative: -sin a."""
    return array_module(a).cos(a)


sin.vjp(lambda g, y, a: g * cos(a))
cos.vjp(lambda g, y, a: -g * sin(a))


@Op
def tan(a: Array) -> Array:
    """The tangent. Derivative: 1 + tan² a."""
    return array_module(a).tan(a)


tan.vjp(lambda g, y, a: g * (1 + y * y))


@Op
def sinh(a: Array) -> Array:
    """The hyperbolic sine. Derivative: cosh a."""
    return array_module(a).sinh(a)


@Op
def cosh(a: Array) -> Array:
    """The hyperbolic cosine. Derivative: sinh a."""
    return array_module(a).cosh(a)


sinh.vjp(lambda g, y, a: g * cosh(a))
cosh.vjp(lambda g, y, a: g * sinh(a))


@Op
def tanh(a: Array) -> Array:
    """The hyperbolic tangent. Derivative: 1 - tanh² a."""
    return array_module(a).tanh(a)


tanh.vjp(lambda g, y, a: g * (1 - y * y))


@Op
def arcsin(a: Array) -> Array:
    """The angle in [-π/2, π/2] whose sine is a. Derivative: 1 / √(1 - a²), inf at ±1."""
    return array_module(a).arcsin(a)


arcsin.vjp(lambda g, y, a: g / sqrt(1 - a * a))


@Op
def arccos(a: Array) -> Array:
    """The angle in [0, π] whose cosine is a. Derivative: -1 / √(1 - a²), -inf at ±1."""
    return array_module(a).arccos(a)


arccos.vjp(lambda g, y, a: -g / sqrt(1 - a * a))


@Op
def arctan(a: Array) -> Array:
    """The angle in [-π/2, π/2] whose tangent is a. Derivative: 1 / (1 + a²)."""
    return array_module(a).arctan(a)


arctan.vjp(lambda g, y, a: g / (1 + a * a))


@Op
def arctan2(a: Array, b: Array) -> Array:
    """The angle of the point (b, a), in [-π, π]. Derivatives: b / (a² + b²) and -a / (a² + b²), NaN at the origin."""
    return array_module(a).arctan2(a, b)


def _over_square(c: Any, a: Any, b: Any) -> Any:
    """`c` / (a² + b²), for `a` and `b` whose squares would overflow or vanish too."""
    scale = where(abs(a) > abs(b), abs(a), abs(b))
    return c / scale / ((a / scale) ** 2 + (b / scale) ** 2) / scale


arctan2.vjp(lambda g, y, a, b: g * _over_square(b, a, b), lambda g, y, a, b: -g * _over_square(a, a, b))


@Op
def _where(condition: Array, x: Array, y: Array) -> Array:
    return array_module(condition).where(condition, x, y)


_where.vjp(None, lambda g, out, c, x, y: _where(c, g, 0), lambda g, out, c, x, y: _where(c, 0, g))


def where(condition: Array, x: Array, y: Array) -> Any:
    """`x` where `condition` holds, `y` elsewhere, all three broadcast; the gradient goes to the one that was taken.

    Both are computed everywhere, so a branch that is infinite or NaN where it is not taken makes the gradient NaN
    there: 0 times infinity. Give that branch an argument that is harmless there, by a `where` of its own:
    ``where(x > 0, sqrt(where(x > 0, x, 1)), 0)``, not ``where(x > 0, sqrt(x), 0)``.
    """
    if isinstance(condition, Node) and _is_literal(x) and _is_literal(y):  # of which NumPy would make float64
        x = array_module(condition.data).asarray(as_array(x, "where"), dtype=np.float32)
    return _where(condition, x, y)


def _is_literal(value: Any) -> bool:
    """Whether `value` is a Python or NumPy number, or a list of such, with no array or Tensor in it; no boolean."""
    if isinstance(value, list | tuple):
        return all(map(_is_literal, value))
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


@Op
def isfinite(a: Array) -> Array:
    """Whether an element is neither infinite nor NaN: booleans."""
    return array_module(a).isfinite(a)


isfinite.vjp(None)


@Op
def isnan(a: Array) -> Array:
    """Whether an element is NaN: booleans."""
    return array_module(a).isnan(a)


isnan.vjp(None)
