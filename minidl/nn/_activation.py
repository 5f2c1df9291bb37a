"""Activation layers: the functions of the same name, as layers."""

from typing import Any

from .. import ops
from ._module import Module, arrayed


class Activation(Module):
    """An elementwise function as a layer. `name` is what `dense` calls it, so that the two can run as one."""

    name: str

    def forward(self, x: Any) -> Any:
        """The function of that name, elementwise; any shape."""
        return getattr(ops, self.name)(arrayed(x))


class ReLU(Activation):
    """max(x, 0); its derivative at 0 is 0."""

    name = "relu"


class LeakyReLU(Activation):
    """x where x > 0, else 0.01 x: never quite dead (Maas et al. 2013)."""

    name = "leaky_relu"


class Sigmoid(Activation):
    """1 / (1 + e^-x)."""

    name = "sigmoid"


class Tanh(Activation):
    """tanh x; wants Glorot's initialisation: ``Dense(..., weight_init="glorot_normal")``."""

    name = "tanh"


class Softplus(Activation):
    """log(1 + e^x), a smooth ReLU."""

    name = "softplus"


class Softmax(Module):
    """e^x / Σ e^x along the last axis.

    For reading probabilities; the loss `softmax_cross_entropy` takes logits and needs no Softmax before it.
    """

    def forward(self, x: Any) -> Any:
        """Probabilities of x's shape, adding up to 1 along the last axis."""
        return ops.softmax(arrayed(x))
