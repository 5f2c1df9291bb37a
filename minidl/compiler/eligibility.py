"""What a compiled step would bypass: whatever a user has overridden keeps the step eager."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import nn, ops
from .._debug import debugging
from ..autograd import Op
from ..nn._activation import Activation, op_of
from ..nn._module import Buffer
from ..overrides import HOOKS, made_here, overridden
from ..recording import paused

# What an eager step calls, by whose method it is: a compiled step calls none of it.
_STEP = (
    "step",
    "zero_grad",
    "lr",
    "rate",
    "at",
    "step_after",
    "check_ready",
    "count",
    "__setattr__",
    "__getattribute__",
)
_UPDATE = tuple(name for name in _STEP if not name.startswith("__"))
_LAYER = HOOKS, "forward", "__call__", "__setattr__", "__getattribute__"
_ON_INSTANCE = HOOKS, "forward"  # what somebody may have put on a layer, of whatever class
_TENSOR = "backward", "zero_grad", "changed", "__setattr__", "__getattribute__"
_FOUND = vars(ops)  # where layers and losses find an op, by its name


def in_the_way(model: nn.Module, loss: Callable[[Any, Any], Any], optimizer: Any) -> str | None:
    """Why a step has to be eager: what would be bypassed otherwise. None if nothing is."""
    return unrecorded() or next(_replaced(model, loss, optimizer), None)


def unrecorded() -> str | None:
    """Why a step in this place, by this thread, has to be eager; None if it need not."""
    if paused():
        return "nothing is recorded inside no_grad()"
    return "minidl.debug() is to see every op" if debugging() else None


def bypassed(model: Any, optimizer: Any) -> str | None:
    """What a recorded step would pass by: hooks on layers, and another update than minidl's own.

    A class of the user's own is no hook: its `forward` is what is recorded.
    """
    if not all(module.training for _, module in model.named_modules()):
        return "a part of the model is in evaluation mode: call model.train()"
    tensors = [*model.parameters(), *(buffer for _, buffer in model.named_tensors(Buffer))]
    things = [(optimizer, _STEP), *((tensor, _TENSOR) for tensor in tensors)]
    for _, layer in model.named_modules():
        own = type(layer).__module__.partition(".")[0] == __package__.partition(".")[0]
        put_on = tuple(name for name in _ON_INSTANCE if name in vars(layer))
        things.append((layer, _LAYER if own else put_on))
    found = (overridden(thing, *names) for thing, names in things)
    return next((name for name in found if name is not None), None)


def _replaced(model: nn.Module, loss: Callable[[Any, Any], Any], optimizer: Any) -> Iterator[str]:
    """What is not minidl's own of all that a step calls."""
    if not made_here(loss):
        yield f"the loss {getattr(loss, '__name__', loss)!r} is not minidl's own"
    for name, function in _FOUND.items():
        if callable(function) and not made_here(function):
            yield f"the op {name} is not minidl's own"
    tensors = [*model.parameters(), *(buffer for _, buffer in model.named_tensors(Buffer))]
    layers = [module for _, module in model.named_modules()]
    plain = [f for m in layers if isinstance(m, nn.Sequential) for f in m.layers if f not in layers]
    for function in plain:
        if not made_here(function):
            name = getattr(function, "__name__", function)
            yield f"the function {name!r} among the layers is not minidl's own"
    for things, names in (([optimizer], _STEP), (layers, _LAYER), (tensors, _TENSOR)):
        for thing in things:
            more = ["_follow"] if isinstance(thing, nn.BatchNorm) else []
            found = overridden(thing, *names, *more)
            if found is not None:
                yield found


def numbers_of(module: nn.Module) -> tuple[Any, ...]:
    """The numbers of a layer that a compiled step repeats."""
    held = vars(module)
    return held.get("rate"), held.get("momentum"), held.get("eps")


class Watch:
    """A quick check, at every step, of what was minidl's own when the step was lowered.

    `used`: the ops that its instructions stand for, beside those of activation layers.
    """

    def __init__(self, optimizer: Any, model: nn.Module, used: Iterable[Op[...]]) -> None:
        layers = [module for _, module in model.named_modules()]
        # Names that may not appear on an instance, ...
        self._optimizer, self._update = vars(optimizer), frozenset(_UPDATE)
        self._layers = [vars(layer) for layer in layers]
        # ... the methods of each class, which may not be replaced ...
        # (a dict, as an ordered set: most layers share their class)
        names = {(type(optimizer), name): None for name in _UPDATE}
        names |= {(type(layer), name): None for layer in layers for name in ("forward", "__call__")}
        self._methods = [(kind, name, getattr(kind, name)) for kind, name in names]
        # ... and what each op computes with, and what is found under its name.
        used = {*used, *(op_of(layer) for layer in layers if isinstance(layer, Activation))}
        self._ops = [vars(op) for op in used]
        self._definitions = [_copied(vars(op)) for op in used]
        self._names = [op.name for op in used]
        self._named = [_FOUND.get(name) for name in self._names]

    def undisturbed(self) -> bool:
        """Whether nothing has been overridden since."""
        if not self._update.isdisjoint(self._optimizer):
            return False
        for held in self._layers:
            if "forward" in held or HOOKS in held:
                return False
        for kind, name, method in self._methods:
            if getattr(kind, name) is not method:
                return False
        if self._ops != self._definitions or [*map(_FOUND.get, self._names)] != self._named:
            return False
        return unrecorded() is None


def _copied(held: dict[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, dict) else value for name, value in held.items()}
