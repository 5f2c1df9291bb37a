"""What a neural network adds to NumPy's functions, safe for arguments of any size; then the fusable compositions."""

import math
from typing import Any, Literal, TypeAlias

from ..autograd import Op
from ..backend import Array, array_module
from ..errors import OptionError
from ..fusable import Fusable
from .arithmetic import greater, multiply
from .elementwise import exp, expm1, negative, sqrt, square, tanh, where
from .error_function import erf
from .indexing import getitem
from .reduce import mean, sum
from .shape import plain

Reduction: TypeAlias = Literal["mean", "sum", "none"]


@Op
def sigmoid(a: Array) -> Array:
    """1 / (1 + e^-a), without overflow. Derivative: y (1 - y)."""
    xp = array_module(a)
    e = xp.exp(-abs(a))
    return xp.where(a >= 0, 1, e) / (1 + e)


sigmoid.vjp(lambda g, y, a: g * (y * (1 - y)))


@Op
def softplus(a: Array) -> Array:
    """log(1 + e^a), without overflow: a smooth relu. Derivative: the sigmoid of a."""
    xp = array_module(a)
    return xp.maximum(a, 0) + xp.log1p(xp.exp(-abs(a)))


softplus.vjp(lambda g, y, a: g * sigmoid(a))


@Op
def relu(a: Array) -> Array:
    """max(a, 0). Derivative: 1 above 0, else 0, also at 0. NaN stays NaN."""
    return array_module(a).maximum(a, 0)


relu.vjp(lambda g, y, a: g * (y > 0))


@Op
def leaky_relu(a: Array, negative_slope: float = 0.01) -> Array:
    """`a` above 0, else `negative_slope` times a. Derivative: 1 above 0, else the slope, also at 0. NaN stays NaN."""
    return array_module(a).where(a > 0, a, negative_slope * a)


leaky_relu.vjp(lambda g, y, a, negative_slope: where(a > 0, g, negative_slope * g))


def elu(a: Array, alpha: float = 1.0) -> Any:
    """`a` above 0, else alpha (e^a - 1): goes on smoothly to -alpha. Derivative at 0: `alpha`. NaN stays NaN."""
    above = greater(a, 0)
    return where(above, a, multiply(alpha, expm1(where(above, 0, a))))


def gelu(a: Array) -> Any:
    """a Φ(a), where Φ(a) = (1 + erf(a/√2)) / 2 is the normal distribution's: the share of `a` that gets through."""
    return multiply(a, 0.5 + 0.5 * erf(multiply(a, math.sqrt(0.5))))


def silu(a: Array) -> Any:
    """a σ(a), a smooth relu that dips below 0 before it vanishes; also called swish."""
    return multiply(a, sigmoid(a))


@Op
def softmax(a: Array, axis: int = -1) -> Array:
    """e^a / Σ e^a along `axis`, finite for finite `a` of any size: positive, with sum 1."""
    e = array_module(a).exp(a - a.max(axis=axis, keepdims=True))
    e /= e.sum(axis=axis, keepdims=True)
    return e


softmax.vjp(lambda g, y, a, axis: y * (g - sum(g * y, axis, True, None)))


@Op
def log_softmax(a: Array, axis: int = -1) -> Array:
    """The logarithm of `softmax`, a - log Σ e^a along `axis`, finite for finite `a` of any size."""
    xp = array_module(a)
    shifted = a - a.max(axis=axis, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))


log_softmax.vjp(lambda g, y, a, axis: g - exp(y) * sum(g, axis, True, None))


@Op
def binary_cross_entropy(logits: Array, target: Array) -> Array:
    """-t log σ(x) - (1 - t) log(1 - σ(x)) = log(1 + e^x) - t x, element by element. Derivative: σ(x) - t."""
    xp = array_module(logits)
    # x - t x where x > 0, -t x elsewhere: no difference of two huge numbers when t is 1
    return xp.maximum(logits, 0) - logits * target + xp.log1p(xp.exp(-abs(logits)))


binary_cross_entropy.vjp(lambda g, y, x, t: g * (sigmoid(x) - t), lambda g, y, x, t: -g * x)

_ACTIVATIONS: dict[str, Op[...]] = {op.name: op for op in (relu, leaky_relu, sigmoid, tanh, softplus)}


@Fusable
def dense(x: Any, weight: Any, bias: Any, *, activation: str | None = None) -> Any:
    """activation(x @ weight + bias): `x` (..., in), `weight` (in, out), `bias` (out,) or None.

    `activation`: "relu", "leaky_relu", "sigmoid", "tanh", "softplus" or None. Raises `OptionError` for others.
    """
    if activation is not None and activation not in _ACTIVATIONS:
        raise OptionError(f"dense: unknown activation {activation!r}: choose one of {', '.join(_ACTIVATIONS)}, or None")
    y = x @ weight
    y = y if bias is None else y + bias
    return y if activation is None else _ACTIVATIONS[activation](y)


@Fusable
def softmax_cross_entropy(logits: Any, labels: Any, *, reduction: Reduction = "mean") -> Any:
    """-log softmax(logits)[label]: `logits` (B, C), `labels` (B,) integers, which are not checked.

    `reduction` over the batch: "mean", "sum", or "none" for (B,). Finite for logits of any size.
    """
    labels = plain(labels)
    loss = negative(getitem(log_softmax(logits, -1), (array_module(labels).arange(len(labels)), labels)))
    return mean(loss) if reduction == "mean" else sum(loss) if reduction == "sum" else loss


@Fusable
def batch_norm(x: Any, gamma: Any, beta: Any, *, eps: float = 1e-5) -> Any:
    """`gamma` (x - μ) / √(σ² + eps) + `beta`, with mean μ and biased variance σ² over the batch, axis 0."""
    shifted = x - plain(x)[:1]  # changes nothing but this: a constant column becomes exactly zero, however large it was
    centred = shifted - mean(shifted, 0, True, None)
    variance = mean(square(centred), 0, True, None)
    return gamma * (centred / sqrt(variance + eps)) + beta
