"""What each layer is in ONNX: one function a layer, which adds its nodes to a `Graph` and returns the result's name."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn, ops
from ..backend import to_numpy
from ..errors import UnsupportedError
from ..overrides import HOOKS, overridden

Node = tuple[str, tuple[str, ...], str, dict[str, Any]]  # an ONNX operator, its inputs, its output, its attributes


class Graph:
    """Nodes in the order of computation, and the constants that they use, by name; all floats are of one `dtype`."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self._named: dict[int, tuple[str, Any]] = {}  # a constant's name, by the identity of its value, kept alive

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """One more node; returns the name of what it computes."""
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append((operator, inputs, output, attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        """A constant called `name`, or as it was called when this very `value` was first given."""
        first, _ = self._named.setdefault(id(value), (name, value))
        if first not in self.constants:
            self.constants[first] = np.asarray(to_numpy(value), self.dtype)
        return first


def dense(graph: Graph, layer: Any, path: str, x: str) -> str:
    """x @ weight + bias: MatMul takes x of any number of axes, as `nn.Dense` does."""
    y = graph.add("MatMul", x, graph.constant(f"{path}weight", layer.weight))
    return y if layer.bias is None else graph.add("Add", y, graph.constant(f"{path}bias", layer.bias))


def batch_norm(graph: Graph, layer: Any, path: str, x: str) -> str:
    """By the running statistics, as in evaluation mode."""
    names = "gamma", "beta", "running_mean", "running_var"
    constants = [graph.constant(f"{path}{name}", getattr(layer, name)) for name in names]
    return graph.add("BatchNormalization", x, *constants, epsilon=layer.eps)


def layer_norm(graph: Graph, layer: Any, path: str, x: str) -> str:
    """Over the last axis, as `nn.LayerNorm` does."""
    constants = [graph.constant(f"{path}{name}", getattr(layer, name)) for name in ("gamma", "beta")]
    return graph.add("LayerNormalization", x, *constants, axis=-1, epsilon=layer.eps)


def activation(graph: Graph, layer: Any, path: str, x: str) -> str:
    """The function that the layer is named after."""
    return FUNCTIONS[layer.name](graph, x)


def sequential(graph: Graph, model: Any, path: str, x: str) -> str:
    """Its layers, one after the other."""
    for i, layer in enumerate(model):
        x = added(graph, layer, f"{path}layers.{i}.", x)
    return x


def residual(graph: Graph, model: Any, path: str, x: str) -> str:
    """What its layers make of x, and x."""
    return graph.add("Add", sequential(graph, model, path, x), x)


def gelu(graph: Graph, x: str) -> str:
    """x Φ(x) by erf: the operator Gelu is younger than the files that are written here."""
    root, half = graph.constant("root of half", _ROOT), graph.constant("half", _HALF)
    share = graph.add("Add", graph.add("Mul", graph.add("Erf", graph.add("Mul", x, root)), half), half)
    return graph.add("Mul", x, share)


_HALF, _ROOT = np.float64(0.5), np.float64(math.sqrt(0.5))
Layer = Callable[[Graph, Any, str, str], str]

LAYERS: dict[type, Layer] = {
    nn.BatchNorm: batch_norm,
    nn.Dense: dense,
    nn.Dropout: lambda graph, layer, path, x: x,  # in evaluation mode
    nn.ELU: lambda graph, layer, path, x: graph.add("Elu", x, alpha=layer.alpha),
    nn.Flatten: lambda graph, layer, path, x: graph.add("Flatten", x, axis=1),
    nn.GELU: activation,
    nn.Identity: lambda graph, layer, path, x: x,
    nn.LayerNorm: layer_norm,
    nn.LeakyReLU: activation,
    nn.ReLU: activation,
    nn.Residual: residual,
    nn.Sequential: sequential,
    nn.Sigmoid: activation,
    nn.SiLU: activation,
    nn.Softmax: lambda graph, layer, path, x: FUNCTIONS["softmax"](graph, x),
    nn.Softplus: activation,
    nn.Tanh: activation,
}

# By the names of minidl's functions, which may stand in a Sequential as they are.
FUNCTIONS: dict[str, Callable[[Graph, str], str]] = {
    "elu": lambda graph, x: graph.add("Elu", x, alpha=1.0),
    "gelu": gelu,
    "leaky_relu": lambda graph, x: graph.add("LeakyRelu", x, alpha=0.01),
    "log_softmax": lambda graph, x: graph.add("LogSoftmax", x, axis=-1),
    "relu": lambda graph, x: graph.add("Relu", x),
    "sigmoid": lambda graph, x: graph.add("Sigmoid", x),
    "silu": lambda graph, x: graph.add("Mul", x, graph.add("Sigmoid", x)),
    "softmax": lambda graph, x: graph.add("Softmax", x, axis=-1),
    "softplus": lambda graph, x: graph.add("Softplus", x),
    "tanh": lambda graph, x: graph.add("Tanh", x),
}


def added(graph: Graph, layer: Any, path: str, x: str) -> str:
    """Add the nodes of one layer (or function) of `x`. Raises `UnsupportedError` for one that is not minidl's own."""
    name = getattr(layer, "__name__", type(layer).__name__)
    if name in FUNCTIONS and layer is getattr(ops, name):
        return FUNCTIONS[name](graph, x)
    made = LAYERS.get(type(layer))
    changed = overridden(layer, HOOKS, "forward", "__call__")
    if made is None or changed is not None:
        known = ", ".join([*sorted(kind.__name__ for kind in LAYERS), *FUNCTIONS])
        why = f"{name} is not one of {known}" if made is None else changed
        raise UnsupportedError(
            f"export.onnx: {path.removesuffix('.') or 'the model'}: {why}: what it computes is not known; build the "
            f"model of those alone, or export the part of it that is"
        )
    return made(graph, layer, path, x)
