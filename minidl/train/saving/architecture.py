"""A model's structure as JSON values, and the model built again from these and its arrays.

A layer is described by its class and its options, a function of minidl's by its name (``{"function": "tanh"}``). A
layer that was described before is described by its path (``{"same": "layers.0"}``), and so is a shared array
(``"tied"``). The names in a file are looked up among minidl's own layers and functions only.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import nn, ops
from ...backend import to_backend
from ...errors import DataError, StateError
from ...nn._module import members_of

_NAMED = {name: getattr(nn, name) for name in nn.__all__}
LAYERS: dict[str, Any] = {
    n: kind for n, kind in _NAMED.items() if isinstance(kind, type) and nn.Module in kind.__mro__[1:]
}
TENSORS = nn.Parameter, nn.Buffer
MOST_SHARED = 100  # how often layers may share a file's arrays: each layer is first allocated with its own


def described(model: nn.Module) -> dict[str, Any]:
    """The description from which `built` builds `model` again; of a class of your own, only its name and options.

    Raises `StateError` for a `Sequential` with a function in it that is not minidl's own, or nested too deeply.
    """
    try:
        return _described(model, "", {})
    except RecursionError as error:
        raise StateError(f"{type(model).__name__}: its layers are nested too deeply to be stored in a file") from error


def _described(layer: Any, path: str, known: dict[int, str]) -> dict[str, Any]:
    """The description of the layer at `path`; `known` has the path of each module and array described before, by id."""
    if not isinstance(layer, nn.Module):
        return {"function": _name(layer, path)}
    if id(layer) in known:
        return {"same": known[id(layer)]}
    known[id(layer)] = path
    kind = type(layer)
    if kind not in LAYERS.values():
        name = kind.__name__ if kind.__name__ not in LAYERS else f"{kind.__module__}.{kind.__qualname__}"
        return {"layer": name, **layer.config()}
    description = {"layer": kind.__name__, **layer.config()}
    tied = {}
    for name, tensor in members_of(layer, TENSORS):
        first = known.setdefault(id(tensor), _joined(path, name))
        if first != _joined(path, name):
            tied[name] = first
    if tied:
        description["tied"] = tied
    if isinstance(layer, nn.ModuleList):
        description["layers"] = [_described(item, _joined(path, f"layers.{i}"), known) for i, item in enumerate(layer)]
    return description


def _name(function: Any, path: str) -> str:
    """The name of a function of minidl's. Raises `StateError` for any other."""
    name = getattr(function, "__name__", type(function).__name__)
    if name in ops.__all__ and getattr(ops, name) is function:
        return str(name)
    fix = f"write minidl.{name}, or " if name in ops.__all__ else ""
    raise StateError(
        f"{path} is the function {name!r}, which is not minidl's own and cannot be stored in a file: {fix}write a "
        f"model of your own, a Module that calls it in its forward, and pass one to load(path, model)"
    )


def built(path: Any, description: Any, state: Mapping[str, np.ndarray]) -> nn.Module:
    """The module that was `described`, with the arrays of `state` themselves as its values.

    Raises, before it has allocated much more than they hold, and naming `path`: `StateError` for a class that is not
    minidl's own, `DataError` if description and arrays are not those of one model.
    """
    builder = _Builder(state)
    try:
        model = builder.build(description, "")
    except (DataError, StateError) as error:
        raise type(error)(f"{path}: {error}") from None
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: its description of the model is not one that minidl writes ({error})") from error
    left = [name for name in state if name not in builder.tensors]
    if left or not isinstance(model, nn.Module):
        raise DataError(f"{path}: its description is of a model without {', '.join(left) or 'layers'}")
    return model


class _Builder:
    """Builds one model: its modules and tensors so far, by path."""

    def __init__(self, state: Mapping[str, np.ndarray]) -> None:
        self.state = state
        self.size = sum(array.size for array in state.values())
        self.budget = MOST_SHARED * self.size  # elements that may be allocated
        self.modules: dict[str, nn.Module] = {}
        self.tensors: dict[str, Any] = {}

    def build(self, description: dict[str, Any], path: str) -> Any:
        """The layer or function at `path`."""
        if "same" in description:
            return self.modules[description["same"]]
        if "function" in description:
            return self._function(description["function"])
        # What is left of it is the layer's own options.
        options = dict(description)
        kind, tied, inner = options.pop("layer"), options.pop("tied", {}), options.pop("layers", [])
        if kind not in LAYERS:
            raise StateError(
                f"holds a {kind}, which is not one of minidl's layers: pass load(path, model) one of that class"
            )
        if issubclass(LAYERS[kind], nn.ModuleList):
            layers = [self.build(d, _joined(path, f"layers.{i}")) for i, d in enumerate(inner)]
            layer = LAYERS[kind](layers)
        else:
            self._check_size(options)
            fixed = {"weight_init": "zeros"} if kind == "Dense" else {}  # which draws no random numbers
            layer = LAYERS[kind](**options, **fixed)
            self._fill(layer, path, tied)
        self.modules[path] = layer
        return layer

    def _function(self, name: Any) -> Any:
        if name not in ops.__all__:
            raise DataError(f"its description of the model has a function {name!r}, which minidl does not have")
        return getattr(ops, name)

    def _check_size(self, options: dict[str, Any]) -> None:
        """Raise `DataError` for a layer that is larger than all the arrays, before it is allocated."""
        sizes = [n for name, n in options.items() if name.endswith("features") and type(n) is int]
        size = math.prod(sizes) if sizes else 0
        self.budget -= size
        if size > self.size or self.budget < 0:
            raise DataError("its description is of a model larger than the arrays in it")

    def _fill(self, layer: nn.Module, path: str, tied: dict[str, str]) -> None:
        """Replace the arrays that `layer` was built with by the file's."""
        for name, tensor in list(members_of(layer, TENSORS)):
            full = _joined(path, name)
            shared = self.tensors[tied[name]] if name in tied else None
            array = self.state.get(full) if shared is None else shared.data
            if array is None:
                raise DataError(f"its description is of a model with {full}, and it has no such array")
            if array.shape != tensor.shape or array.dtype.kind != "f":
                found = f"{array.dtype}{list(array.shape)}"
                raise DataError(f"{full} is {found}, and its description is of a model with {list(tensor.shape)}")
            if shared is not None:
                setattr(layer, name, shared)
                continue
            tensor.data = to_backend(array, tensor.backend)
            self.tensors[full] = tensor


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
