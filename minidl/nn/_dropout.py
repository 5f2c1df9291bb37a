"""Dropout (Srivastava et al. 2014)."""

from typing import Any

import numpy as np

from .. import hooks
from ..backend import Backend, backend_of, generator, registry, to_backend
from ..errors import OptionError
from ..guards import mark_evaluation, warn_if_untracked_training
from ..ops.shape import plain
from ._module import Module, arrayed
from ._shared_batch import SharedBatch, shared_batch


class Dropout(Module):
    """In training, set each element to 0 with probability `rate` and scale the others by 1 / (1 - rate).

    So the expected value stays; in evaluation mode (``model.eval()``) the layer does nothing. Any shape. The
    masks are drawn on the CPU from the "dropout" stream of `minidl.seed`.

    Args:
        rate: the share that is dropped, in [0, 1).

    Raises:
        OptionError: unless 0 <= rate < 1.
    """

    def __init__(self, rate: float = 0.5) -> None:
        if not 0 <= rate < 1:
            raise OptionError(f"Dropout: rate is the share that is dropped, in [0, 1), got {rate!r}")
        self.rate = rate

    def forward(self, x: Any) -> Any:
        """`x` with a share `rate` of it dropped, in training mode; `x` itself in evaluation mode."""
        x = arrayed(x)
        if self.rate == 0:
            return x
        if not self.training:
            return mark_evaluation(x, self)
        warn_if_untracked_training(self)
        return x * hooks.draw(_mask, x.shape, self.rate, x.dtype, backend_of(plain(x)), shared_batch())

    def config(self) -> dict[str, Any]:
        """The rate."""
        return {"rate": self.rate}


def _mask(shape: tuple[int, ...], rate: float, dtype: Any, backend: Backend, shared: SharedBatch | None) -> Any:
    """0 with probability `rate`, else 1 / (1 - rate); of a batch that is `shared`, this process's part."""
    given = registry.get(("dropout mask", backend)) if shared is None else None
    found = None if given is None else given(shape, rate, dtype)
    if found is not None:  # drawn beforehand, for steps that are captured
        return found
    kept = uniform(shape, shared) >= rate
    # scaled where it will be used: a byte for each element travels to a GPU
    return to_backend(kept, backend) * dtype.type(1 / (1 - rate))


def uniform(shape: tuple[int, ...], shared: SharedBatch | None) -> Any:
    """Random numbers in [0, 1) for an array of this shape: rows of those that one process would draw for them all."""
    if shared is None:
        return generator("dropout").random(shape, dtype=np.float32)
    each = shape[0] // shared.rows  # rows of the array for a sample
    drawn = generator("dropout").random((shared.total * each, *shape[1:]), dtype=np.float32)
    return drawn[shared.first * each :][: shape[0]]
