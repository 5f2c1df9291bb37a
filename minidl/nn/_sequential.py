"""Layers one after the other."""

import math
from collections.abc import Iterator
from reprlib import recursive_repr
from typing import Any

from .. import hooks
from ..errors import OptionError, ShapeError
from ..overrides import overridden
from ._activation import Activation
from ._dense import Dense
from ._module import Module, arrayed, members_of, shown, tell_place

_RUNS = "forward", "__call__"  # what a layer's result goes through


class Flatten(Module):
    """(batch, ...) -> (batch, features)."""

    def forward(self, x: Any) -> Any:
        """All axes but the first become one. Raises `ShapeError` for a single number, which has no batch axis."""
        x = arrayed(x)
        if x.ndim == 0:
            raise ShapeError("Flatten(): expected an input of shape (batch, ...), got a single number")
        return x.reshape((len(x), math.prod(x.shape[1:])))


class Sequential(Module):
    """Each layer's result is the next one's input: ``Sequential(Dense(784, 128), ReLU(), Dense(128, 10))``.

    Indexing, ``len`` and iteration see the layers.

    Args:
        layers: each a Module, or any function of one Tensor (`minidl.save` can store minidl's own, such as
            ``minidl.tanh``). One that is given twice is shared, not copied.

    Raises:
        OptionError: for something that cannot be called.
        ShapeError: in a call, for an input that does not fit a layer; it says which.
    """

    def __init__(self, *layers: Any) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                hint = f": write {layer.__name__}()" if isinstance(layer, type) else ""
                raise OptionError(f"Sequential: layer {i} is not a layer or function but {layer!r}{hint}")
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Run the layers in order; a Dense and the activation behind it run as one op, with the same result."""
        waiting: Dense | None = None
        layer = None
        watcher = hooks.watcher
        try:
            for layer in self.layers:
                if waiting is not None:
                    fused = isinstance(layer, Activation) and not overridden(layer, *_RUNS)
                    name = layer.name if fused else None
                    if watcher is None:
                        x = waiting.forward(x, name)
                    else:
                        x = watcher.forward(waiting, waiting.forward, x, name)
                    waiting = None
                    if fused:
                        continue
                if type(layer) is Dense and not overridden(layer, *_RUNS):
                    waiting = layer
                else:
                    x = layer(x)
            if waiting is None:
                return x
            return waiting.forward(x) if watcher is None else watcher.forward(waiting, waiting.forward, x)
        except ShapeError as error:
            if waiting is not None or not isinstance(layer, Module):  # else it went through that layer's __call__
                tell_place(error, layer if waiting is None else waiting)
            raise

    @recursive_repr()
    def __repr__(self) -> str:
        others = [(n, m) for n, m in members_of(self, Module) if m is not self and not n.startswith("layers.")]
        return shown(self, [*[(f"layers.{i}", layer) for i, layer in enumerate(self.layers)], *others])

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]
