"""From a model, its loss and a batch to the instructions of one training step.

Forward each layer adds its instructions and leaves behind a function that adds those of its way back: a tape of
instructions instead of values. What is not known here is refused by name, and the step stays eager.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ..deposit import slot_of
from ..errors import UnsupportedError
from ..nn._activation import Activation
from .program import Buffer, Instruction, Program

Back = Callable[[Buffer], Buffer]  # the gradient behind a layer -> that before it


class Lowering:
    """The instructions of one training step, as they are written down."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.instructions: list[Instruction] = []
        self._count = 0

    def emit(self, op: str, shape: tuple[int, ...], *args: Buffer, **options: Any) -> Buffer:
        """Add an instruction with one result, a new work buffer."""
        return self.emit_to(op, (self.work(shape),), args, **options)[0]

    def emit_to(self, op: str, out: tuple[Buffer, ...], args: tuple[Buffer, ...], **options: Any) -> tuple[Buffer, ...]:
        """Add an instruction that writes to these buffers."""
        self.instructions.append(Instruction(op, out, args, options))
        return out

    def work(self, shape: tuple[int, ...], dtype: Any = None) -> Buffer:
        """A new work buffer."""
        self._count += 1
        return Buffer(f"b{self._count}", shape, self.dtype if dtype is None else dtype)

    def held(self, name: str, kind: str, array: Any) -> Buffer:
        """A buffer that lives in the model or the optimizer."""
        return Buffer(name, array.shape, array.dtype, kind, array)


def lower(model: nn.Module, loss: Any, batch: int, features: int, labels: Any) -> Program:
    """The program of one step: `batch` samples of `features` numbers, `labels` their dtype.

    Raises `UnsupportedError`, naming it, for a layer or loss that has no instructions.
    """
    if loss is not nn.softmax_cross_entropy:
        raise UnsupportedError(f"compile: no instructions for the loss {getattr(loss, '__name__', loss)!r}")
    layers = _flattened(model)
    names = {id(p): name for name, p in model.named_parameters()}
    dtype = model.parameters()[0].dtype if model.parameters() else np.float32
    code = Lowering(dtype)
    x = Buffer("x", (batch, features), code.dtype, "batch")
    y = Buffer("labels", (batch,), labels, "batch")
    backs: list[Back] = []
    value = x
    for layer in layers:
        for kind, rule in _RULES.items():
            if type(layer) is kind or (kind is Activation and _is_activation(layer)):
                value, back = rule(code, layer, value, names)
                backs.append(back)
                break
        else:
            raise UnsupportedError(f"compile: no instructions for the layer {layer!r}")
    if len(value.shape) != 2:
        raise UnsupportedError(f"compile: the model's output has shape {value.shape}, not (batch, classes)")
    mean, right, g = Buffer("loss", (), code.dtype), Buffer("right", (), np.int64), code.work(value.shape)
    code.emit_to("softmax_cross_entropy", (mean, right, g), (value, y))
    for back in reversed(backs):
        g = back(g)
    gradients = [b for step in code.instructions for b in step.out if b.kind == "gradient"]
    if len({b.name for b in gradients}) < len(gradients):
        raise UnsupportedError("compile: a parameter is used by two layers")
    code.emit_to("update", (), tuple(gradients))
    program = Program(code.instructions)
    program.note("lowered")
    return program


def _flattened(module: Any) -> list[Any]:
    """The layers of a `Sequential`, those of the Sequentials in it included. Raises `UnsupportedError`."""
    if type(module) is not nn.Sequential:
        raise UnsupportedError(f"compile: the model is a {type(module).__name__}, not a Sequential of minidl's layers")
    return [m for layer in module for m in (_flattened(layer) if type(layer) is nn.Sequential else [layer])]


def _is_activation(layer: Any) -> bool:
    return isinstance(layer, Activation) and type(layer).forward is Activation.forward


def _parameter(code: Lowering, p: Any, names: dict[int, str]) -> Buffer:
    if p.data.dtype != code.dtype:
        raise UnsupportedError(f"compile: {names[id(p)]} is {p.data.dtype}, others are {code.dtype}")
    return code.held(names[id(p)], "parameter", p.data)


def _gradient(code: Lowering, p: Any, names: dict[int, str]) -> Buffer:
    """Where a parameter's gradient goes: the optimizer's slot, or, for one that is not to move, nowhere."""
    if not p.requires_grad:
        return code.work(p.data.shape)
    slot = slot_of(p)
    if slot is None:
        raise UnsupportedError(f"compile: {names[id(p)]} requires a gradient, but the optimizer does not hold it")
    return code.held(f"d_{names[id(p)]}", "gradient", slot)


def _dense(code: Lowering, layer: Any, x: Buffer, names: dict[int, str]) -> tuple[Buffer, Back]:
    if len(x.shape) != 2 or x.shape[1] != layer.in_features:
        raise UnsupportedError(f"compile: {layer!r} cannot take {x.shape}")
    batch, width = x.shape[0], layer.out_features
    weight = _parameter(code, layer.weight, names)
    y = code.emit("matmul", (batch, width), x, weight)
    if layer.bias is not None:
        y = code.emit("add_bias", (batch, width), y, _parameter(code, layer.bias, names))

    def back(g: Buffer) -> Buffer:
        before = code.emit(
            "matmul", x.shape, g, weight, transposed=True
        )  # first: the weight may move with its gradient
        code.emit_to("weight_gradient", (_gradient(code, layer.weight, names),), (x, g))
        if layer.bias is not None:
            code.emit_to("sum_rows", (_gradient(code, layer.bias, names),), (g,))
        return before

    return y, back


def _activation(code: Lowering, layer: Any, x: Buffer, names: dict[int, str]) -> tuple[Buffer, Back]:
    y = code.emit("activate", x.shape, x, name=layer.name)
    return y, lambda g: code.emit("activation_back", x.shape, g, y, name=layer.name)


def _batch_norm(code: Lowering, layer: Any, x: Buffer, names: dict[int, str]) -> tuple[Buffer, Back]:
    if len(x.shape) != 2 or x.shape[1] != layer.num_features or x.shape[0] < 2:
        raise UnsupportedError(f"compile: {layer!r} cannot take {x.shape} in training")
    row = (layer.num_features,)
    gamma, beta = _parameter(code, layer.gamma, names), _parameter(code, layer.beta, names)
    y, x_hat = code.work(x.shape), code.work(x.shape)
    inverse, mean, squares = code.work(row), code.work(row), code.work(row)
    code.emit_to("batch_norm", (y, x_hat, inverse, mean, squares), (x, gamma, beta), eps=layer.eps)
    running = [code.held(n, "statistic", getattr(layer, n).data) for n in ("running_mean", "running_var")]
    code.emit_to("follow", tuple(running), (mean, squares), momentum=layer.momentum, batch=x.shape[0])

    def back(g: Buffer) -> Buffer:
        d_gamma, d_beta = _gradient(code, layer.gamma, names), _gradient(code, layer.beta, names)
        code.emit_to("batch_norm_sums", (d_gamma, d_beta), (g, x_hat))
        return code.emit("batch_norm_back", x.shape, g, x_hat, inverse, gamma, d_gamma, d_beta)

    return y, back


def _dropout(code: Lowering, layer: Any, x: Buffer, names: dict[int, str]) -> tuple[Buffer, Back]:
    if layer.rate == 0:
        return x, lambda g: g
    mask = code.emit("dropout_mask", x.shape, rate=layer.rate)
    return code.emit("multiply", x.shape, x, mask), lambda g: code.emit("multiply", x.shape, g, mask)


def _flatten(code: Lowering, layer: Any, x: Buffer, names: dict[int, str]) -> tuple[Buffer, Back]:
    return x, lambda g: g  # batches are (B, D) already


_RULES: dict[type, Callable[..., tuple[Buffer, Back]]] = {
    nn.Dense: _dense,
    Activation: _activation,
    nn.BatchNorm: _batch_norm,
    nn.Dropout: _dropout,
    nn.Flatten: _flatten,
}
