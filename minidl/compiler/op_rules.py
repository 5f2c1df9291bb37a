"""How the fused ops are written down: instructions of their forward, and of their gradients.

lower.py uses them for layers, tape/recorder.py for ops that are recorded. `code` collects the
instructions. Arguments are buffers, or what is no array as it is.
"""

from typing import Any

import numpy as np

from .. import ops
from ..nn._shared_batch import SharedBatch
from ..nn._shared_norm import batch_norm_across, rows_of_all
from .emitter import Emitter
from .program import Buffer

ACTIVATIONS = (None, "relu", "leaky_relu", "sigmoid", "tanh", "softplus")


def fits(op: Any, values: Any) -> bool:
    """Whether an op's arguments are such as its rule is for: matrices of one floating dtype."""
    x = values[0]
    arrays = [v for v in values if hasattr(v, "dtype")]
    if op is ops.softmax_cross_entropy:
        logits, labels, _ = values
        classes = labels.ndim == 1 and labels.dtype.kind in "iu"
        return logits.ndim == 2 and logits.dtype.kind == "f" and classes
    if op is batch_norm_across and not values[4].counts:
        return False
    same = all(a.dtype == x.dtype and a.dtype.kind == "f" for a in arrays)
    if op is ops.dense and values[3] not in ACTIVATIONS:
        return False
    return same and x.ndim == 2 and (op is not ops.dense or values[1].ndim == 2)


def activate(code: Emitter, x: Buffer, name: str) -> Buffer:
    """The activation called `name`."""
    return code.emit("activate", x.shape, x, name=name)


def activate_back(code: Emitter, g: Buffer, y: Buffer, name: str) -> Buffer:
    """The gradient of an activation's input, from that of its result y."""
    d = code.work(g.shape, g.dtype, g.strides)
    code.emit_to("activation_back", (d,), (g, y), name=name)
    return d


def dense(
    code: Emitter, x: Buffer, weight: Buffer, bias: Buffer | None, activation: str | None
) -> tuple[Buffer, None]:
    """activation(x @ weight + bias)."""
    shape = x.shape[0], weight.shape[1]
    y = code.emit("matmul", shape, x, weight)
    if bias is not None:
        y = code.emit("add_bias", shape, y, bias)
    if activation is not None:
        y = activate(code, y, activation)
    return y, None


def dense_back(
    code: Emitter,
    g: Buffer,
    y: Buffer,
    kept: None,
    wanted: list[int],
    x: Buffer,
    weight: Buffer,
    bias: Buffer | None,
    activation: str | None,
) -> list[Buffer]:
    """The gradients of x, weight and bias, as far as they are wanted."""
    if activation is not None:
        g = activate_back(code, g, y, activation)
    found = {}
    # The input's gradient first: a weight may be updated together with its own.
    if 0 in wanted:
        found[0] = code.emit("matmul", x.shape, g, weight, transposed=True)
    if 1 in wanted:
        found[1] = code.emit("weight_gradient", weight.shape, x, g)
    if 2 in wanted:
        found[2] = code.emit("sum_rows", g.shape[1:], g)
    return [found[i] for i in wanted]


def batch_norm(
    code: Emitter, x: Buffer, gamma: Buffer, beta: Buffer, eps: float
) -> tuple[Buffer, Any]:
    """gamma x̂ + beta; what is kept are x̂, 1/√(σ² + eps), the mean and the sum of squares."""
    features = x.shape[1:]
    # in memory as x is, whose sums NumPy makes in the order of memory
    y, x_hat = (code.work(x.shape, x.dtype, x.strides) for _ in range(2))
    inverse, mean, squares = (code.work(features, x.dtype) for _ in range(3))
    kept = x_hat, inverse, mean, squares
    code.emit_to("batch_norm", (y, *kept), (x, gamma, beta), eps=eps)
    return y, kept


def follow(code: Emitter, running: tuple[Buffer, Buffer], kept: Any, momentum: float) -> None:
    """The running mean and variance of a BatchNorm layer follow those of a batch."""
    x_hat, _, mean, squares = kept
    options = {"momentum": momentum, "batch": x_hat.shape[0]}
    code.emit_to("running_statistics", running, (mean, squares), **options)


def batch_norm_back(
    code: Emitter,
    g: Buffer,
    y: Buffer,
    kept: Any,
    wanted: list[int],
    x: Buffer,
    gamma: Buffer,
    beta: Buffer,
    eps: float,
) -> list[Buffer]:
    """The gradients of x, gamma and beta."""
    x_hat, inverse, *_ = kept
    d_gamma, d_beta = code.work(gamma.shape, g.dtype), code.work(beta.shape, g.dtype)
    code.emit_to("batch_norm_sums", (d_gamma, d_beta), (g, x_hat))
    found = {1: d_gamma, 2: d_beta}
    if 0 in wanted:
        operands = (g, x_hat, inverse, gamma, d_gamma, d_beta)
        found[0] = code.work(x.shape, x.dtype, x_hat.strides)
        code.emit_to("batch_norm_back", (found[0],), operands)
    return [found[i] for i in wanted]


def shared_norm(
    code: Emitter,
    x: Buffer,
    gamma: Buffer,
    beta: Buffer,
    eps: float,
    shared: SharedBatch,
    into: Any,
) -> tuple[Buffer, Any]:
    """The same over the rows of all processes; what is kept, and how many rows they have."""
    features = x.shape[1:]
    rows, total = rows_of_all(shared, x.shape[0])
    parts = code.work((len(rows), 2, *features), x.dtype)
    y, x_hat = (code.work(x.shape, x.dtype) for _ in range(2))
    inverse, mean, squares = (code.work(features, x.dtype) for _ in range(3))
    kept = x_hat, inverse, mean, squares
    own = {"process": shared.process}
    code.emit_to("shared_norm_parts", (x_hat, parts), (x,), **own)
    code.emit_to("all_reduce", (parts,), (parts,), by=shared.summing)
    code.emit_to("shared_norm", (y, *kept), (x_hat, parts, gamma, beta), eps=eps, rows=rows, **own)
    return y, (*kept, total)


def shared_follow(
    code: Emitter, running: tuple[Buffer, Buffer], kept: Any, momentum: float
) -> None:
    """The running mean and variance follow those of a batch of all processes."""
    _, _, mean, squares, total = kept
    options = {"momentum": momentum, "batch": total}
    code.emit_to("running_statistics", running, (mean, squares), **options)


def shared_norm_back(
    code: Emitter,
    g: Buffer,
    y: Buffer,
    kept: Any,
    wanted: list[int],
    x: Buffer,
    gamma: Buffer,
    beta: Buffer,
    eps: float,
    shared: SharedBatch,
    into: Any,
) -> list[Buffer]:
    """The gradients of x, and of gamma and beta what this process's rows add to them."""
    x_hat, inverse, _, _, total = kept
    d_gamma, d_beta = code.work(gamma.shape, g.dtype), code.work(beta.shape, g.dtype)
    code.emit_to("batch_norm_sums", (d_gamma, d_beta), (g, x_hat))
    found = {1: d_gamma, 2: d_beta}
    if 0 in wanted:
        sums = code.work((2, *gamma.shape), g.dtype)
        code.emit_to("stack", (sums,), (d_gamma, d_beta))
        code.emit_to("all_reduce", (sums,), (sums,), by=shared.summing)
        found[0] = code.work(x.shape, x.dtype)
        operands = g, x_hat, inverse, gamma, sums
        code.emit_to("shared_norm_back", (found[0],), operands, total=total)
    return [found[i] for i in wanted]


def softmax_cross_entropy(
    code: Emitter, logits: Buffer, labels: Buffer, reduction: str
) -> tuple[Buffer, Any]:
    """The loss; what is kept is the gradient of the logits, if it is a mean, else what it needs."""
    batch, classes = logits.shape
    if reduction == "mean":
        loss, right = code.work((), logits.dtype), code.work((), np.int64)
        d = code.work(logits.shape, logits.dtype)
        code.emit_to("softmax_cross_entropy", (loss, right, d), (logits, labels))
        return loss, d
    losses, total = (code.work((batch,), logits.dtype) for _ in range(2))
    e = code.work((classes, batch), logits.dtype)
    code.emit_to("cross_entropies", (losses, e, total), (logits, labels))
    if reduction == "none":
        return losses, (e, total)
    return code.emit("sum_rows", (), losses), (e, total)


def softmax_cross_entropy_back(
    code: Emitter, g: Buffer, y: Buffer, kept: Any, wanted: list[int], logits: Buffer, *args: Any
) -> list[Buffer]:
    """The gradient of the logits."""
    labels, reduction = args
    if reduction == "mean":
        if g.kind == "constant" and np.all(g.array == 1):
            return [kept]
        return [_weighted(code, g, kept, logits, labels)]
    e, total = kept
    d = code.work(logits.shape, logits.dtype)
    code.emit_to("cross_entropies_back", (d,), (e, total, labels, g))
    return [d]


def _weighted(code: Emitter, g: Buffer, kept: Buffer, logits: Buffer, labels: Buffer) -> Buffer:
    """(softmax - one-hot) · (g / B): `kept` times g, but rounded as the op's own gradient is."""
    steps = code.instructions
    at = next(i for i, step in enumerate(steps) if kept in step.out)
    unread = not any(kept in step.args for step in steps)
    if g.kind == "constant" and unread and "share" not in steps[at].options:
        steps[at] = steps[at]._replace(options={"share": float(g.array)})
        return kept
    batch = Buffer("batch", (), g.dtype, "constant", np.array(logits.shape[0], g.dtype))
    e, total = softmax_cross_entropy(code, logits, labels, "none")[1]
    each = code.emit("divide", (), g, batch)
    return softmax_cross_entropy_back(code, each, kept, (e, total), [0], logits, labels, "none")[0]
