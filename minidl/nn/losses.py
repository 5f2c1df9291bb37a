"""Losses: how wrong the model is, as one number to minimise (or one per sample)."""

from typing import Any

import numpy as np

from .. import ops
from ..backend import Array, array_module, same_backend, to_numpy
from ..errors import LabelError, OptionError, ShapeError
from ..ops.shape import plain

_REDUCTIONS: dict[str, Any] = {"mean": ops.mean, "sum": ops.sum, "none": lambda loss: loss}


def softmax_cross_entropy(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    """-log softmax(logits)[label]: the loss of a classifier.

    `logits`: (B, C), floating, *before* any softmax; `labels`: (B,) integers in [0, C). `reduction`:
    "mean" or "sum" over the batch, or "none" for a loss per sample, (B,). Finite for logits of any size
    (the largest is subtracted first). Raises `LabelError` with value and index for labels that are out
    of range, not integers or one-hot; `ShapeError` and `OptionError` for the rest.
    """
    _check_reduction("softmax_cross_entropy", reduction)
    return ops.softmax_cross_entropy(logits, check_labels(labels, logits), reduction=reduction)


def mean_squared_error(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """(prediction - target)²; "mean" is over all elements. Raises `ShapeError` unless the two shapes are equal."""
    _check_reduction("mean_squared_error", reduction)
    target = _same_shape("mean_squared_error", prediction, target)
    return _REDUCTIONS[reduction](ops.square(prediction - target))


def binary_cross_entropy_with_logits(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """-t log σ(x) - (1 - t) log(1 - σ(x)), computed as softplus(x) - t x, so finite for x of any size.

    `logits` and `target` (0 or 1, or a probability) have the same shape; "mean" is over all elements.
    Raises `ShapeError` if their shapes differ.
    """
    _check_reduction("binary_cross_entropy_with_logits", reduction)
    target = _same_shape("binary_cross_entropy_with_logits", logits, target)
    # x - t x where x > 0, -t x elsewhere: no difference of two huge numbers when t is 1
    loss = ops.relu(logits) - logits * target + ops.log1p(ops.exp(-ops.absolute(logits)))
    return _REDUCTIONS[reduction](loss)


def check_labels(labels: Any, logits: Any) -> Array:
    """`labels` as an array (B,) of class numbers that fit `logits` (B, C); else `LabelError` or `ShapeError`."""
    labels, scores = plain(labels), plain(logits)
    if not hasattr(labels, "dtype"):
        labels = array_module(scores).asarray(labels)
    same_backend("softmax_cross_entropy", scores, labels)
    if scores.ndim != 2:
        raise ShapeError(f"softmax_cross_entropy: logits must have shape (batch, classes), got {tuple(scores.shape)}")
    count, classes = scores.shape
    if labels.ndim == 2 and labels.shape == scores.shape:
        raise LabelError(
            f"softmax_cross_entropy: labels of shape {tuple(labels.shape)} look one-hot (row 0: {labels[0]}): "
            f"give class numbers, shape ({count},): labels.argmax(axis=1)"
        )
    if labels.shape != (count,):
        raise ShapeError(f"softmax_cross_entropy: expected labels of shape ({count},), got {tuple(labels.shape)}")
    if count and labels.dtype.kind not in "iu":
        found = to_numpy(labels)
        wrong = int(np.isnan(found).argmax()) if found.dtype.kind == "f" else 0
        raise LabelError(
            f"softmax_cross_entropy: labels must be integers, got {found.dtype} (value {found[wrong]} at "
            f"index {wrong}): labels.astype('int64'), once they are whole numbers"
        )
    if count and (labels.max().item() >= classes or (labels.dtype.kind == "i" and labels.min().item() < 0)):
        found = to_numpy(labels)
        wrong = int(((found < 0) | (found >= classes)).argmax())
        hint = "; classes are numbered from 0" if found[wrong] == classes else ""
        raise LabelError(
            f"softmax_cross_entropy: label {found[wrong]} at index {wrong} is outside 0..{classes - 1} "
            f"(logits have {classes} columns){hint}"
        )
    return labels


def _check_reduction(where: str, reduction: str) -> None:
    if reduction not in _REDUCTIONS:
        raise OptionError(f"{where}: unknown reduction {reduction!r}: choose one of 'mean', 'sum', 'none'")


def _same_shape(where: str, prediction: Any, target: Any) -> Any:
    """`target` as an array, if its shape is exactly that of `prediction`: broadcasting here is always a mistake."""
    if not hasattr(target, "dtype"):
        target = array_module(plain(prediction)).asarray(target, dtype=prediction.dtype)
    if target.shape != prediction.shape:
        raise ShapeError(f"{where}: prediction has shape {tuple(prediction.shape)}, target {tuple(target.shape)}")
    return target
