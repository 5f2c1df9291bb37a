"""A program executed by NumPy: each instruction is a few calls, bound to arrays beforehand."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from ..hardware.threads import both
from ..kernels import primitives, products
from ..nn._dropout import uniform
from .program import Buffer, Instruction, Program, filled

Call = Callable[[], Any]


def allocate(program: Program) -> None:
    """Give every work buffer and batch buffer its array; work buffers share one piece of memory."""
    memory = np.zeros(program.memory + 64, np.uint8)
    start = -memory.ctypes.data % 64  # the first cache line
    for buffer in dict.fromkeys(b.home for b in program.buffers("batch")):
        buffer.array = _array_in(np.zeros(buffer.bytes, np.uint8), 0, buffer)
    for buffer in program.buffers("work"):
        if buffer.array is None:
            buffer.array = _array_in(memory, start + buffer.home.offset + buffer.start, buffer)
    for buffer in program.buffers():
        if buffer.root is not None and buffer.kind != "work":
            whole = buffer.root.array.ravel(order="K").view(np.uint8)
            buffer.array = _array_in(whole, buffer.start, buffer)


def _array_in(memory: Array, start: int, buffer: Buffer) -> Array:
    """The array of a buffer, which begins at byte `start` of `memory`."""
    return np.ndarray(buffer.shape, buffer.dtype, memory, start, buffer.strides)


class LastProduct(NamedTuple):
    """The last weight gradient in two halves of its rows, as `step_overlapped` takes it."""

    first: Call
    second: Call
    at: int  # the row where the halves meet
    gradient: Array


class NumpyExecutor:
    """`forward` executes a program up to its loss, `backward` from there to the gradients.

    If the last weight gradient is large, it is not computed in `backward`: `last` holds its two
    halves, so that each thread updates its half of the weight while that is in its cache.
    """

    def __init__(self, program: Program) -> None:
        steps = [step for step in program.instructions if step.op != "update"]
        self.last = _last_product(steps)
        calls: list[Call] = []
        while steps:
            step = steps.pop(0)
            if self.last is not None and step.out[0].array is self.last.gradient:
                continue
            # A layer's two products read the same gradient, and neither the other's result.
            if steps and _independent(step, steps[0]):
                calls.append(partial(both, _on_one_thread(step), _on_one_thread(steps.pop(0))))
            else:
                calls += calls_of(step)
            # With the loss, the forward pass ends.
            if step.op == "softmax_cross_entropy":
                self._forward, calls = calls, []
        self._backward = calls

    def forward(self) -> None:
        """From the batch to the loss (and the gradient of the logits)."""
        for call in self._forward:
            call()

    def backward(self) -> None:
        """From the gradient of the logits to those of the parameters."""
        for call in self._backward:
            call()


def calls_of(step: Instruction) -> list[Call]:
    """An instruction as calls that are bound to its arrays."""
    out, args = [b.array for b in step.out], [b.array for b in step.args]
    if step.op in _BIND:
        return _BIND[step.op](out, args, **step.options)
    name, _, method = step.op.partition(".")
    call = getattr(getattr(np, name), method or "__call__")
    return [partial(call, *args, out=tuple(out) if len(out) > 1 else out[0], **step.options)]


# Matrix products on two threads


def _last_product(steps: Sequence[Instruction]) -> LastProduct | None:
    """The last product, if it is a large weight gradient that is cut between two of its rows."""
    step = next((step for step in reversed(steps) if step.op in _FACTORS), None)
    if step is None or step.op != "weight_gradient" or step.out[0].kind != "gradient":
        return None
    if step.flops < products.WORTH or any(step.op == "all_reduce" for step in steps):
        return None
    gradient = step.out[0].array
    parts = products.halves(*_factors(step), gradient)
    if parts is None or parts.side != "rows":
        return None
    return LastProduct(parts.first, parts.second, parts.at, gradient)


def _independent(step: Instruction, following: Instruction) -> bool:
    """Whether these are both products of a layer's backward pass, each worth a thread."""
    if (step.op, following.op) != ("matmul", "weight_gradient"):
        return False
    same_layer = step.args[0] is following.args[1]
    return same_layer and min(step.flops, following.flops) >= products.SPLIT


def _on_one_thread(step: Instruction) -> Call:
    return products.alone(*_factors(step), step.out[0].array)


def _factors(step: Instruction) -> tuple[Array, Array]:
    return _FACTORS[step.op](*(buffer.array for buffer in step.args), **step.options)


# The two matrices that each kind of product multiplies, of its arguments
_FACTORS: dict[str, Callable[..., tuple[Array, Array]]] = {
    "matmul": lambda a, b, transposed=False: (a, b.T if transposed else b),
    "weight_gradient": lambda x, d: (x.T, d),
}


# What each instruction is: functions of its arrays that return calls


def _matmul(out: list[Array], args: list[Array], transposed: bool = False) -> list[Call]:
    return [products.product(*_FACTORS["matmul"](*args, transposed), out[0])]


def _weight_gradient(out: list[Array], args: list[Array]) -> list[Call]:
    x, d = args
    if len(x) == 1:
        return [partial(primitives.weight_gradient, x, d, *out)]
    return [products.product(*_FACTORS["weight_gradient"](x, d), *out)]


def _bias_activate(out: list[Array], args: list[Array], name: str) -> list[Call]:
    return [partial(np.add, *args, *out), *_activate(out, out, name)]


def _activate(out: list[Array], args: list[Array], name: str) -> list[Call]:
    if name == "relu":
        # An array of zeros: with a single zero NumPy takes two to four times as long.
        zeros = np.zeros(out[0].shape, out[0].dtype)
        return [partial(np.maximum, *args, zeros, out=out[0])]
    return [partial(primitives.activate, args[0], name, out[0])]


def _activation_back(out: list[Array], args: list[Array], name: str) -> list[Call]:
    g, y = args
    if name != "relu":
        return [partial(primitives.activation_back, g, y, name, *out)]
    positive = np.empty(y.shape, bool)
    return [
        partial(np.greater, y, np.zeros((), y.dtype), positive),
        partial(np.multiply, g, positive, *out),
    ]


def _sum_rows(out: list[Array], args: list[Array]) -> list[Call]:
    ones = primitives.ones(len(args[0]), args[0].dtype)
    return [partial(np.matmul, ones, *args, *out)]


def _softmax_cross_entropy(out: list[Array], args: list[Array], share: float = 1.0) -> list[Call]:
    loss, right, d = out
    logits, labels = args
    rows = len(d)
    count = d.dtype.type(rows)
    ones = primitives.ones(rows, d.dtype)
    weight = d.dtype.type(share) / count
    scratch = primitives.LossScratch(rows, d.shape[1], d.dtype)

    def run() -> None:
        primitives.softmax_cross_entropy(logits, labels, scratch)
        loss[...] = scratch.losses.dot(ones) / count
        # An answer is correct if the label's logit is the largest, which `picked` says by a zero.
        # If a row has several largest ones, the first counts: argmax is slower, and seldom needed.
        one_largest = scratch.p.size - np.count_nonzero(scratch.p) == rows
        wrong = scratch.picked if one_largest else logits.argmax(axis=1) - labels
        right[...] = rows - np.count_nonzero(wrong)
        e, total, label_index = scratch.e, scratch.total, scratch.label_index
        primitives.softmax_cross_entropy_back(e, total, label_index, weight, d, scratch.p)

    return [run]


def _cross_entropies(out: list[Array], args: list[Array]) -> list[Call]:
    losses, e, total = out

    def run() -> None:
        scratch = primitives.softmax_cross_entropy(*args)
        losses[...], e[...], total[...] = scratch.losses, scratch.e, scratch.total

    return [run]


def _cross_entropies_back(out: list[Array], args: list[Array]) -> list[Call]:
    e, total, labels, g = args
    rows = len(total)
    firsts = primitives.firsts(len(e), rows), primitives.firsts(rows, 1)

    def run() -> None:
        places = firsts[0].take(labels, mode="clip") + firsts[1]
        primitives.softmax_cross_entropy_back(e, total, places, g, *out)

    return [run]


def _batch_norm(out: list[Array], args: list[Array], eps: float) -> list[Call]:
    y, x_hat, *statistics = out
    x, gamma, beta = args

    def run() -> None:
        _, _, *values = primitives.batch_norm(x, gamma, beta, eps, y, x_hat)
        for array, value in zip(statistics, values, strict=True):
            array[...] = value

    return [run]


def _running_statistics(
    out: list[Array], args: list[Array], momentum: float, batch: int
) -> list[Call]:
    (mean, variance), (batch_mean, squares) = out, args
    degrees = squares.dtype.type(batch - 1)

    def run() -> None:
        primitives.update_running(mean, batch_mean, momentum)
        primitives.update_running(variance, squares / degrees, momentum)

    return [run]


def _batch_norm_sums(out: list[Array], args: list[Array]) -> list[Call]:
    def run() -> None:
        out[0][...], out[1][...] = primitives.batch_norm_sums(*args)

    return [run]


def _shared_norm_parts(out: list[Array], args: list[Array], process: int) -> list[Call]:
    (x_hat, parts), (x,) = out, args
    return [partial(primitives.shared_norm_parts, x, parts, process, x_hat)]


def _shared_norm(
    out: list[Array], args: list[Array], eps: float, process: int, rows: list[int]
) -> list[Call]:
    y, _, *statistics = out
    x_hat, parts, gamma, beta = args

    def run() -> None:
        found = primitives.shared_norm(x_hat, parts, gamma, beta, eps, process, rows, y)
        for array, value in zip(statistics, found[1:], strict=True):
            array[...] = value

    return [run]


def _shared_norm_back(out: list[Array], args: list[Array], total: int) -> list[Call]:
    g, x_hat, inverse, gamma, sums = args
    operands = g, x_hat, inverse, gamma, sums[0], sums[1], out[0]
    return [partial(primitives.batch_norm_back, *operands, total=total)]


def _dropout_mask(
    out: list[Array], args: list[Array], rate: float, shared: Any = None
) -> list[Call]:
    (mask,) = out
    scale = mask.dtype.type(1 / (1 - rate))

    # Float32 whatever the model's dtype, as the layer draws: the same seed gives the same masks.
    def run() -> None:
        kept = uniform(mask.shape, shared) >= rate
        np.multiply(kept, scale, out=mask)

    return [run]


def _enclose(out: list[Array], args: list[Array], share: float) -> list[Call]:
    (tail,), (loss, right) = out, args

    def run() -> None:
        tail[0], tail[2] = loss * loss.dtype.type(share), right

    return [run]


def _totals(out: list[Array], args: list[Array]) -> list[Call]:
    (loss, right), (_, tail) = out, args

    def run() -> None:
        loss[...], right[...] = tail[0], np.rint(tail[2])

    return [run]


def _copy(out: list[Array], args: list[Array]) -> list[Call]:
    return [partial(np.copyto, out[0], args[0], casting="unsafe")]


def _call(out: list[Array], args: list[Array], function: Any, template: Any) -> list[Call]:
    positional, named = filled(template, args)

    def run() -> None:
        result = function(*positional, **named)
        for array, value in zip(
            out, result if isinstance(result, list) else [result], strict=bool(out)
        ):
            array[...] = value

    return [run]


_BIND: dict[str, Callable[..., list[Call]]] = {
    "matmul": _matmul,
    "add_bias": lambda out, args: [partial(np.add, *args, *out)],
    "bias_activate": _bias_activate,
    "activate": _activate,
    "activation_back": _activation_back,
    "weight_gradient": _weight_gradient,
    "sum_rows": _sum_rows,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "cross_entropies": _cross_entropies,
    "cross_entropies_back": _cross_entropies_back,
    "batch_norm": _batch_norm,
    "running_statistics": _running_statistics,
    "batch_norm_sums": _batch_norm_sums,
    "batch_norm_back": lambda out, args: [partial(primitives.batch_norm_back, *args, *out)],
    "copy": _copy,
    "shared_norm_parts": _shared_norm_parts,
    "shared_norm": _shared_norm,
    "shared_norm_back": _shared_norm_back,
    "stack": lambda out, args: [partial(np.stack, args, out=out[0])],
    "enclose": _enclose,
    "all_reduce": lambda out, args, by: [partial(by.sum_, *out)],
    "totals": _totals,
    "call": _call,
    "dropout_mask": _dropout_mask,
    "multiply": lambda out, args: [partial(np.multiply, *args, *out)],
}
