"""Module: a layer or a model, which knows its parameters by name."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from operator import is_
from pathlib import Path
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from .. import hooks
from ..arrays import DTypeLike
from ..backend import Array, Backend, backend_of, to_backend
from ..elsewhere import missing_attribute
from ..errors import OptionError, ShapeError, StateError
from ..graph import maker
from ..hardware.arithmetic import computes
from ..tensor import Tensor
from ._forward_hooks import Hook, through_hooks
from ._loading import converted
from ._members import attributes, members, slots_of

# Functions that import minidl.train.predicting and minidl.train, which lie above; set by minidl/__init__.py.
predicting: Any = None
saving: Any = None


class Parameter(Tensor):
    """A Tensor that training changes: a leaf that requires a gradient, found by `Module.parameters`."""

    def __init__(
        self, data: Any, requires_grad: bool = True, dtype: DTypeLike | None = None, backend: Backend | None = None
    ) -> None:
        super().__init__(data, requires_grad, dtype, backend)


class Buffer(Tensor):
    """A Tensor that belongs to a layer's state but takes no gradient (running statistics)."""


class Module:
    """Base of every layer and model: define ``forward``, keep Parameters and Modules as attributes.

        class Gated(nn.Module):
            def __init__(self, size):
                self.gate = nn.Dense(size, size)

            def forward(self, x):
                return x * minidl.sigmoid(self.gate(x))

    A call, ``model(x, scale=2.0)``, runs ``forward`` with these arguments and returns what that returns. A `ShapeError`
    that comes up in it says in which layer.

    Parameters, `Buffer`s and Modules are found among the attributes, also inside lists, tuples, dicts, dataclasses,
    partials, closures and objects that can be called, to any depth. A name is the path to it: ``"hidden.weight"``,
    ``"layers.0.weight"``, ``"blocks.1.0.weight"``. One that can be reached in two ways is found once, under the first
    of its names (a module's own parameters come before those of the modules inside it). Other objects, iterators, and
    what a function finds in the file it stands in, are not looked into; a set of them is an `OptionError`, for it has
    no order.

    A copy and a pickle of a module hold the values of the results that it keeps (``self.h = ...``), without their
    history.
    """

    _forward_hooks: list[Hook] | None = None  # of an instance that has any
    training: bool = True  # BatchNorm and Dropout behave differently in training and in evaluation mode
    _slots: ClassVar[list[str]] = []  # attributes that do not stand in an instance's __dict__, ...
    _shared: ClassVar[list[str]] = []  # ... and those of its class in which there are modules or parameters

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        names = dict.fromkeys(name for kind in cls.__mro__[::-1] if kind is not Module for name in vars(kind))
        cls._slots = slots_of(cls)
        cls._shared = [name for name in names if _holds(name, _raw(cls, name))]

    def forward(self, *args: Any, **options: Any) -> Any:
        """Compute the result; subclasses define it, with what arguments they like."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    @computes
    def __call__(self, *args: Any, **options: Any) -> Tensor:
        watcher = hooks.watcher
        try:
            if watcher is None:
                y = self.forward(*args, **options)
            else:
                y = watcher.forward(self, self.forward, *args, **options)
            return y if self._forward_hooks is None else through_hooks(self, args, y)
        except ShapeError as error:
            tell_place(error, self)
            raise

    if not TYPE_CHECKING:  # for which an attribute that is not there is an error anyway

        def __getattr__(self, name: str) -> Any:
            raise missing_attribute("Module", type(self).__name__, name)

    def register_forward_hook(self, hook: Callable[["Module", tuple[Any, ...], Any], Any]) -> Hook:
        """Have ``hook(module, args, output)`` called after each ``forward`` of this module.

        `args` are the positional arguments of the call. What the hook returns, unless it is None, takes the output's
        place. The handle's ``remove()`` takes the hook away, and so does the end of a block::

            with model[0].register_forward_hook(lambda layer, args, output: seen.append(output.numpy())):
                model(x)

        Training steps of a model with hooks are made eagerly, so that each of them is seen.
        Raises `OptionError` for what cannot be called.
        """
        return Hook(self, hook)

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
                stack.extend(reversed([(f"{name}.{k}".lstrip("."), m) for k, m in members_of(module, Module)]))

    def modules(self) -> list["Module"]:
        """This module and all modules inside it, each once, outermost first."""
        return [module for _, module in self.named_modules()]

    def children(self) -> list["Module"]:
        """The modules directly inside this one, each once."""
        return list({id(module): module for _, module in members_of(self, Module) if module is not self}.values())

    def apply(self, function: Callable[["Module"], Any]) -> Self:
        """Call `function` with this module and with each inside it, outermost first; returns this module."""
        for _, module in list(self.named_modules()):
            function(module)
        return self

    def named_tensors(self, kind: type[Tensor]) -> Iterator[tuple[str, Any]]:
        """Every Tensor of class `kind` (Parameter or Buffer) with its name; one that is shared appears once."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, tensor in members_of(module, kind):
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield f"{prefix}.{name}".lstrip("."), tensor

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its name, frozen ones included."""
        return self.named_tensors(Parameter)

    def parameters(self) -> list[Parameter]:
        """Every parameter, in the order of the attributes: what an optimizer takes."""
        return [parameter for _, parameter in self.named_parameters()]

    def buffers(self) -> list[Buffer]:
        """Every buffer: the state that takes no gradient, such as running statistics."""
        return [buffer for _, buffer in self.named_tensors(Buffer)]

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers, as NumPy arrays, by name."""
        return {name: np.array(tensor.numpy()) for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Array], *, strict: bool = True) -> None:
        """Copy `state` into the parameters and buffers, in place, so that optimizers keep hold of them.

        Values (arrays, Tensors, lists) are cast to each parameter's own dtype and backend. With ``strict=False`` names
        that only one side has are passed over. All or nothing: raises `StateError`, which lists every missing,
        unexpected or misshapen name and every value that its parameter cannot hold (text, complex numbers, numbers
        beyond the range of its dtype; NaN and infinity are kept), before anything is changed.
        """
        hooks.write(self._load, state, strict)

    def _load(self, state: Mapping[str, Array], strict: bool) -> None:
        where = f"load_state_dict: nothing was loaded into {type(self).__name__}"
        for tensor, value in converted(where, self._state(), state, strict):
            tensor.data[...] = value
            tensor.changed()

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode: BatchNorm uses the batch's statistics, Dropout drops."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation mode: BatchNorm uses its running statistics, Dropout does nothing."""
        return self.train(False)

    @contextmanager
    def mode(self, training: bool) -> Iterator[None]:
        """A block in which all modules are in one mode: ``with model.mode(training=False):`` for an evaluation.

        Afterwards each module is in the mode that it was in before, also if the block raises.
        """
        with in_mode(self, training):
            yield

    def zero_grad(self) -> None:
        """Forget every parameter's gradient."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def to(self, backend: Backend) -> Self:
        """Move all parameters and buffers to `backend`, ``"numpy"`` or ``"cupy"``; gradients are forgotten."""
        moved = [(tensor, to_backend(tensor.data, backend)) for tensor in self._state().values()]
        for tensor, data in moved:
            tensor.data = data
            tensor.zero_grad()
            tensor.changed()
        return self

    def predict(self, inputs: Any, batch_size: int = 1000) -> np.ndarray:
        """The outputs for `inputs`, in evaluation mode, without recording, in batches; uint8 is scaled to [0, 1].

        Args, result and errors are those of `minidl.train.predict`.
        """
        return predicting().predict(self, inputs, batch_size=batch_size)

    def save(self, path: str | Path, **notes: Any) -> None:
        """Write the model to a safetensors file: `minidl.save`, whose arguments and errors these are."""
        saving().save(path, self, **notes)

    def summary(self, input_shape: tuple[int, ...] | None = None) -> str:
        """A table of layers, output shapes and parameters, as a string that shows itself.

        A line for each layer in the order in which they are called, those of Modules of one's own too. The model is
        run once on zeros, in evaluation mode.

        Args:
            input_shape: one sample's; by default it is read off the first Dense layer.

        Raises:
            OptionError: there is no such layer.
        """
        from ._summary import summary

        return summary(self, input_shape)

    def _repr_html_(self) -> str:
        from ._summary import html

        return html(self)

    def estimate_statistics(self, loader: Any) -> None:
        """Replace BatchNorm's running statistics by those of one whole pass over `loader`; see _batchnorm.py."""
        from ._batchnorm import estimate_statistics

        estimate_statistics(self, loader)

    def _state(self) -> dict[str, Any]:
        """All parameters, then all buffers, by name. Raises `StateError` if two have the same one."""
        state: dict[str, Any] = {}
        for name, tensor in [*self.named_tensors(Parameter), *self.named_tensors(Buffer)]:
            if name in state:
                raise StateError(
                    f"{type(self).__name__}: two of its arrays would both be called {name!r}: give attributes and dict "
                    f"keys names that differ, and have no dots"
                )
            state[name] = tensor
        return state

    def __getstate__(self) -> Any:
        return _without_history(super().__getstate__())

    @recursive_repr()
    def __repr__(self) -> str:
        return shown(self, [(name, module) for name, module in members_of(self, Module) if module is not self])


def shown(module: Module, parts: Iterable[tuple[str, Any]]) -> str:
    """The repr of `module`: its class and options, and a line for each of its `parts`, layers or functions."""
    inner = "".join(
        f"\n  {name}: {title(part)}".replace("\n", "\n  ").replace("\n    ", "\n  ", 1) for name, part in parts
    )
    options = ", ".join(f"{name}={value!r}" for name, value in module.config().items())
    return f"{type(module).__name__}({options}{inner and inner + chr(10)})"


def title(layer: Any) -> str:
    """What to call a layer: a Module's repr, a function's name."""
    return repr(layer) if isinstance(layer, Module) else getattr(layer, "__name__", repr(layer))


def arrayed(x: Any) -> Any:
    """`x`, what a layer was given, if that is a Tensor or an array; lists become float32, as in a Tensor."""
    if isinstance(x, Tensor) or type(x) is np.ndarray:
        return x
    return x if backend_of(x) == "cupy" else Tensor(x).data


def tell_place(error: ShapeError, module: Any) -> None:
    """Put where `error` came from in front of its message, as far as `module`, which it is leaving, knows that."""
    came_from = vars(error).get("module")
    if isinstance(module, Module) and came_from is not None:
        with suppress(OptionError):
            name = next((name for name, member in members_of(module, Callable) if member is came_from), None)
            if name is not None:
                error.args = (f"{name.replace('layers.', 'layer ')}, {error}",)
    vars(error)["module"] = module


def members_of(module: Module, kind: Any) -> Iterator[tuple[str, Any]]:
    """Everything of class `kind` among the attributes of `module`, its class's included, that belongs to no other."""
    own = attributes(module, module._slots)
    if module._shared:
        names = {name for name, _ in own}
        own = [*[(name, _raw(type(module), name)) for name in module._shared if name not in names], *own]
    try:
        yield from members(own, kind, OWNED)
    except OptionError as error:
        raise OptionError(f"{type(module).__name__}.{error}") from None


def _raw(kind: type, name: str) -> Any:
    """What a class or one that it inherits from says under `name`, not bound to anything."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


def _holds(name: str, value: Any) -> bool:
    return any(True for _ in members([(name, value)], OWNED, OWNED))


def _without_history(value: Any, within: tuple[int, ...] = ()) -> Any:
    """`value`, a state, with the recorded results in it detached from how they were made."""
    if isinstance(value, Tensor):
        return value if maker(value) is None else value.detach()
    if type(value) not in (dict, list, tuple) or id(value) in within:
        return value
    old = list(value.values() if isinstance(value, dict) else value)
    new = [_without_history(item, (*within, id(value))) for item in old]
    if all(map(is_, old, new)):
        return value
    return dict(zip(value, new, strict=True)) if isinstance(value, dict) else type(value)(new)


OWNED = (Module, Parameter, Buffer)


@contextmanager
def in_mode(model: Module, training: bool) -> Iterator[None]:
    """Do what `Module.mode` does, whatever a model calls its own attributes."""
    before = [(module, module.training) for _, module in model.named_modules()]
    try:
        for module, _ in before:
            module.training = training
        yield
    finally:
        for module, mode in before:
            module.training = mode
