"""Dropout (Srivastava et al. 2014)."""

from typing import Any

import numpy as np

from ..backend import backend_of, generator, to_backend
from ..errors import OptionError
from ..ops.shape import plain
from .module import Module


class Dropout(Module):
    """In training, set each element to 0 with probability `rate` and scale the others by 1 / (1 - rate).

    So the expected value stays, and in use (``model.eval()``) the layer does nothing. Any shape. The masks
    are drawn on the CPU from the "dropout" stream of `minidl.seed`. Raises `OptionError` unless 0 <= rate < 1.
    """

    def __init__(self, rate: float = 0.5) -> None:
        if not 0 <= rate < 1:
            raise OptionError(f"Dropout: rate is the share that is dropped, in [0, 1), got {rate!r}")
        self.rate = rate

    def forward(self, x: Any) -> Any:
        """`x` with a share `rate` of it dropped, in training; `x` itself in use."""
        if not self.training or self.rate == 0:
            return x
        kept = generator("dropout").random(x.shape, dtype=np.float32) >= self.rate
        mask = kept.astype(x.dtype) * x.dtype.type(1 / (1 - self.rate))
        return x * to_backend(mask, backend_of(plain(x)))

    def config(self) -> dict[str, Any]:
        """The rate."""
        return {"rate": self.rate}
