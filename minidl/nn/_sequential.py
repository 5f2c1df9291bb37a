"""Layers one after the other."""

from typing import Any

from .. import hooks
from ..errors import ShapeError
from ..overrides import HOOKS, made_here, overridden
from ._activation import Activation, op_of
from ._dense import Dense
from ._module import Module, arrayed, tell_place
from ._module_list import ModuleList

_RUNS = HOOKS, "forward", "__call__"  # what a layer's result goes through


class Sequential(ModuleList):
    """Each layer's result is the next one's input: ``Sequential(Dense(784, 128), ReLU(), Dense(128, 10))``.

    Indexing, ``len`` and iteration see the layers; `append` and `extend` add some.

    Args:
        layers: each a Module, or any function of one Tensor (`minidl.save` can store minidl's own, such as
            ``minidl.tanh``); or one list of them. One that is given twice is shared, not copied.

    Raises:
        OptionError: for something that cannot be called.
        ShapeError: in a call, for an input that does not fit a layer; it says which.
    """

    def __init__(self, *layers: Any) -> None:
        listed = len(layers) == 1 and isinstance(layers[0], list | tuple)
        super().__init__(layers[0] if listed else layers)

    def forward(self, x: Any) -> Any:
        """Run the layers in order; a Dense and the activation behind it run as one op, with the same result."""
        waiting: Dense | None = None
        layer = None
        watcher = hooks.watcher
        try:
            for layer in self.layers:
                if waiting is not None:
                    fused = isinstance(layer, Activation) and not overridden(layer, *_RUNS) and made_here(op_of(layer))
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

    def __getitem__(self, index: Any) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]


class Residual(Sequential):
    """x + what its layers make of x, a shortcut around them (He et al. 2015): ``Residual(Dense(64, 64), ReLU())``.

    Args:
        layers: as those of a `Sequential`; together they give as many outputs as they are given inputs.

    Raises:
        OptionError: for something that cannot be called.
        ShapeError: in a call, for an input that does not fit a layer, or that they make another shape of.
    """

    def forward(self, x: Any) -> Any:
        """x plus the result of the layers, run in order."""
        x = arrayed(x)
        y = super().forward(x)
        if y.shape != x.shape:
            raise ShapeError(
                f"Residual: its layers make {tuple(y.shape)} of {tuple(x.shape)}, which cannot be added: let the last "
                f"give as many outputs as the first takes inputs"
            )
        return x + y
