"""NumPy kernels for the three compositions that training an MLP spends its time in.

Each is pinned to its composition, in value, gradient and Hessian-vector product, by tests/test_kernels.py.
`wanted` holds the numbers of the arguments whose gradients are asked for: no other is computed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..fusable import kernel

# the gradient before each activation, from the gradient behind it and the activation's own result
_BACK: dict[str | None, Callable[[Any, Any], Any]] = {
    None: lambda g, y: g,
    "relu": lambda g, y: g * (y > 0),
    "leaky_relu": lambda g, y: np.where(y > 0, g, g * y.dtype.type(0.01)),
    "sigmoid": lambda g, y: g * (y * (1 - y)),
    "tanh": lambda g, y: g * (1 - y * y),
    "softplus": lambda g, y: g * -np.expm1(-y),
}


@kernel(ops.dense, "numpy")
class Dense:
    """activation(x @ weight + bias) in one array, and its three gradients."""

    @staticmethod
    def forward(x: Any, weight: Any, bias: Any, activation: str | None) -> tuple[Any, Any]:
        if activation not in _BACK:
            return ops.dense.forward(x, weight, bias, activation=activation), None  # which says what is wrong with it
        y: Any = x @ weight
        if bias is not None:
            y = np.add(y, bias, out=y) if y.dtype == np.result_type(y, bias) and y.ndim else y + bias
        if activation == "relu":
            y = np.maximum(y, 0, out=y if y.ndim else None)
        elif activation is not None:
            y = getattr(ops, activation).forward(y)
        return y, None

    @staticmethod
    def backward(
        g: Any, y: Any, saved: Any, wanted: list[int], x: Any, weight: Any, bias: Any, activation: str | None
    ) -> list[Any]:
        d = _BACK[activation](g, y)
        found = []
        for i in wanted:
            if i == 0:
                found.append(d @ weight.T)
            elif i == 1:
                inputs, outputs = weight.shape
                rows, deltas = x.reshape(-1, inputs), d.reshape(-1, outputs)
                # a batch of one is an outer product, for which a matrix product is several times too slow
                found.append(rows.T * deltas if len(rows) == 1 else rows.T @ deltas)
            else:
                deltas = d.reshape(-1, d.shape[-1])
                found.append(np.ones(len(deltas), d.dtype) @ deltas)  # several times faster than sum(axis=0)
        return found


@kernel(ops.softmax_cross_entropy, "numpy")
class SoftmaxCrossEntropy:
    """The loss, and (softmax - one-hot) as its gradient, from one pass of exponentials."""

    @staticmethod
    def forward(logits: Any, labels: Any, reduction: str) -> tuple[Any, Any]:
        shifted = logits - logits.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        loss = np.log(total[:, 0]) - shifted[np.arange(len(logits)), labels]
        value = loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()
        return value, (e, total)

    @staticmethod
    def backward(g: Any, y: Any, saved: Any, wanted: list[int], logits: Any, labels: Any, reduction: str) -> list[Any]:
        e, total = saved
        d = e / total
        d[np.arange(len(d)), labels] -= 1
        d *= g[:, None] if reduction == "none" else g / d.dtype.type(len(d)) if reduction == "mean" else g
        return [d]


@kernel(ops.batch_norm, "numpy")
class BatchNorm:
    """The normalised batch, kept for a backward pass in closed form (Ioffe & Szegedy 2015, section 3)."""

    @staticmethod
    def forward(x: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any]:
        x_hat = x - x.mean(axis=0)
        inverse = 1 / np.sqrt(np.einsum("nf,nf->f", x_hat, x_hat) / len(x) + eps)
        x_hat *= inverse
        return gamma * x_hat + beta, (x_hat, inverse)

    @staticmethod
    def backward(g: Any, y: Any, saved: Any, wanted: list[int], x: Any, gamma: Any, beta: Any, eps: float) -> list[Any]:
        x_hat, inverse = saved
        d_gamma, d_beta = np.einsum("nf,nf->f", g, x_hat), g.sum(axis=0)
        found = []
        for i in wanted:
            if i == 0:
                dx = x_hat * (d_gamma / -len(x))
                dx += g
                dx -= d_beta / len(x)
                dx *= gamma * inverse
                found.append(dx)
            else:
                found.append(d_gamma if i == 1 else d_beta)
        return found
