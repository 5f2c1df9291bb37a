"""The few array operations that a training step consists of, each a handful of NumPy calls.

The kernels in numpy_nn.py call them one by one; a compiled step (compiler/) calls them with `out` arrays of its own, or
executes the same arithmetic as machine code: operation by operation, so that the numbers are the same bits. Therefore
sums over a batch are products with ones, or go row by row, and nothing is left to a choice of NumPy's.
"""

import functools
from typing import Any

import numpy as np

from .. import ops
from ..arrays import PIXEL
from ..backend import Array
from .products import matmul

_PIXEL = np.array(PIXEL)  # an array without axes costs NumPy a little less than a scalar
ONE = np.ones((), np.float32)


@functools.cache
def ones(count: int, dtype: Any) -> Array:
    """A vector of ones, made once: the product with it is NumPy's fastest sum."""
    return np.ones(count, dtype)


@functools.cache
def firsts(rows: int, columns: int) -> Array:
    """Where each row begins in an array (rows, columns), flattened."""
    return np.arange(rows) * columns


def gather(inputs: Array, rows: Array, out: Array, raw: Array = None) -> None:
    """Copy the samples `rows` to `out`, (B, D); pixels (uint8), by way of `raw`, become float32 in [0, 1]."""
    if raw is None:
        inputs.take(rows, axis=0, out=out, mode="clip")
    else:
        inputs.take(rows, axis=0, out=raw, mode="clip")
        out[...] = raw  # two passes are faster than one with a cast in it
        np.multiply(out, _PIXEL, out)


def activate(y: Array, name: str, out: Array = None) -> Array:
    """The activation called `name` of y."""
    if name == "relu":
        return np.maximum(y, 0, out=out)
    if name == "tanh":
        return np.tanh(y, out=out)
    value = getattr(ops, name).forward(y)
    if out is None:
        return value
    out[...] = value
    return out


def activation_back(g: Array, y: Array, name: str, out: Array = None) -> Array:
    """The gradient of an activation's input, from `g`, that of its result, and `y`, the result itself."""
    if name == "relu":
        return np.multiply(g, y > 0, out=out)
    if name == "leaky_relu":
        slope = np.where(y > 0, y.dtype.type(1), y.dtype.type(0.01))
        return np.multiply(g, slope, out=out)
    if name == "sigmoid":
        return np.multiply(g, y * (1 - y), out=out)
    if name == "tanh":
        return np.multiply(g, 1 - y * y, out=out)
    return np.multiply(g, -np.expm1(-y), out=out)  # softplus


def weight_gradient(x: Array, d: Array, out: Array = None) -> Array:
    """x.T @ d: (B, in), (B, out) -> (in, out). A batch of one is an outer product, and much faster as that."""
    return np.multiply(x.T, d, out=out) if len(x) == 1 else matmul(x.T, d, out)


def sum_rows(d: Array, out: Array = None) -> Array:
    """The sum over the batch: (B, n) -> (n,)."""
    return np.matmul(ones(len(d), d.dtype), d, out=out)


class LossScratch:
    """The scratch arrays of `softmax_cross_entropy` for `batch` samples; classes first, as NumPy is faster then.

    p: logits - max, (C, B); e: e^p, and `total`, its sums over the classes, (B,). label_index: of
    each sample's label in the flattened p; picked: that number of p; losses: (B,).
    """

    def __init__(self, batch: int, classes: int, dtype: Any) -> None:
        self.e, self.p = np.empty((2, classes, batch), dtype)
        self.top, self.picked, self.total, self.losses = np.empty((4, batch), dtype)
        self.label_index = np.empty(batch, np.intp)


def softmax_cross_entropy(logits: Array, labels: Array, scratch: LossScratch | None = None) -> LossScratch:
    """The losses of logits (B, C) for labels (B,), which are known to be classes."""
    batch, classes = logits.shape
    s = LossScratch(batch, classes, logits.dtype) if scratch is None else scratch
    s.p[...] = logits.T
    np.maximum.reduce(s.p, axis=0, out=s.top)
    np.subtract(s.p, s.top, s.p)
    firsts(classes, batch).take(labels, out=s.label_index, mode="clip")
    np.add(s.label_index, firsts(batch, 1), s.label_index)
    s.p.take(s.label_index, out=s.picked, mode="clip")
    np.exp(s.p, s.e)
    if batch == 1:
        s.total[...] = np.add.accumulate(s.e, axis=0)[-1]  # class by class, as a sum over more samples goes
    else:
        np.add.reduce(s.e, axis=0, out=s.total)
    np.log(s.total, s.losses)
    np.subtract(s.losses, s.picked, s.losses)
    return s


def softmax_cross_entropy_back(
    e: Array, total: Array, label_index: Array, g: Any, out: Array = None, p: Array = None
) -> Array:
    """(softmax - one-hot) g, (B, C): the gradient of the logits; `g` is a number, or one for each sample (B,).

    Of a `LossScratch` it reads e, total and label_index, and may overwrite p.
    """
    p = np.divide(e, total, out=p)
    picked = p.take(label_index, mode="clip")
    p.reshape(-1)[label_index] = np.subtract(picked, ONE, picked)  # in half the time of -= 1
    np.multiply(p, g, p)
    if out is None:
        return p.T.copy()
    out[...] = p.T
    return out


def batch_norm(
    x: Array, gamma: Array, beta: Array, eps: float, y: Array = None, x_hat: Array = None
) -> tuple[Array, Array, Array, Array, Array]:
    """The result gamma x̂ + beta; x̂ = (x - mean) / √(σ² + eps), 1/√(σ² + eps), mean, and the sum of (x - mean)²."""
    count = x.dtype.type(len(x))
    x_hat = np.subtract(x, x[0], out=x_hat)  # close to zero, so that the mean keeps its digits whatever x's offset
    mean = np.add.reduce(x_hat, axis=0)
    mean /= count
    x_hat -= mean
    mean += x[0]
    scratch = np.multiply(x_hat, x_hat, out=y)  # y's memory is free until the end
    squares = np.add.reduce(scratch, axis=0)
    inverse = 1 / np.sqrt(squares / count + eps)
    x_hat *= inverse
    y = np.multiply(x_hat, gamma, out=scratch if gamma.dtype == scratch.dtype else None)
    y += beta
    return y, x_hat, inverse, mean, squares


def batch_norm_sums(g: Array, x_hat: Array) -> tuple[Array, Array]:
    """The gradients of gamma and beta, (n,) each."""
    return np.add.reduce(g * x_hat, axis=0), np.add.reduce(g, axis=0)


def batch_norm_back(
    g: Array,
    x_hat: Array,
    inverse: Array,
    gamma: Array,
    d_gamma: Array,
    d_beta: Array,
    out: Array = None,
    total: int | None = None,
) -> Array:
    """The gradient of x, in closed form (Ioffe & Szegedy 2015, section 3).

    `total`: of how many rows d_gamma and d_beta are the sums, if other processes have some of them.
    """
    count = g.dtype.type(total or len(g))
    dx = x_hat * (d_gamma / -count)
    dx += g
    dx -= d_beta / count
    return np.multiply(dx, gamma * inverse, out=out)


def shared_norm_parts(x: Array, parts: Array, process: int, x_hat: Array = None) -> Array:
    """x - mean, of this process's rows; the mean and the sum of squares go to its place in parts (processes, 2, n)."""
    x_hat = np.subtract(x, x[0], out=x_hat)
    mean = np.add.reduce(x_hat, axis=0)
    mean /= x.dtype.type(len(x))
    x_hat -= mean
    parts[...] = 0
    parts[process, 0] = mean + x[0]
    parts[process, 1] = np.add.reduce(x_hat * x_hat, axis=0)
    return x_hat


def shared_norm(
    x_hat: Array, parts: Array, gamma: Array, beta: Array, eps: float, process: int, rows: list[int], y: Array = None
) -> tuple[Array, Array, Array, Array]:
    """As `batch_norm` gives: the result, 1/√(σ² + eps), mean and squares; x̂ in place of `shared_norm_parts`'s result.

    `parts` are those of all processes, `rows` how many each of them has.
    """
    number, total = x_hat.dtype.type, sum(rows)
    first = parts[0, 0]
    mean = np.zeros_like(first)
    for part, count in zip(parts[1:], rows[1:], strict=True):
        mean += (part[0] - first) * number(count / total)
    mean += first
    squares = np.zeros_like(first)
    for part, count in zip(parts, rows, strict=True):
        apart = part[0] - mean
        squares += part[1] + (apart * apart) * number(count)
    inverse = 1 / np.sqrt(squares / number(total) + eps)
    x_hat += parts[process, 0] - mean
    x_hat *= inverse
    y = np.multiply(x_hat, gamma, out=y)
    y += beta
    return y, inverse, mean, squares


def update_running(running: Array, batch: Array, momentum: float) -> None:
    """A running statistic, in place: momentum times the old value, the rest from the batch."""
    running[...] = momentum * running + (1 - momentum) * batch
