"""Losses: how wrong the model is, as one number to minimise (or one per sample)."""

from typing import Any

import numpy as np

from .. import hooks, ops
from ..arrays import Array, ArrayLike, as_array, is_array
from ..backend import array_module, backend_of, same_backend, to_numpy
from ..errors import LabelError, OptionError, ShapeError
from ..graph import arguments, maker
from ..guards import warn
from ..operands import as_operands, recorded
from ..ops.nn import Reduction
from ..ops.shape import plain

_REDUCTIONS: dict[str, Any] = {"mean": ops.mean, "sum": ops.sum, "none": lambda loss: loss}


def softmax_cross_entropy(logits: Array, labels: ArrayLike, reduction: Reduction = "mean") -> Any:
    """-log softmax(logits)[label]: the loss of a classifier.

    Finite for logits of any size (the largest is subtracted first). Lists count as arrays.

    Args:
        logits: (B, C), floating, *before* any softmax.
        labels: (B,) integers in [0, C).
        reduction: "mean" or "sum" over the batch, or "none" for a loss per sample.

    Returns:
        A single element, or (B,) with "none"; in the logits' dtype.

    Raises:
        LabelError: with value and index, for labels that are out of range, not integers, or one-hot. On a GPU, whose
            results are not waited for here, a label out of range makes loss and gradient NaN instead.
        ShapeError: for logits or labels of another shape.
        OptionError: for an unknown reduction.
    """
    _check_reduction("softmax_cross_entropy", reduction)
    _check_logits("softmax_cross_entropy", logits)
    (logits,) = as_operands("softmax_cross_entropy", logits)
    return ops.softmax_cross_entropy(logits, check_labels(labels, logits), reduction=reduction)


def mean_squared_error(prediction: Array, target: Array, reduction: Reduction = "mean") -> Any:
    """(prediction - target)²; "mean" is over all elements. Integer targets count as prediction's dtype.

    Raises `ShapeError` unless the two shapes are equal.
    """
    _check_reduction("mean_squared_error", reduction)
    prediction, target = _same_shape("mean_squared_error", prediction, target)
    return _REDUCTIONS[reduction](ops.square(prediction - target))


def binary_cross_entropy_with_logits(logits: Array, target: Array, reduction: Reduction = "mean") -> Any:
    """-t log σ(x) - (1 - t) log(1 - σ(x)), computed as softplus(x) - t x, so finite for x of any size.

    Its derivative is σ(x) - t everywhere, the second σ(x) (1 - σ(x)). `logits` and `target` (0 or 1,
    or a probability) have the same shape; "mean" is over all elements.
    Raises `ShapeError` if their shapes differ.
    """
    _check_reduction("binary_cross_entropy_with_logits", reduction)
    _check_logits("binary_cross_entropy_with_logits", logits)
    logits, target = _same_shape("binary_cross_entropy_with_logits", logits, target)
    return _REDUCTIONS[reduction](ops.binary_cross_entropy(logits, target))


def check_labels(labels: Any, logits: Any) -> Array:
    """`labels` as an array (B,) of class numbers that fit `logits` (B, C); else `LabelError` or `ShapeError`."""
    labels, scores = plain(labels), plain(logits)
    if not is_array(labels):
        listed = isinstance(labels, list | tuple)
        labels = as_array(labels, "softmax_cross_entropy")
        labels = array_module(scores).asarray(labels) if listed else labels
    same_backend("softmax_cross_entropy", scores, labels)
    if scores.ndim != 2:
        fix = ": for a single sample, logits[None] and labels[None]" if scores.ndim == 1 else ""
        raise ShapeError(
            f"softmax_cross_entropy: logits must have shape (batch, classes), got {tuple(scores.shape)}{fix}"
        )
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
    home = backend_of(labels)
    if home == "numpy" or home not in ops.softmax_cross_entropy.kernels:
        # reading labels off a GPU waits for it: its kernel marks wrong ones by NaN
        hooks.check(check_range, labels, classes)
    return labels


def check_range(labels: Array, classes: int) -> None:
    """Raise `LabelError`, with value and index, unless the integers `labels` are all in [0, classes)."""
    if not labels.size or (labels.max().item() < classes and (labels.dtype.kind == "u" or labels.min().item() >= 0)):
        return
    found = to_numpy(labels)
    wrong = int(((found < 0) | (found >= classes)).argmax())
    hint = "; classes are numbered from 0" if found[wrong] == classes else ""
    raise LabelError(
        f"softmax_cross_entropy: label {found[wrong]} at index {wrong} is outside 0..{classes - 1} "
        f"(logits have {classes} columns){hint}"
    )


def _check_reduction(where: str, reduction: str) -> None:
    if reduction not in _REDUCTIONS:
        raise OptionError(f"{where}: unknown reduction {reduction!r}: choose one of 'mean', 'sum', 'none'")


def _check_logits(where: str, logits: Any) -> None:
    """MDL004, where `logits` are probabilities already: made by softmax or sigmoid, as far as that was recorded."""
    op = maker(logits)
    if op is ops.dense:  # a Dense and the activation behind it run as one
        (activation,) = arguments(logits)[3:] or (None,)  # nobody knows, once its graph is freed
        op = getattr(ops, activation or "", None)
    if op in (ops.softmax, ops.sigmoid):
        warn(
            "MDL004",
            f"{where} was given the result of {op.name}, and takes logits, of which it makes probabilities itself: "
            f"leave the {op.name} out of the model, and apply it where you read probabilities",
        )


def _same_shape(where: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Both as arrays or Tensors, once their shapes are found equal: broadcasting here is always a mistake."""
    (prediction,) = as_operands(where, prediction)
    if isinstance(target, list | tuple | int | float) and not recorded(target):
        target = array_module(plain(prediction)).asarray(as_array(plain(target), where), dtype=prediction.dtype)
    (target,) = as_operands(where, target)
    if target.shape != prediction.shape:
        shapes = f"{where}: prediction has shape {tuple(prediction.shape)}, target {tuple(target.shape)}"
        if prediction.shape == (*target.shape, 1):
            raise ShapeError(f"{shapes}: give the target a last axis, target[..., None]")
        if target.dtype.kind in "iu" and prediction.shape[:-1] == target.shape:
            raise ShapeError(f"{shapes}: make class numbers one-hot, np.eye({prediction.shape[-1]})[target]")
        raise ShapeError(shapes)
    return prediction, target.astype(prediction.dtype) if target.dtype.kind in "iub" else target
