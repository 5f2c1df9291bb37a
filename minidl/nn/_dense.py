"""The fully connected layer."""

import math
from typing import Any

from ..backend import current_backend
from ..checks import checked_integer
from ..errors import ShapeError
from ..ops import dense
from ._module import Module, Parameter, arrayed
from .init import Initialiser, initial


def misfit(layer: Module, shape: tuple[int, ...], features: int) -> ShapeError:
    """The error for an input of `shape` to `layer`, which takes (batch, features), with the likeliest remedy."""
    if len(shape) > 2 and math.prod(shape[1:]) == features:
        fix = f"put Flatten() before this layer, or reshape the input to (batch, {features})"
    elif math.prod(shape) == features:
        fix = f"for a single sample, give it a batch axis: x.reshape(1, {features})"
    elif shape[:1] == (features,):
        fix = "it looks like (features, batch): transpose it, x.T"
    elif len(shape) > 2:
        fix = f"Flatten() before this layer would make it (batch, {math.prod(shape[1:])})"
    else:
        given = shape[-1] if shape else 1
        fix = f"make this layer take {given} features, or what comes before it give {features}"
    return ShapeError(f"{layer!r}: expected an input of shape (batch, {features}), got {shape}: {fix}")


class Dense(Module):
    """y = x @ weight + bias, with weight (in_features, out_features) and bias (out_features,).

    `x` has shape (..., in_features), the result (..., out_features); lists of numbers become float32.

    Args:
        in_features: the length of x's last axis.
        out_features: the length of the result's last axis.
        bias: False leaves the bias out.
        weight_init: a name from `minidl.nn.init`, or a function of the shape. He's is the default, made for ReLU
            (He et al. 2015; note B 1.9).
        bias_init: the same for the bias.

    Raises:
        OptionError: for sizes below 1 and for an unknown initialiser.
        ShapeError: in a call, for an input that does not fit.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        weight_init: Initialiser = "he_normal",
        bias_init: Initialiser = "zeros",
    ) -> None:
        self.in_features = checked_integer(in_features, "Dense: in_features", 1)
        self.out_features = checked_integer(out_features, "Dense: out_features", 1)
        self.weight = Parameter(
            initial(weight_init, (self.in_features, self.out_features), "Dense: weight_init"), backend=current_backend()
        )
        self.bias = (
            Parameter(initial(bias_init, (self.out_features,), "Dense: bias_init"), backend=current_backend())
            if bias
            else None
        )

    def forward(self, x: Any, activation: str | None = None) -> Any:
        """x @ weight + bias, then `activation` by name: `Sequential` passes that of the layer that follows."""
        x = arrayed(x)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise misfit(self, tuple(x.shape), self.in_features)
        return dense(x, self.weight, self.bias, activation=activation)

    def config(self) -> dict[str, Any]:
        """in_features, out_features, bias."""
        return {"in_features": self.in_features, "out_features": self.out_features, "bias": self.bias is not None}
