"""A parameter whose shape the first input decides."""

from typing import Any

from ..backend import Backend, to_backend
from ..errors import StateError
from ._module import Module, Parameter
from .init import Initialiser, Shape, function_of, initial


class LazyParameter(Parameter):
    """A parameter of `layer` that has no values yet; whatever needs them is a `StateError` that says what to do.

    It is frozen, shared and found as any other, and becomes one in `become`, by the initialiser that it was given;
    `what` that is called in errors.
    """

    def __init__(self, layer: Any, initialiser: Initialiser, what: str) -> None:
        self.requires_grad = True
        self._layer, self._initialiser, self._what = layer, function_of(initialiser, what), what

    @property
    def _array(self) -> Any:
        raise StateError(
            f"{self._layer!r} has no weight yet, for it takes on as many inputs as the first batch has that it is "
            f"given: call the model on one, model(x), before its parameters are counted, copied, saved, moved or given "
            f"to an optimizer; or say how many, Dense(inputs, {self._layer.out_features})"
        )

    def become(self, shape: Shape, backend: Backend) -> None:
        """Draw values of this shape, and become a parameter like any other."""
        values = initial(self._initialiser, shape, self._what)
        del self._layer, self._initialiser, self._what
        self.__class__ = Parameter  # type: ignore[assignment]  # whoever holds it, holds the parameter
        vars(self)["_array"] = to_backend(values, backend)

    def _repr_html_(self) -> str:
        return repr(self).strip("<>")

    def __repr__(self) -> str:
        return f"<the weight of {self._layer!r}, not called yet>"


def has_shape(model: Module) -> bool:
    """Whether all parameters of `model` have their shapes and values."""
    return not any(isinstance(parameter, LazyParameter) for parameter in model.parameters())
