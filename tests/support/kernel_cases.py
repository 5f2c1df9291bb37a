"""A case of every kernel for each of its options, and what a function of theirs results in."""

import numpy as np

import minidl
from minidl import Tensor, ops

RNG = np.random.default_rng(0)
LABELS = np.array([0, 2, 1, 1, 0])
X, W, B = RNG.standard_normal((5, 4)), RNG.standard_normal((4, 3)), RNG.standard_normal(3)

CASES = {
    f"dense {activation} {x.shape} {'bias' if bias else ''}": (
        ops.dense, (x, W, B) if bias else (x, W), () if bias else (None,), {"activation": activation},
    )
    for activation in (None, "relu", "leaky_relu", "sigmoid", "tanh", "softplus")
    for x in (X, X[:1], X[0], RNG.standard_normal((2, 3, 4)))
    for bias in (True, False)
} | {
    f"softmax_cross_entropy {reduction}": (ops.softmax_cross_entropy, (X,), (LABELS % 4,), {"reduction": reduction})
    for reduction in ("mean", "sum", "none")
} | {
    "batch_norm": (ops.batch_norm, (X, RNG.standard_normal(4), RNG.standard_normal(4)), (), {"eps": 1e-5}),
}  # fmt: skip


def results(function, arrays, extra, options, dtype):
    """Value, gradient and Hessian-vector product of a function at `arrays`."""
    inputs = [Tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    y = function(*inputs, *extra, **options)
    cotangent = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
    first = minidl.gradients(y, inputs, cotangent)
    recorded = minidl.gradients(function(*inputs, *extra, **options), inputs, cotangent, create_graph=True)
    directions = [np.random.default_rng(2).standard_normal(a.shape).astype(dtype) for a in arrays]
    along = sum((g * d).sum() for g, d in zip(recorded, directions, strict=True))
    return [y, *first, *minidl.gradients(along, inputs)] if along.requires_grad else [y, *first]


def sized(*shape):
    return RNG.standard_normal(shape)


LARGER = {  # more columns than one block has, more rows than one block adds up, rows that several blocks share
    "dense": (ops.dense, (sized(70, 5), sized(5, 67), sized(67)), (), {"activation": "tanh"}),
    "dense long": (ops.dense, (sized(1100, 2), sized(2, 18), sized(18)), (), {"activation": "relu"}),
    "dense long plain": (ops.dense, (sized(1600, 2), sized(2, 18), sized(18)), (), {"activation": None}),
    "dense of many inputs": (ops.dense, (sized(6, 300), sized(300, 16), sized(16)), (), {"activation": "sigmoid"}),
    "dense with one result": (ops.dense, (sized(9, 3), sized(3, 1), sized(1)), (), {"activation": None}),
    "loss": (ops.softmax_cross_entropy, (sized(19, 70) * 9,), (RNG.integers(0, 70, 19),), {"reduction": "mean"}),
    "loss of few classes": (ops.softmax_cross_entropy, (sized(600, 10),), (RNG.integers(0, 10, 600),), {}),
    "loss of some classes": (ops.softmax_cross_entropy, (sized(70, 20),), (RNG.integers(0, 20, 70),), {}),
    "loss long": (ops.softmax_cross_entropy, (sized(1030, 2),), (RNG.integers(0, 2, 1030),), {"reduction": "sum"}),
    "batch_norm wide": (ops.batch_norm, (sized(45, 40), sized(40), sized(40)), (), {"eps": 1e-5}),
    "batch_norm narrow": (ops.batch_norm, (sized(70, 1), sized(1), sized(1)), (), {"eps": 1e-3}),
}
