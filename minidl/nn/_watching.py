"""What each layer of a model gives, noted as it is called."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

from ..overrides import overridden
from ._module import Module
from ._sequential import Sequential


class Called(NamedTuple):
    """One call of a layer: its name, as in `Module.named_modules`; a Module, or a function in a `Sequential`."""

    name: str
    layer: Any
    output: Any


@contextmanager
def watching(model: Module) -> Iterator[list[Called]]:
    """Within the block the list grows by every layer of `model` that has been run, the inner ones first.

    A `Sequential` is none itself: what it gives is what its last layer gives.
    """
    calls: list[Called] = []
    with ExitStack() as stack:
        for name, module in list(model.named_modules()):
            if type(module) is not Sequential or overridden(module, "forward"):
                stack.enter_context(module.register_forward_hook(partial(_note, calls, name)))
            if isinstance(module, Sequential):
                stack.callback(module.layers.__setitem__, slice(None), list(module.layers))
                module.layers[:] = [_noted(layer, calls, f"{name}.layers.{i}") for i, layer in enumerate(module.layers)]
        yield calls


def _note(calls: list[Called], name: str, module: Module, args: Any, output: Any) -> None:
    """A forward hook."""
    calls.append(Called(name, module, output))


def _noted(layer: Any, calls: list[Called], name: str) -> Callable[..., Any]:
    """A function that does what `layer` does, and is noted unless a layer was called in it; a Module has its hook."""
    if isinstance(layer, Module):
        return layer

    def noted(x: Any) -> Any:
        known = len(calls)
        output = layer(x)
        if len(calls) == known:
            calls.append(Called(name.lstrip("."), layer, output))
        return output

    return noted
