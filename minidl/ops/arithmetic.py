"""Arithmetic and comparisons, with broadcasting (which the engine undoes for the gradients)."""

from typing import Any

from ..arrays import common_dtype
from ..autograd import Op
from ..backend import Array, array_module
from .elementwise import log, where


@Op
def add(a: Array, b: Array) -> Array:
    """The sum a + b."""
    return a + b


add.vjp(lambda g, y, a, b: g, lambda g, y, a, b: g)


@Op
def subtract(a: Array, b: Array) -> Array:
    """The difference a - b."""
    return a - b


subtract.vjp(lambda g, y, a, b: g, lambda g, y, a, b: -g)


@Op
def multiply(a: Array, b: Array) -> Array:
    """The product a b."""
    return a * b


multiply.vjp(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)


@Op
def divide(a: Array, b: Array) -> Array:
    """The quotient a / b, in floating point; by 0 as in NumPy."""
    return a / b


divide.vjp(lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b)


@Op
def power(a: Array, b: Array) -> Array:
    """The power a^b. Derivatives: b a^(b-1), and a^b log a.

    Corners: a^0 has derivative 0 in a, at a = 0 too; 0^b has derivative 0 in b wherever b >= 0. A negative
    `a` is fine for whole b as long as no gradient is wanted for b; if it is, that one is NaN.
    """
    return a**b


def _power_vjp_base(g: Any, y: Any, a: Any, b: Any) -> Any:
    if hasattr(b, "shape"):
        return g * b * a ** where((a == 0) * (b == 0), 0, b - 1)
    return g * b * a ** (b - 1 if b else 0)


def _power_vjp_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    base = where((a == 0) * (b >= 0), 1, a)
    if hasattr(base, "astype"):
        base = base.astype(y.dtype)  # of small integers NumPy takes the logarithm in half precision
    return g * y * log(base)


power.vjp(_power_vjp_base, _power_vjp_exponent)


@Op
def maximum(a: Array, b: Array) -> Array:
    """The larger of a and b; NaN if either is. At a tie each gets half of the gradient."""
    return array_module(a).maximum(a, b)


maximum.vjp(lambda g, y, a, b: _winner(g, a, b), lambda g, y, a, b: _winner(g, b, a))


@Op
def minimum(a: Array, b: Array) -> Array:
    """The smaller of a and b; NaN if either is. At a tie each gets half of the gradient."""
    return array_module(a).minimum(a, b)


minimum.vjp(lambda g, y, a, b: _winner(g, b, a), lambda g, y, a, b: _winner(g, a, b))


def _winner(g: Any, a: Any, b: Any) -> Any:
    """`g` where a > b, half of it where they are equal, 0 elsewhere."""
    return where(a == b, g / 2, where(a > b, g, 0))


@Op
def fmax(a: Array, b: Array) -> Array:
    """The larger of a and b; if one is NaN, the other. At a tie each gets half of the gradient."""
    return array_module(a).fmax(a, b)


@Op
def fmin(a: Array, b: Array) -> Array:
    """The smaller of a and b; if one is NaN, the other. At a tie each gets half of the gradient."""
    return array_module(a).fmin(a, b)


def _chosen(g: Any, y: Any, a: Any, b: Any) -> Any:
    """`g` where a was chosen, half of it where b is equal, 0 elsewhere."""
    return where(a == b, g / 2, where(a == y, g, 0))


for best in (fmax, fmin):
    best.vjp(_chosen, lambda g, y, a, b: _chosen(g, y, b, a))


@Op
def clip(a: Array, min: Array | None = None, max: Array | None = None) -> Array:
    """`a` limited to [min, max], of which either may be None; all three broadcast.

    The gradient goes to `a` where it lies within the limits, themselves included; elsewhere to the limit
    that was taken. NaN stays NaN, and has gradient 0. Where min > max the result is max, as in NumPy.
    """
    if type(a) in (int, float, bool):  # of which NumPy would make an array that widens
        beside = [limit for limit in (min, max) if limit is not None]
        a = array_module(next(iter(beside), None)).asarray(a, dtype=common_dtype([a, *beside]))
    return array_module(a).clip(a, min, max)


def _clip_vjp(g: Any, y: Any, a: Any, lo: Any, hi: Any) -> Any:
    g = g if lo is None else where(a >= lo, g, 0)
    return g if hi is None else where(a <= hi, g, 0)


def _clip_vjp_min(g: Any, y: Any, a: Any, lo: Any, hi: Any) -> Any:
    g = where(a < lo, g, 0)
    return g if hi is None else where(lo <= hi, g, 0)


def _clip_vjp_max(g: Any, y: Any, a: Any, lo: Any, hi: Any) -> Any:
    above = where(a > hi, g, 0)
    return above if lo is None else where(lo > hi, g, above)


clip.vjp(_clip_vjp, _clip_vjp_min, _clip_vjp_max)


@Op
def equal(a: Array, b: Array) -> Array:
    """Whether a == b: booleans, as all comparisons give; nothing is recorded."""
    return a == b


equal.vjp(None, None)


@Op
def not_equal(a: Array, b: Array) -> Array:
    """Whether a != b: booleans."""
    return a != b


not_equal.vjp(None, None)


@Op
def less(a: Array, b: Array) -> Array:
    """Whether a < b: booleans."""
    return a < b


less.vjp(None, None)


@Op
def less_equal(a: Array, b: Array) -> Array:
    """Whether a <= b: booleans."""
    return a <= b


less_equal.vjp(None, None)


@Op
def greater(a: Array, b: Array) -> Array:
    """Whether a > b: booleans."""
    return a > b


greater.vjp(None, None)


@Op
def greater_equal(a: Array, b: Array) -> Array:
    """Whether a >= b: booleans."""
    return a >= b


greater_equal.vjp(None, None)
