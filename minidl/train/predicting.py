"""What a model makes of data that it is to say something about."""

from typing import Any

import numpy as np

from ..autograd import recording
from ..backend import to_numpy
from ..data import Dataset, Loader
from ..data.reading import inputs_of
from ..errors import DataError
from ..hardware.arithmetic import computes
from ..nn import Module
from ..nn._module import in_mode
from ..ops.shape import plain


@computes
def predict(model: Module, inputs: Any, *, batch_size: int = 1000) -> np.ndarray:
    """The model's outputs for `inputs`, in evaluation mode, without recording, in batches.

    For a classifier ``predict(model, images).argmax(axis=1)`` are the classes, and
    ``nn.softmax(predict(model, images))`` their probabilities.

    Args:
        model: left in the mode that it was in.
        inputs: (N, ...), what a `Dataset` takes as inputs, or a `Dataset`: flattened to (N, D), and scaled to [0, 1]
            if it is uint8 (and only then), as in training.
        batch_size: samples for each forward pass; it changes nothing but speed and memory.

    Returns:
        A NumPy array (N, ...) of what the model gives, (N, C) for a classifier.

    Raises:
        DataError, DTypeError: for `inputs` that are no samples.
        OptionError: for a `batch_size` that is no integer above 0.
        ShapeError: if they do not fit the model.
    """
    samples = inputs if isinstance(inputs, Dataset) else _unlabelled(inputs)
    loader = Loader(samples, min(batch_size, len(samples)), shuffle=False)
    with in_mode(model, training=False), recording(False):
        outputs = [to_numpy(plain(model(x))) for x, _ in loader.batches(None)]  # which transforms nothing
    return np.concatenate(outputs)


def _unlabelled(inputs: Any) -> Dataset:
    """A data set of `inputs`, with labels that nobody looks at."""
    samples = inputs_of(inputs, "predict")
    if samples.ndim == 0:
        raise DataError(f"predict: expected samples of shape (N, ...), got {type(inputs).__name__}")
    return Dataset(samples, np.zeros(len(samples), np.int64), name="predict")
