"""A multilayer perceptron by its sizes, as the command line and the notes' experiments make one."""

from collections.abc import Iterable

from ._activation import LeakyReLU, ReLU, Sigmoid, Tanh
from ._batchnorm import BatchNorm
from ._dense import Dense
from ._dropout import Dropout
from ._module import Module
from ._sequential import Sequential
from .init import Name

ACTIVATIONS = {kind.name: kind for kind in (ReLU, LeakyReLU, Tanh, Sigmoid)}  # those that --activation offers


def mlp(
    inputs: int,
    hidden: Iterable[int],
    classes: int,
    activation: str = "relu",
    batch_norm: str = "none",
    dropout: float = 0.0,
) -> Sequential:
    """A multilayer perceptron; `batch_norm` is "none", "before" or "after" the activation.

    Weights start as suits the activation: He's way for ReLU, Glorot's for tanh and sigmoid, and for the output.
    """
    weight_init: Name = "he_normal" if "relu" in activation else "glorot_normal"
    layers: list[Module] = []
    for size in hidden:
        layers.append(Dense(inputs, size, weight_init=weight_init))
        layers += [BatchNorm(size)] if batch_norm == "before" else []
        layers.append(ACTIVATIONS[activation]())
        layers += [BatchNorm(size)] if batch_norm == "after" else []
        layers += [Dropout(dropout)] if dropout else []
        inputs = size
    return Sequential(*layers, Dense(inputs, classes, weight_init="glorot_normal"))
