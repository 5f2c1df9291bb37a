"""Layers that leave the numbers as they are."""

import math
from typing import Any

from ..errors import ShapeError
from ._module import Module, arrayed


class Flatten(Module):
    """(batch, ...) -> (batch, features)."""

    def forward(self, x: Any) -> Any:
        """All axes but the first become one. Raises `ShapeError` for a single number, which has no batch axis."""
        x = arrayed(x)
        if x.ndim == 0:
            raise ShapeError("Flatten(): expected an input of shape (batch, ...), got a single number")
        return x.reshape((len(x), math.prod(x.shape[1:])))


class Identity(Module):
    """x itself: where a layer is expected and none is wanted."""

    def forward(self, x: Any) -> Any:
        """`x`; any shape."""
        return arrayed(x)
