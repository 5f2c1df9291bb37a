"""From a model, its loss and a batch to the instructions of one training step.

Forward, each layer adds its instructions and returns a function that adds those of its backward
pass: a tape of instructions instead of values. What is not known here is refused by name, and the
step stays eager.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn, ops
from ..deposit import slot_of
from ..errors import UnsupportedError
from ..nn._activation import Activation
from ..nn._shared_batch import SharedStep
from . import op_rules
from .emitter import Emitter
from .program import Buffer, Program
from .shared import exchange

Back = Callable[[Buffer], Buffer]  # the gradient of a layer's output -> that of its input


class Lowering(Emitter):
    """Collects the instructions of one training step of `model`."""

    def __init__(self, model: nn.Module, shared: SharedStep | None = None) -> None:
        super().__init__()
        self.shared = None if shared is None else shared.batch
        parameters = model.parameters()
        self.dtype = np.dtype(parameters[0].dtype if parameters else np.float32)
        self._names = {id(p): name for name, p in model.named_parameters()}

    def held(self, name: str, kind: str, array: Any) -> Buffer:
        """A buffer that lives in the model or the optimizer."""
        return Buffer(name, array.shape, array.dtype, kind, array)

    def parameter(self, p: Any) -> Buffer:
        """A parameter's values. Raises `UnsupportedError` if its dtype is not the others'."""
        name = self._names[id(p)]
        if p.data.dtype != self.dtype:
            raise UnsupportedError(f"compile: {name} is {p.data.dtype}, others are {self.dtype}")
        return self.held(name, "parameter", p.data)

    def deposit(self, p: Any, gradient: Buffer) -> None:
        """Copy a parameter's gradient to the optimizer's vector, if the parameter requires one.

        The copy goes again in a pass, which lets the gradient be made there. Raises
        `UnsupportedError` if the optimizer does not know the parameter.
        """
        if not p.requires_grad:
            return
        name, slot = self._names[id(p)], slot_of(p)
        if slot is None:
            raise UnsupportedError(
                f"compile: {name} requires a gradient, but the optimizer does not hold it"
            )
        self.emit_to("copy", (self.held(f"d_{name}", "gradient", slot),), (gradient,))


def lower(
    model: nn.Module,
    loss: Any,
    batch: int,
    features: int,
    labels: Any,
    shared: SharedStep | None = None,
) -> Program:
    """The program of one step: `batch` samples of `features` numbers, `labels` their dtype.

    `shared`: the batch of which these samples are a part; None if they are all of it.

    Raises `UnsupportedError`, naming it, for a layer or loss that has no instructions.
    """
    if loss is not nn.softmax_cross_entropy:
        name = getattr(loss, "__name__", loss)
        raise UnsupportedError(f"compile: no instructions for the loss {name!r}")
    layers = _flattened(model)
    code = Lowering(model, shared)
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
    g = code.work(value.shape, code.dtype)
    share = {} if shared is None else {"share": shared.batch.share}
    code.emit_to("softmax_cross_entropy", (mean, right, g), (value, y), **share)
    for back in reversed(backs):
        g = back(g)
    # An instruction writes a gradient, it does not add to one: a second use would undo the first.
    gradients = [b for step in code.instructions for b in step.out if b.kind == "gradient"]
    if len({b.name for b in gradients}) < len(gradients):
        raise UnsupportedError("compile: a parameter is used by two layers")
    if shared is not None:
        exchange(code, shared, mean, right, gradients)
    # The update is the optimizer's; here it says that the gradients are read.
    code.emit_to("update", (), tuple(gradients))
    program = Program(code.instructions, results=(mean, right))
    program.note("lowered")
    return program


def ops_of(model: nn.Module) -> list[Any]:
    """The ops that the instructions of a step stand for, beside those of the activations."""
    kinds = dict.fromkeys(type(module) for _, module in model.named_modules())
    return [ops.softmax_cross_entropy, *(_OPS[kind] for kind in kinds if kind in _OPS)]


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
        name = getattr(layer, "__name__", type(layer).__name__)
        raise UnsupportedError(f"compile: no instructions for the layer {name}")
    return _RULES[type(layer)]


def _dense(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    if len(x.shape) != 2 or x.shape[1] != layer.in_features:
        raise UnsupportedError(f"compile: {layer!r} cannot take {x.shape}")
    weight = code.parameter(layer.weight)
    bias = None if layer.bias is None else code.parameter(layer.bias)
    y, _ = op_rules.dense(code, x, weight, bias, None)

    def back(g: Buffer) -> Buffer:
        wanted = [0, 1] if bias is None else [0, 1, 2]
        dx, *made = op_rules.dense_back(code, g, y, None, wanted, x, weight, bias, None)
        for p, gradient in zip((layer.weight, layer.bias), made, strict=False):
            code.deposit(p, gradient)
        return dx

    return y, back


def _activation(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    y = op_rules.activate(code, x, layer.name)
    return y, lambda g: op_rules.activate_back(code, g, y, layer.name)


def _batch_norm(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    shared = code.shared if layer.sync else None
    total = x.shape[0] if shared is None else shared.total
    if len(x.shape) != 2 or x.shape[1] != layer.num_features or total < 2:
        raise UnsupportedError(f"compile: {layer!r} cannot take {x.shape} in training")
    rules: Any = op_rules.batch_norm, op_rules.follow, op_rules.batch_norm_back
    operands: Any = (x, code.parameter(layer.gamma), code.parameter(layer.beta), layer.eps)
    if shared is not None:
        rules = op_rules.shared_norm, op_rules.shared_follow, op_rules.shared_norm_back
        operands = (*operands, shared, None)
    norm, follow, norm_back = rules
    y, kept = norm(code, *operands)
    running = (
        code.held("running_mean", "statistic", layer.running_mean.data),
        code.held("running_var", "statistic", layer.running_var.data),
    )
    follow(code, running, kept, layer.momentum)

    def back(g: Buffer) -> Buffer:
        dx, d_gamma, d_beta = norm_back(code, g, y, kept, [0, 1, 2], *operands)
        code.deposit(layer.gamma, d_gamma)
        code.deposit(layer.beta, d_beta)
        return dx

    return y, back


def _dropout(code: Lowering, layer: Any, x: Buffer) -> tuple[Buffer, Back]:
    if layer.rate == 0:
        return x, lambda g: g
    mask = code.work(x.shape, x.dtype)
    shared = {} if code.shared is None else {"shared": code.shared}
    code.emit_to("dropout_mask", (mask,), (), rate=layer.rate, **shared)
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
_OPS: dict[type, Any] = {
    nn.Dense: ops.dense,
    nn.BatchNorm: ops.batch_norm,
    nn.Dropout: ops.multiply,
}
