"""A program carried out by NumPy: each instruction is a few calls on arrays that have been looked up beforehand."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backend import generator
from ..hardware.threads import both
from ..kernels import primitives, products
from .program import Array, Instruction, Program

Call = Callable[[], Any]


def allocate(program: Program) -> None:
    """Give every work buffer and batch buffer its array; the work buffers share one piece of memory."""
    room = np.zeros(program.memory + 64, np.uint8)
    start = -room.ctypes.data % 64
    for buffer in program.buffers("work", "batch"):
        if buffer.kind == "batch":
            buffer.array = np.zeros(buffer.shape, buffer.dtype)
        else:
            piece = room[start + buffer.offset :][: buffer.bytes]
            buffer.array = piece.view(buffer.dtype).reshape(buffer.shape)


class Replay:
    """`forward` and `backward` run a program's instructions up to its loss, and from there to the gradients.

    All but the last product of the way back, if that is a large weight's gradient: `last` is what makes the halves of
    its rows, where they are cut, and the gradient, so that the optimizer may follow each half with its update at once.
    """

    def __init__(self, program: Program) -> None:
        steps = [step for step in program.instructions if step.op != "update"]
        self.last = _last(steps)
        calls: list[Call] = []
        while steps:
            step = steps.pop(0)
            if self.last is not None and step.out[0].array is self.last[3]:
                continue
            if steps and _independent(step, steps[0]):
                calls.append(partial(both, _alone(step), _alone(steps.pop(0))))
            else:
                calls += _BIND[step.op]([b.array for b in step.out], [b.array for b in step.args], **step.options)
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


def _last(steps: Sequence[Instruction]) -> tuple[Call, Call, int, Array] | None:
    step = next((step for step in reversed(steps) if step.op in _OPERANDS), None)
    if step is None or step.op != "weight_gradient" or step.out[0].kind != "gradient" or step.flops < products.WORTH:
        return None
    parts = products.halves(*_OPERANDS[step.op](step), step.out[0].array)
    return None if parts is None or parts.side != "rows" else (parts.first, parts.second, parts.at, step.out[0].array)


def _independent(step: Instruction, following: Instruction) -> bool:
    """Whether these are the two products of a layer's way back, and large enough for two threads to make one each."""
    ops = step.op, following.op
    same = ops == ("matmul", "weight_gradient") and step.args[0] is following.args[1]
    return same and min(step.flops, following.flops) >= products.SPLIT


def _alone(step: Instruction) -> Call:
    return products.alone(*_OPERANDS[step.op](step), step.out[0].array)


def _factors(step: Instruction) -> tuple[Array, Array]:
    a, b = (buffer.array for buffer in step.args)
    return a, b.T if step.options.get("transposed") else b


_OPERANDS: dict[str, Callable[[Instruction], tuple[Array, Array]]] = {
    "matmul": _factors,
    "weight_gradient": lambda step: (step.args[0].array.T, step.args[1].array),
}


def _matmul(out: list[Array], args: list[Array], transposed: bool = False) -> list[Call]:
    a, b = args
    return [products.product(a, b.T if transposed else b, out[0])]


def _weight_gradient(out: list[Array], args: list[Array]) -> list[Call]:
    x, d = args
    return [partial(primitives.weight_gradient, x, d, *out) if len(x) == 1 else products.product(x.T, d, *out)]


def _bias_activate(out: list[Array], args: list[Array], name: str) -> list[Call]:
    return [partial(np.add, *args, *out), *_activate(out, out, name)]


def _activate(out: list[Array], args: list[Array], name: str) -> list[Call]:
    if name == "relu":
        zeros = np.zeros(out[0].shape, out[0].dtype)  # with a single zero NumPy takes two to four times as long
        return [partial(np.maximum, *args, zeros, out=out[0])]
    return [partial(primitives.activate, args[0], name, out[0])]


def _activation_back(out: list[Array], args: list[Array], name: str) -> list[Call]:
    g, y = args
    if name != "relu":
        return [partial(primitives.activation_back, g, y, name, *out)]
    positive = np.empty(y.shape, bool)
    return [partial(np.greater, y, np.zeros((), y.dtype), positive), partial(np.multiply, g, positive, *out)]


def _sum_rows(out: list[Array], args: list[Array]) -> list[Call]:
    return [partial(np.matmul, primitives.ones(len(args[0]), args[0].dtype), *args, *out)]


def _softmax_cross_entropy(out: list[Array], args: list[Array]) -> list[Call]:
    loss, right, d = out
    logits, labels = args
    count = d.dtype.type(len(d))
    ones = primitives.ones(len(d), d.dtype)
    share = d.dtype.type(1) / count
    room = primitives.LossRoom(len(d), d.shape[1], d.dtype)

    def run() -> None:
        primitives.softmax_cross_entropy(logits, labels, room)
        loss[...] = room.losses.dot(ones) / count
        # a label is right if its logit is the largest; the search for the first of several is slower, and seldom needed
        alone = room.p.size - np.count_nonzero(room.p) == len(d)
        right[...] = len(d) - np.count_nonzero(room.picked if alone else logits.argmax(axis=1) - labels)
        primitives.softmax_cross_entropy_back(room.e, room.total, room.own, share, d, room.p)

    return [run]


def _batch_norm(out: list[Array], args: list[Array], eps: float) -> list[Call]:
    y, x_hat, *small = out

    def run() -> None:
        found = primitives.batch_norm(args[0], args[1], args[2], eps, y, x_hat)
        for array, value in zip(small, found[2:], strict=True):
            array[...] = value

    return [run]


def _follow(out: list[Array], args: list[Array], momentum: float, batch: int) -> list[Call]:
    (mean, variance), (batch_mean, squares) = out, args
    degrees = squares.dtype.type(batch - 1)

    def run() -> None:
        primitives.follow(mean, batch_mean, momentum)
        primitives.follow(variance, squares / degrees, momentum)

    return [run]


def _batch_norm_sums(out: list[Array], args: list[Array]) -> list[Call]:
    def run() -> None:
        out[0][...], out[1][...] = primitives.batch_norm_sums(*args)

    return [run]


def _dropout_mask(out: list[Array], args: list[Array], rate: float) -> list[Call]:
    (mask,) = out
    scale = mask.dtype.type(1 / (1 - rate))

    def run() -> None:
        kept = generator("dropout").random(mask.shape, dtype=np.float32) >= rate
        np.multiply(kept, scale, out=mask)

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
    "batch_norm": _batch_norm,
    "follow": _follow,
    "batch_norm_sums": _batch_norm_sums,
    "batch_norm_back": lambda out, args: [partial(primitives.batch_norm_back, *args, *out)],
    "dropout_mask": _dropout_mask,
    "multiply": lambda out, args: [partial(np.multiply, *args, *out)],
}
