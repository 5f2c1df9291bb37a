"""Activation layers: the functions of the same name, as layers."""

from typing import Any

from .. import ops
from ..errors import OptionError
from ._module import Module, arrayed


class Elementwise(Module):
    """The function of minidl's that is called `name`, as a layer."""

    name: str

    def forward(self, x: Any) -> Any:
        """The function of that name, elementwise; any shape."""
        return op_of(self)(arrayed(x))


def op_of(layer: Elementwise) -> Any:
    """What such a layer calls: looked up each time, as it may have been put in another's place."""
    return getattr(ops, layer.name)


class Activation(Elementwise):
    """One that `dense` knows by its name, so that the two can run as one."""


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


class GELU(Elementwise):
    """x Φ(x), with the normal distribution's Φ, by erf (Hendrycks & Gimpel 2016); a smooth ReLU."""

    name = "gelu"


class SiLU(Elementwise):
    """x σ(x) (Elfwing et al. 2018), also called swish: a smooth ReLU."""

    name = "silu"


class ELU(Module):
    """x where x > 0, else alpha (e^x - 1): goes down to -alpha smoothly (Clevert et al. 2016).

    Args:
        alpha: above 0.

    Raises:
        OptionError: unless alpha > 0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        if not alpha > 0:
            raise OptionError(f"ELU: alpha must be above 0, got {alpha!r}")
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """The function, elementwise; any shape."""
        return ops.elu(arrayed(x), self.alpha)

    def config(self) -> dict[str, Any]:
        """alpha."""
        return {"alpha": self.alpha}


class Softmax(Module):
    """e^x / Σ e^x along the last axis.

    For reading probabilities; the loss `softmax_cross_entropy` takes logits and needs no Softmax before it.
    """

    def forward(self, x: Any) -> Any:
        """Probabilities of x's shape, adding up to 1 along the last axis."""
        return ops.softmax(arrayed(x))
