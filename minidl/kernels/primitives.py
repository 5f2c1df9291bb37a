"""The few array operations that a training step consists of, each a handful of NumPy calls.

The kernels in numpy_nn.py call them as they come; a compiled step (compile/) calls them with `out` arrays of its
own, or has the same arithmetic done by machine code: operation by operation, so that the numbers are the same bits.
Therefore sums over a batch are products with ones, or go row by row, and nothing is left to a choice of NumPy's.
"""

import functools
from typing import Any

import numpy as np

from .. import ops
from .products import Array, matmul

PIXEL = np.array(1 / 255, np.float32)
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
    """The samples numbered `rows`: (B, D) floats; pixels (uint8), by way of `raw`, become float32 in [0, 1]."""
    if raw is None:
        inputs.take(rows, axis=0, out=out, mode="clip")
    else:
        inputs.take(rows, axis=0, out=raw, mode="clip")
        out[...] = raw  # in two passes, which NumPy makes faster than one with a cast in it
        np.multiply(out, PIXEL, out)


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
    """The gradient before an activation, from `g`, that behind it, and `y`, the activation's own result."""
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


class LossRoom:
    """Where `softmax_cross_entropy` puts what it works out for `batch` samples; classes first, as NumPy is faster then.

    e: e^(logits - max) (C, B), and `total`, its sums (B,). own: where each sample's class is in it, flattened; picked:
    that logit, the sample's largest subtracted; losses: (B,). p: logits - max.
    """

    def __init__(self, batch: int, classes: int, dtype: Any) -> None:
        self.e, self.p = np.empty((2, classes, batch), dtype)
        self.top, self.picked, self.total, self.losses = np.empty((4, batch), dtype)
        self.own = np.empty(batch, np.intp)


def softmax_cross_entropy(logits: Array, labels: Array, room: LossRoom | None = None) -> LossRoom:
    """The losses of logits (B, C) for labels (B,), which are known to be classes."""
    batch, classes = logits.shape
    room = LossRoom(batch, classes, logits.dtype) if room is None else room
    room.p[...] = logits.T
    np.maximum.reduce(room.p, axis=0, out=room.top)
    np.subtract(room.p, room.top, room.p)
    firsts(classes, batch).take(labels, out=room.own, mode="clip")
    np.add(room.own, firsts(batch, 1), room.own)
    room.p.take(room.own, out=room.picked, mode="clip")
    np.exp(room.p, room.e)
    if batch == 1:
        room.total[...] = np.add.accumulate(room.e, axis=0)[-1]  # class by class, as a sum over more samples goes
    else:
        np.add.reduce(room.e, axis=0, out=room.total)
    np.log(room.total, room.losses)
    np.subtract(room.losses, room.picked, room.losses)
    return room


def softmax_cross_entropy_back(e: Array, total: Array, own: Array, g: Any, out: Array = None, p: Array = None) -> Array:
    """(softmax - one-hot) g, (B, C): the gradient of the logits; `g` is a number, or one for each sample (B,).

    Of a `LossRoom` it reads e, total and own, and may overwrite p.
    """
    p = np.divide(e, total, out=p)
    picked = p.take(own, mode="clip")
    p.reshape(-1)[own] = np.subtract(picked, ONE, picked)  # in half the time of -= 1
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
    room = np.multiply(x_hat, x_hat, out=y)
    squares = np.add.reduce(room, axis=0)
    inverse = 1 / np.sqrt(squares / count + eps)
    x_hat *= inverse
    y = np.multiply(x_hat, gamma, out=room if gamma.dtype == room.dtype else None)
    y += beta
    return y, x_hat, inverse, mean, squares


def batch_norm_sums(g: Array, x_hat: Array) -> tuple[Array, Array]:
    """The gradients of gamma and beta, (n,) each."""
    return np.add.reduce(g * x_hat, axis=0), np.add.reduce(g, axis=0)


def batch_norm_back(
    g: Array, x_hat: Array, inverse: Array, gamma: Array, d_gamma: Array, d_beta: Array, out: Array = None
) -> Array:
    """The gradient of x, in closed form (Ioffe & Szegedy 2015, section 3)."""
    count = g.dtype.type(len(g))
    dx = x_hat * (d_gamma / -count)
    dx += g
    dx -= d_beta / count
    return np.multiply(dx, gamma * inverse, out=out)


def update_running(running: Array, batch: Array, momentum: float) -> None:
    """A running statistic, in place: momentum times the old value, the rest from the batch."""
    running[...] = momentum * running + (1 - momentum) * batch
