"""Module: a layer or a model, which knows its parameters by name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from ..backend import Array, array_module, to_backend
from ..errors import ShapeError, StateError
from ..tensor import Tensor


class Parameter(Tensor):
    """A Tensor that training changes: a leaf that requires a gradient, found by `Module.parameters`."""

    def __init__(self, data: Any, requires_grad: bool = True, dtype: Any = None, backend: str | None = None) -> None:
        super().__init__(data, requires_grad, dtype, backend)


class Buffer(Tensor):
    """A Tensor that belongs to a layer's state but takes no gradient (running statistics)."""


class Module:
    """Base of every layer and model: define ``forward``, keep Parameters and Modules as attributes.

    Parameters, `Buffer`s and Modules are found among the attributes, also inside lists, tuples and
    dicts of them. A name is the path to it: ``"hidden.weight"``, ``"layers.0.weight"``.
    """

    training: bool = True  # BatchNorm and Dropout behave differently in training and in use

    def forward(self, *args: Any) -> Any:
        """Compute the result; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    def __call__(self, *args: Any) -> Any:
        try:
            return self.forward(*args)
        except ShapeError as error:
            tell_place(error, self)
            raise

    def config(self) -> dict[str, Any]:
        """The constructor's arguments that describe this layer, as JSON values; also what its repr shows."""
        return {}

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module, named `prefix`, and all modules inside it, each once, outermost first."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module
                stack.extend(reversed([(f"{name}.{k}".lstrip("."), m) for k, m in _members(module, Module)]))

    def named_tensors(self, kind: type[Tensor]) -> Iterator[tuple[str, Any]]:
        """Every Tensor of class `kind` (Parameter or Buffer) with its name; one that is shared appears once."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, tensor in _members(module, kind):
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield f"{prefix}.{name}".lstrip("."), tensor

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its name, frozen ones included."""
        return self.named_tensors(Parameter)

    def parameters(self) -> list[Parameter]:
        """Every parameter, in the order of the attributes: what an optimizer takes."""
        return [parameter for _, parameter in self.named_parameters()]

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers, as NumPy arrays, by name."""
        return {name: np.array(tensor.numpy()) for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy `state` into the parameters and buffers, in place, so that optimizers keep hold of them.

        All or nothing: raises `StateError`, which lists every missing, unexpected or misshapen name,
        before anything is changed. Values are cast to each parameter's own dtype and backend.
        """
        own = self._state()
        faults = [f"missing {name!r}" for name in own if name not in state]
        faults += [f"unexpected {name!r}" for name in state if name not in own]
        for name in own:
            if name in state and np.shape(state[name]) != own[name].shape:
                faults.append(f"{name!r} has shape {np.shape(state[name])}, expected {own[name].shape}")
        if faults:
            raise StateError(f"load_state_dict: nothing was loaded into {type(self).__name__}: {'; '.join(faults)}")
        for name, tensor in own.items():
            value = getattr(state[name], "data", state[name]) if isinstance(state[name], Tensor) else state[name]
            tensor.data[...] = to_backend(array_module(value).asarray(value), tensor.backend)
            tensor.changed()

    def train(self, mode: bool = True) -> Self:
        """Switch to training: BatchNorm uses the batch's statistics, Dropout drops."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to use: BatchNorm uses its running statistics, Dropout does nothing."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget every parameter's gradient."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def to(self, backend: str) -> Self:
        """Move all parameters and buffers to `backend`, ``"numpy"`` or ``"cupy"``; gradients are forgotten."""
        for tensor in self._state().values():
            tensor.data = to_backend(tensor.data, backend)
            tensor.zero_grad()
            tensor.changed()
        return self

    def summary(self, input_shape: tuple[int, ...] | None = None) -> str:
        """A table of layers, output shapes and parameters; see `minidl.nn.summary.summary`."""
        from .summary import summary

        return summary(self, input_shape)

    def estimate_statistics(self, loader: Any) -> None:
        """Replace BatchNorm's running statistics by those of one whole pass over `loader`; see batchnorm.py."""
        from .batchnorm import estimate_statistics

        estimate_statistics(self, loader)

    def _state(self) -> dict[str, Any]:
        return dict(self.named_tensors(Parameter)) | dict(self.named_tensors(Buffer))

    def __repr__(self) -> str:
        inner = "".join(
            f"\n  {name}: {module!r}".replace("\n", "\n  ").replace("\n    ", "\n  ", 1)
            for name, module in _members(self, Module)
        )
        described = ", ".join(f"{name}={value!r}" for name, value in self.config().items() if name != "layers")
        return f"{type(self).__name__}({described}{inner and inner + chr(10)})"


def tell_place(error: ShapeError, module: Any) -> None:
    """Put where `error` came from in front of its message, as far as `module`, which it is leaving, knows that."""
    came_from = vars(error).get("module")
    if isinstance(module, Module) and came_from is not None:
        name = next((name for name, member in _members(module, Callable) if member is came_from), None)
        if name is not None:
            error.args = (f"{name.replace('layers.', 'layer ')}, {error}",)
    vars(error)["module"] = module


def _members(module: Module, kind: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of `module` that are of class `kind`, also those inside lists, tuples and dicts."""
    for name, value in vars(module).items():
        if isinstance(value, kind):
            yield name, value
        elif isinstance(value, list | tuple | dict):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            yield from ((f"{name}.{key}", item) for key, item in items if isinstance(item, kind))
