"""From a model, its loss and a batch to the instructions of one training step.

Forward, each layer adds its instructions and returns a function that adds those of its backward
pass: a tape of instructions instead of values. What is not known here is refused by name, and the
step stays eager.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ..deposit import slot_of
from ..errors import UnsupportedError
from ..nn._activation import Activation
from .program import Buffer, Instruction, Program

Back = Callable[[Buffer], Buffer]  # the gradient of a layer's output -> that of its input


class Lowering:
    """Collects the instructions of one training step of `model`."""

    def __init__(self, model: nn.Module) -> None:
        parameters = model.parameters()
        self.dtype = np.dtype(parameters[0].dtype if parameters else np.float32)
        self.instructions: list[Instruction] = []
        self._names = {id(p): name for name, p in model.named_parameters()}
        self._count = 0

    def emit(self, op: str, shape: tuple[int, ...], *args: Buffer, **options: Any) -> Buffer:
        """Add an instruction with one result, which is a new work buffer."""
        out = self.work(shape)
        self.emit_to(op, (out,), args, **options)
        return out

    def emit_to(
        self, op: str, out: tuple[Buffer, ...], args: tuple[Buffer, ...], **options: Any
    ) -> None:
        """Add an instruction that writes to these buffers."""
        self.instructions.append(Instruction(op, out, args, options))

    def work(self, shape: tuple[int, ...]) -> Buffer:
        """A new work buffer."""
        self._count += 1
        return Buffer(f"b{self._count}", shape, self.dtype)

    def held(self, name: str, kind: str, array: Any) -> Buffer:
        """A buffer that lives in the model or the optimizer."""
        return Buffer(name, array.shape, array.dtype, kind, array)

    def parameter(self, p: Any) -> Buffer:
        """A parameter's values. Raises `UnsupportedError` if its dtype is not the others'."""
        name = self._names[id(p)]
        if p.data.dtype != self.dtype:
            raise UnsupportedError(f"compile: {name} is {p.data.dtype}, others are {self.dtype}")
        return self.held(name, "parameter", p.data)

    def gradient(self, p: Any) -> Buffer:
        """Where a parameter's gradient goes: the optimizer's vector.

        A frozen parameter's goes to a work buffer that nobody reads. Raises `UnsupportedError` if
        the optimizer does not know the parameter.
        """
        name = self._names[id(p)]
        if not p.requires_grad:
            return self.work(p.data.shape)
        slot = slot_of(p)
        if slot is None:
            raise UnsupportedError(
                f"compile: {name} requires a gradient, but the optimizer does not hold it"
            )
        return self.held(f"d_{name}", "gradient", slot)


def lower(model: nn.Module, loss: Any, batch: int, features: int, labels: Any) -> Program:
    """The program of one step: `batch` samples of `features` numbers, `labels` their dtype.

    Raises `UnsupportedError`, naming it, for a layer or loss that has no instructions.
    """
    if loss is not nn.softmax_cross_entropy:
        name = getattr(loss, "__name__", loss)
        raise UnsupportedError(f"compile: no instructions for the loss {name!r}")
    layers = _flattened(model)
    code = Lowering(model)
    x = Buffer("x", (batch, features), code.dtype, "batch")
    y = Buffer("labels", (batch,), labels, "batch")
    backs: list[Back] = []
    value = x
    for layer in layers:
        value, back = _rule(layer)(code, layer, value)
        backs.append(back)
    if len(value.shape) != 2:
        shape = value.shape
        raise UnsupportedError(
            f"compile: the model's output has shape {shape}, not (batch, classes)"
        )
    mean, right = Buffer("loss", (), code.dtype), Buffer("right", (), np.int64)
    # One instruction for the loss and its gradient, which are made of the same exponentials.
    g = code.work(value.shape)
    code.emit_to("softmax_cross_entropy", (mean, right, g), (value, y))
    for back in reversed(backs):
        g = back(g)
    # An instruction writes a gradient, it does not add to one: a second use would undo the first.
    gradients = [b for step in code.instructions for b in step.out if b.kind == "gradient"]
    if len({b.name for b in gradients}) < len(gradients):
        raise UnsupportedError("compile: a parameter is used by two layers")
    # The update is the optimizer's; here it says that the gradients are read.
    code.emit_to("update", (), tuple(gradients))
    program = Program(code.instructions, results=(mean, right))
    program.note("lowered")
    return program


def _flattened(module: Any) -> list[Any]:
    """The layers of a `Sequential` and of those in it. Raises `UnsupportedError`."""
    if type(module) is not nn.Sequential:
        kind = type(module).__name__
        raise UnsupportedError(
            f"compile: the model is a {kind}, not a Sequential of minidl's layers"
        )
    layers: list[Any] = []
    for layer in module:
        layers += _flattened(layer) if type(layer) is nn.Sequential else [layer]
    return layers


def _rule(layer: Any) -> "Rule":
    """What adds a layer's instructions. Raises `UnsupportedError` if nothing does.

    A subclass is a layer of its own, but for activations, whose `forward` is the base class's.
    """
    if isinstance(layer, Activation) and type(layer).forward is Activation.forward:
        return _activation
    if type(layer) not in _RULES:
        raise UnsupportedError(f"compile: no instructions for the layer {layer!r}")
    return _RULES[type(layer)]


def _dense(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    if len(x.shape) != 2 or x.shape[1] != layer.in_features:
        raise UnsupportedError(f"compile: {layer!r} cannot take {x.shape}")
    shape = x.shape[0], layer.out_features
    weight = code.parameter(layer.weight)
    y = code.emit("matmul", shape, x, weight)
    if layer.bias is not None:
        y = code.emit("add_bias", shape, y, code.parameter(layer.bias))

    def back(g: Buffer) -> Buffer:
        # The input's gradient first: a weight may be updated together with its own.
        dx = code.emit("matmul", x.shape, g, weight, transposed=True)
        code.emit_to("weight_gradient", (code.gradient(layer.weight),), (x, g))
        if layer.bias is not None:
            code.emit_to("sum_rows", (code.gradient(layer.bias),), (g,))
        return dx

    return y, back


def _activation(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    y = code.emit("activate", x.shape, x, name=layer.name)

    def back(g: Buffer) -> Buffer:
        return code.emit("activation_back", x.shape, g, y, name=layer.name)

    return y, back


def _batch_norm(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    if len(x.shape) != 2 or x.shape[1] != layer.num_features or x.shape[0] < 2:
        raise UnsupportedError(f"compile: {layer!r} cannot take {x.shape} in training")
    features = (layer.num_features,)
    gamma, beta = code.parameter(layer.gamma), code.parameter(layer.beta)
    y, x_hat = code.work(x.shape), code.work(x.shape)
    inverse, mean, squares = code.work(features), code.work(features), code.work(features)
    results = (y, x_hat, inverse, mean, squares)
    code.emit_to("batch_norm", results, (x, gamma, beta), eps=layer.eps)
    running_mean = code.held("running_mean", "statistic", layer.running_mean.data)
    running_var = code.held("running_var", "statistic", layer.running_var.data)
    options = {"momentum": layer.momentum, "batch": x.shape[0]}
    code.emit_to("running_statistics", (running_mean, running_var), (mean, squares), **options)

    def back(g: Buffer) -> Buffer:
        d_gamma, d_beta = code.gradient(layer.gamma), code.gradient(layer.beta)
        code.emit_to("batch_norm_sums", (d_gamma, d_beta), (g, x_hat))
        operands = (g, x_hat, inverse, gamma, d_gamma, d_beta)
        return code.emit("batch_norm_back", x.shape, *operands)

    return y, back


def _dropout(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    if layer.rate == 0:
        return x, lambda g: g
    mask = code.emit("dropout_mask", x.shape, rate=layer.rate)
    y = code.emit("multiply", x.shape, x, mask)
    return y, lambda g: code.emit("multiply", x.shape, g, mask)


def _flatten(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    return x, lambda g: g  # batches are (B, D) already


Rule = Callable[[Lowering, Any, Buffer], tuple[Buffer, Back]]
_RULES: dict[type, Rule] = {
    nn.Dense: _dense,
    nn.BatchNorm: _batch_norm,
    nn.Dropout: _dropout,
    nn.Flatten: _flatten,
}
