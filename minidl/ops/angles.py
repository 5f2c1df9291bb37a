"""Angles and their units, the inverse hyperbolic functions, and sinc."""

import math

from ..autograd import Op
from ..backend import Array, array_module
from ..fitting import zeros_of
from .elementwise import sqrt


@Op
def arcsinh(a: Array) -> Array:
    """The number whose hyperbolic sine is a. Derivative: 1 / √(1 + a²)."""
    return array_module(a).arcsinh(a)


arcsinh.vjp(lambda g, y, a: g / sqrt(1 + a * a))


@Op
def arccosh(a: Array) -> Array:
    """The number, not negative, whose hyperbolic cosine is a. Derivative: 1 / √(a² - 1), inf at 1."""
    return array_module(a).arccosh(a)


arccosh.vjp(lambda g, y, a: g / sqrt(a * a - 1))


@Op
def arctanh(a: Array) -> Array:
    """The number whose hyperbolic tangent is a. Derivative: 1 / (1 - a²), inf at ±1."""
    return array_module(a).arctanh(a)


arctanh.vjp(lambda g, y, a: g / (1 - a * a))


@Op
def deg2rad(a: Array) -> Array:
    """Degrees as radians, a π / 180."""
    return array_module(a).deg2rad(a)


@Op
def rad2deg(a: Array) -> Array:
    """Radians as degrees, 180 a / π."""
    return array_module(a).rad2deg(a)


deg2rad.vjp(lambda g, y, a: deg2rad(g))
rad2deg.vjp(lambda g, y, a: rad2deg(g))


@Op
def angle(z: Array, deg: bool = False) -> Array:
    """The angle of a real number in the complex plane: 0 or π (`deg`: 180), for negative ones. Derivative: 0."""
    return array_module(z).angle(z, deg)


angle.vjp(lambda g, y, z, deg: zeros_of(g))


@Op
def _sinc(a: Array, order: int) -> Array:
    """The derivative of sin(u) / u at u = π a, of that `order`, in u."""
    xp = array_module(a)
    u = math.pi * a
    far = xp.abs(u) > order + 1
    beside = xp.where(far, u, 1)
    y = xp.sin(beside) / beside
    for n in range(1, order + 1):  # Leibniz' rule for the n-th derivative of u * sin(u) / u
        y = (xp.sin(beside + n * math.pi / 2) - n * y) / beside
    near, series = xp.where(far, 0, u), xp.zeros_like(y)
    for k in reversed(range((order + 1) // 2, order + 12)):  # Taylor's, where those differences would cancel
        coefficient = (-1) ** k * math.perm(2 * k, order) / math.factorial(2 * k + 1)
        series = series + coefficient * near ** (2 * k - order)
    return xp.where(far, y, series)


_sinc.vjp(lambda g, y, a, order: g * (math.pi * _sinc(a, order + 1)))


def sinc(x: Array) -> Array:
    """sin(πx) / (πx), and 1 at 0. Derivatives of every order, at 0 and close to it too."""
    return _sinc(x, 0)
