"""What a `Dataset`'s own function makes of its inputs, anew for each epoch of a training."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    from .dataset import Dataset

# The inputs (N, D) and where to draw from -> an array of the same shape and dtype.
Transform: TypeAlias = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def transformed(dataset: "Dataset", seed: int) -> np.ndarray:
    """The inputs (N, D) as the data set's transform makes them from `seed`, in memory of their own.

    Raises `DataError` for a result of another shape or dtype: everything behind it is made for those.
    """
    inputs = dataset.inputs.copy()  # a function that writes into what it is given does no harm
    assert dataset.transform is not None
    made = dataset.transform(inputs, np.random.default_rng(seed))
    if made is inputs:
        return inputs
    if not isinstance(made, np.ndarray) or (made.shape, made.dtype) != (inputs.shape, inputs.dtype):
        raise DataError(
            f"{dataset.name}: transform: expected {_said(inputs)} as it was given, got {_said(made)}: return the "
            f"inputs' shape and dtype"
        )
    inputs[...] = made
    return inputs


def label(transform: Transform) -> str:
    """What a transform is called in messages and checkpoints: the same in every process."""
    text = repr(transform)
    return text if " at 0x" not in text else getattr(transform, "__qualname__", type(transform).__qualname__)


def _said(values: Any) -> str:
    return f"{values.dtype}{list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
