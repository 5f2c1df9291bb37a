"""NumPy kernels for the three compositions that training an MLP spends its time in.

Each is pinned to its composition, in value, gradient and Hessian-vector product, by tests/kernels/test_kernels.py.
`wanted` holds the numbers of the arguments whose gradients are asked for: no other is computed.
"""

from typing import Any

import numpy as np

from .. import ops
from ..backend import registry
from ..nn._shared_batch import SharedBatch
from ..nn._shared_norm import Statistics, batch_norm_across, rows_of_all
from . import eager, primitives
from .products import matmul
from .shelf import kernel

ACTIVATIONS = (None, "relu", "leaky_relu", "sigmoid", "tanh", "softplus")


@kernel(ops.dense, "numpy")
class Dense:
    """activation(x @ weight + bias) in one array, and its three gradients."""

    @staticmethod
    def forward(x: Any, weight: Any, bias: Any, activation: str | None) -> tuple[Any, Any]:
        if activation not in ACTIVATIONS:
            return ops.dense.forward(x, weight, bias, activation=activation), None  # which says what is wrong with it
        eager.look()
        y: Any = eager.matmul(x, weight) if x.ndim == weight.ndim == 2 else x @ weight
        if bias is not None:
            return eager.add_bias(y, bias, activation), None
        if activation is not None:
            y = primitives.activate(y, activation, out=y if y.ndim else None)
        return y, None

    @staticmethod
    def backward(
        g: Any, y: Any, saved: Any, wanted: list[int], x: Any, weight: Any, bias: Any, activation: str | None
    ) -> list[Any]:
        d = g if activation is None else eager.activation_back(g, y, activation)
        found = []
        for i in wanted:
            if i == 0:
                found.append(matmul(d, weight.T) if d.ndim == 2 else d @ weight.T)
            elif i == 1:
                inputs, outputs = weight.shape
                found.append(eager.weight_gradient(x.reshape(-1, inputs), d.reshape(-1, outputs)))
            else:
                found.append(primitives.sum_rows(d.reshape(-1, d.shape[-1])))
        return found


@kernel(ops.softmax_cross_entropy, "numpy")
class SoftmaxCrossEntropy:
    """The loss, and (softmax - one-hot) as its gradient, from one pass of exponentials."""

    @staticmethod
    def forward(logits: Any, labels: Any, reduction: str) -> tuple[Any, Any]:
        found = primitives.softmax_cross_entropy(logits, labels)
        losses, saved = found.losses, (found.e, found.total, found.label_index)
        if reduction == "none":
            return losses, saved
        value = losses @ primitives.ones(len(losses), losses.dtype)
        return value / losses.dtype.type(len(losses)) if reduction == "mean" else value, saved

    @staticmethod
    def backward(g: Any, y: Any, saved: Any, wanted: list[int], logits: Any, labels: Any, reduction: str) -> list[Any]:
        share = g / g.dtype.type(len(logits)) if reduction == "mean" else g
        e, total, label_index = saved
        return [primitives.softmax_cross_entropy_back(e, total, label_index, share)]


@kernel(ops.batch_norm, "numpy")
class BatchNorm:
    """The normalised batch, kept for a backward pass in closed form (Ioffe & Szegedy 2015, section 3)."""

    @staticmethod
    def forward(x: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any]:
        y, *saved = eager.batch_norm(x, gamma, beta, eps)
        return y, saved

    @staticmethod
    def backward(g: Any, y: Any, saved: Any, wanted: list[int], x: Any, gamma: Any, beta: Any, eps: float) -> list[Any]:
        x_hat, inverse, *_ = saved
        found = eager.batch_norm_back(g, x_hat, inverse, gamma, wanted)
        return [found[i] for i in wanted]


@kernel(batch_norm_across, "numpy")
class BatchNormAcross:
    """The same over the rows of all processes."""

    @staticmethod
    def forward(x: Any, gamma: Any, beta: Any, eps: float, shared: SharedBatch, into: Statistics) -> tuple[Any, Any]:
        rows, total = rows_of_all(shared, len(x))
        parts = np.empty((len(rows), 2, *x.shape[1:]), x.dtype)
        x_hat = primitives.shared_norm_parts(x, parts, shared.process)
        if not shared.counts:
            parts[...] = 0
        shared.summing.sum_(parts)
        y, inverse, mean, squares = primitives.shared_norm(x_hat, parts, gamma, beta, eps, shared.process, rows)
        into.mean, into.variance = mean, squares / squares.dtype.type(total - 1)
        return y, (x_hat, inverse, total)

    @staticmethod
    def backward(
        g: Any,
        y: Any,
        saved: Any,
        wanted: list[int],
        x: Any,
        gamma: Any,
        beta: Any,
        eps: float,
        shared: SharedBatch,
        into: Statistics,
    ) -> list[Any]:
        x_hat, inverse, total = saved
        own = primitives.batch_norm_sums(g, x_hat)
        dx = None
        if 0 in wanted:
            sums = np.stack(own)
            shared.summing.sum_(sums)
            dx = primitives.batch_norm_back(g, x_hat, inverse, gamma, sums[0], sums[1], total=total)
            if not shared.counts:  # nothing depends on a row that is another's
                dx[...] = 0
        return [(dx, *own)[i] for i in wanted]


def batch_statistics(saved: Any) -> tuple[Any, Any]:
    """The mean, and the unbiased variance, of the batch that `BatchNorm` left this for."""
    x_hat, _, mean, squares = saved
    return mean, squares / squares.dtype.type(len(x_hat) - 1)


registry["batch statistics", "numpy"] = batch_statistics
