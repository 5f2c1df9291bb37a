"""The fully connected layer."""

import math
from typing import Any, Never

from ..backend import backend_of, current_backend
from ..checks import checked_integer
from ..elsewhere import unexpected
from ..errors import ShapeError
from ..ops import dense
from ..ops.shape import plain
from ._lazy import LazyParameter
from ._module import Module, Parameter, arrayed
from .init import Initialiser, Shape, initial


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


def drawn(how: Initialiser, shape: Shape, what: str) -> Parameter:
    """A parameter with initial values, on the backend that is in use; `what` it is called in errors."""
    return Parameter(initial(how, shape, what), backend=current_backend())


class Dense(Module):
    """y = x @ weight + bias, with weight (in_features, out_features) and bias (out_features,).

    `x` has shape (..., in_features), the result (..., out_features); lists of numbers become float32.

    ``Dense(10)`` has 10 outputs, and takes on as many inputs as the first batch has that it is given. Its weight is
    drawn then, from where `minidl.seed`'s "init" stream stands, and lies where that batch does. Until then `weight` has
    no values: call the model once, ``model(x)``, before an optimizer is made of its parameters. (`summary` with
    ``input_shape=``, `evaluate`, `predict` and `fit` are such calls.)

    Args:
        in_features: the length of x's last axis; None for that of the first input. A single number is out_features.
        out_features: the length of the result's last axis.
        bias: False leaves the bias out.
        weight_init: a name from `minidl.nn.init`, or a function of the shape. He's is the default, made for ReLU
            (He et al. 2015; note B 1.9).
        bias_init: the same for the bias.

    Raises:
        OptionError: for sizes below 1 and for an unknown initialiser.
        ShapeError: in a call, for an input that does not fit.
        StateError: for what needs the weight before it is there.
    """

    def __init__(
        self,
        in_features: int | None = None,
        out_features: int | None = None,
        *,
        bias: bool = True,
        weight_init: Initialiser = "he_normal",
        bias_init: Initialiser = "zeros",
        **unknown: Never,
    ) -> None:
        for name in unknown:
            raise unexpected("Dense", name)
        if out_features is None:
            in_features, out_features = None, in_features
        self.in_features = in_features if in_features is None else checked_integer(in_features, "Dense: in_features", 1)
        self.out_features = checked_integer(out_features, "Dense: out_features", 1)
        self.weight = (
            LazyParameter(self, weight_init, "Dense: weight_init")
            if in_features is None
            else drawn(weight_init, (in_features, self.out_features), "Dense: weight_init")
        )
        self.bias = drawn(bias_init, (self.out_features,), "Dense: bias_init") if bias else None

    def _inputs_of(self, x: Any) -> int:
        """Take on as many inputs as `x` has, unless there is a weight already: that of another layer, shared."""
        if isinstance(self.weight, LazyParameter):
            if x.ndim == 0:
                raise ShapeError(f"{self!r}: expected an input of shape (batch, features), got a single number")
            inputs = checked_integer(x.shape[-1], f"{self!r}: the number of inputs", 1)
            self.weight.become((inputs, self.out_features), backend_of(plain(x)))
        self.in_features = self.weight.shape[0]
        return self.in_features

    def forward(self, x: Any, activation: str | None = None) -> Any:
        """x @ weight + bias, then `activation` by name: `Sequential` passes that of the layer that follows."""
        x = arrayed(x)
        inputs = self.in_features or self._inputs_of(x)
        if x.ndim == 0 or x.shape[-1] != inputs:
            raise misfit(self, tuple(x.shape), inputs)
        return dense(x, self.weight, self.bias, activation=activation)

    def config(self) -> dict[str, Any]:
        """in_features, out_features, bias."""
        return {"in_features": self.in_features, "out_features": self.out_features, "bias": self.bias is not None}
