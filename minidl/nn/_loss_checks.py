"""What losses have in common: output and target are checked to fit one another, and what comes out is reduced."""

from typing import Any

import numpy as np

from .. import hooks, ops
from ..arrays import Array, as_array, is_array
from ..backend import array_module, backend_of, same_backend, to_numpy
from ..errors import DataError, LabelError, OptionError, ShapeError
from ..graph import arguments, maker
from ..guards import warn
from ..operands import as_operands, recorded
from ..ops.nn import Reduction
from ..ops.shape import plain

REDUCTIONS: dict[str, Any] = {"mean": ops.mean, "sum": ops.sum, "none": lambda loss: loss}
_ROUNDING = 1e-3  # by so much may numbers that were computed, and sums of probabilities, lie beyond a limit


def check_labels(labels: Any, scores: Any, where: str = "softmax_cross_entropy", scores_are: str = "logits") -> Array:
    """`labels` as an array (B,) of class numbers that fit `scores` (B, C); else `LabelError` or `ShapeError`."""
    labels, scores = plain(labels), plain(scores)
    if not is_array(labels):
        listed = isinstance(labels, list | tuple)
        labels = as_array(labels, where)
        labels = array_module(scores).asarray(labels) if listed else labels
    same_backend(where, scores, labels)
    if scores.ndim != 2:
        fix = f": for a single sample, {scores_are}[None] and labels[None]" if scores.ndim == 1 else ""
        raise ShapeError(f"{where}: {scores_are} must have shape (batch, classes), got {tuple(scores.shape)}{fix}")
    count, classes = scores.shape
    if labels.ndim == 2 and labels.shape == scores.shape:
        raise LabelError(
            f"{where}: labels of shape {tuple(labels.shape)} look one-hot (row 0: {labels[0]}): "
            f"give class numbers, shape ({count},): labels.argmax(axis=1)"
        )
    if labels.shape != (count,):
        raise ShapeError(f"{where}: expected labels of shape ({count},), got {tuple(labels.shape)}")
    if count and labels.dtype.kind not in "iu":
        found = to_numpy(labels)
        wrong = int(np.isnan(found).argmax()) if found.dtype.kind == "f" else 0
        raise LabelError(
            f"{where}: labels must be integers, got {found.dtype} (value {found[wrong]} at "
            f"index {wrong}): labels.astype('int64'), once they are whole numbers"
        )
    home, op = backend_of(labels), ops.softmax_cross_entropy
    if home == "numpy" or where != op.name or home not in op.kernels:
        # reading labels off a GPU waits for it: that op's kernel marks wrong ones by NaN
        hooks.check(check_range, labels, classes, where, scores_are)
    return labels


def soft_labels(labels: Any, logits: Any) -> Any:
    """`labels` as an array or Tensor in the logits' dtype if they are the probabilities of the classes; else None.

    Raises `LabelError` for a row that is no distribution.
    """
    if getattr(labels, "ndim", 0) != 2 or labels.dtype.kind != "f" or labels.shape != logits.shape:
        return None
    _, labels = as_operands("softmax_cross_entropy", logits, labels)
    same_backend("softmax_cross_entropy", plain(logits), plain(labels))
    if backend_of(plain(labels)) != "cupy":  # reading them off a GPU waits for it
        hooks.check(_check_distributions, plain(labels))
    return labels.astype(logits.dtype)


def _check_distributions(rows: Array) -> None:
    wrong = ~(abs(rows.sum(axis=1) - 1) <= _ROUNDING) | (rows < 0).any(axis=1)  # NaN is wrong, too
    if wrong.any():
        index = int(wrong.argmax())
        raise LabelError(
            f"softmax_cross_entropy: labels of row {index}, {rows[index]}, are no probabilities of classes: numbers "
            f"of at least 0, with the sum 1; where several classes may hold: nn.binary_cross_entropy_with_logits"
        )


def check_range(labels: Array, classes: int, where: str = "softmax_cross_entropy", scores_are: str = "logits") -> None:
    """Raise `LabelError`, with value and index, unless the integers `labels` are all in [0, classes)."""
    if not labels.size or (labels.max().item() < classes and (labels.dtype.kind == "u" or labels.min().item() >= 0)):
        return
    found = to_numpy(labels)
    wrong = int(((found < 0) | (found >= classes)).argmax())
    hint = "; classes are numbered from 0" if found[wrong] == classes else ""
    raise LabelError(
        f"{where}: label {found[wrong]} at index {wrong} is outside 0..{classes - 1} "
        f"({scores_are} have {classes} columns){hint}"
    )


def check_reduction(where: str, reduction: str) -> None:
    """Raise `OptionError` for an unknown reduction."""
    if reduction not in REDUCTIONS:
        raise OptionError(f"{where}: unknown reduction {reduction!r}: choose one of 'mean', 'sum', 'none'")


def check_logits(where: str, logits: Any) -> None:
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


def same_shape(where: str, prediction: Any, target: Any) -> tuple[Any, Any]:
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


def reduced(where: str, losses: Any, reduction: Reduction, sample_weight: Any = None) -> Any:
    """`losses` (B, ...), multiplied by the weights (B,) of their samples, if there are any, and reduced.

    Raises `ShapeError` for weights of another shape.
    """
    if sample_weight is not None:
        _, weights = as_operands(where, losses, sample_weight)
        if weights.shape != losses.shape[:1]:
            raise ShapeError(
                f"{where}: expected weights of shape {tuple(losses.shape[:1])}, one for each sample, got "
                f"{tuple(weights.shape)}"
            )
        losses = losses * weights.astype(losses.dtype).reshape(weights.shape + (1,) * (losses.ndim - 1))
    return REDUCTIONS[reduction](losses)


def check_between(where: str, what: str, values: Any, low: float, high: float, fix: str) -> None:
    """Raise `DataError`, with value, index and `fix`, unless `values` are all in [low, high].

    NaN passes, for others to find. On a GPU, whose results are not waited for here, nothing is checked.
    """
    values = plain(values)
    if backend_of(values) != "cupy":
        hooks.check(_check_between, values, where, what, low, high, fix)


def _check_between(values: Array, where: str, what: str, low: float, high: float, fix: str) -> None:
    wrong = (values < low - _ROUNDING) | (values > high + _ROUNDING)
    if wrong.any():
        limits = f"in [{low:g}, {high:g}]" if low > -np.inf else f"at most {high:g}"
        raise DataError(f"{where}: {what} must be {limits}, got {_first(values, wrong)}: {fix}")


def check_signs(where: str, target: Any) -> None:
    """Raise `LabelError`, with value and index, unless all of `target` is -1 or 1; not on a GPU."""
    target = plain(target)
    if backend_of(target) != "cupy":
        hooks.check(_check_signs, target, where)


def _check_signs(target: Array, where: str) -> None:
    wrong = abs(target) != 1
    if wrong.any():
        fix = ": of 0 and 1 make them by 2 * target - 1" if (target[wrong] == 0).any() else ""
        raise LabelError(f"{where}: targets are -1 or 1, got {_first(target, wrong)}{fix}")


def _first(values: Array, wrong: Array) -> str:
    """The first of the `values` that are `wrong`, and where it is."""
    found = to_numpy(values)
    index = np.unravel_index(to_numpy(wrong).argmax(), found.shape)
    return f"{found[index]:g} at index {tuple(map(int, index))}"
