"""Losses: how wrong the model is, as one number to minimise (or one per sample)."""

import math
from typing import Any

import numpy as np

from .. import ops
from ..arrays import Array, ArrayLike
from ..backend import array_module
from ..errors import OptionError, ShapeError
from ..operands import as_operands
from ..ops.nn import Reduction
from ..ops.shape import plain
from ._loss_checks import (
    check_between,
    check_labels,
    check_logits,
    check_reduction,
    check_signs,
    reduced,
    same_shape,
    soft_labels,
)

_LOGARITHMS = "logarithms of probabilities are wanted, as nn.log_softmax(logits) gives"


def softmax_cross_entropy(
    logits: Array,
    labels: ArrayLike,
    reduction: Reduction = "mean",
    *,
    label_smoothing: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> Any:
    """-log softmax(logits)[label]: the loss of a classifier.

    Finite for logits of any size (the largest is subtracted first). Lists count as arrays.

    With label smoothing ε the label's class is wanted with probability 1 - ε + ε / C and each other one with ε / C, so
    the loss is (1 - ε) (-log p[label]) + ε mean(-log p), p = softmax(logits) (Szegedy et al. 2016, section 7; so do
    PyTorch and Keras).

    Args:
        logits: (B, C), floating, *before* any softmax.
        labels: (B,) integers in [0, C). Or soft labels (B, C), floating: the probability q of each class, for which the
            loss is -Σ q log softmax(logits).
        reduction: "mean" or "sum" over the batch, or "none" for a loss per sample.
        label_smoothing: ε, from 0 to 1.
        sample_weight: (B,), what each sample's loss is multiplied by, before the reduction. "mean" divides by B, as
            Keras does, not by the sum of the weights, as PyTorch does by that of its class weights: so a weight counts
            in a batch of one as well. Class weights are ``sample_weight=class_weight[labels]``.

    Returns:
        A single element, or (B,) with "none"; in the logits' dtype.

    Raises:
        LabelError: with value and index, for labels that are out of range, not integers, or one-hot integers, and for
            soft labels that are no probabilities. On a GPU, whose results are not waited for here, a label out of range
            makes loss and gradient NaN instead.
        ShapeError: for logits, labels or weights of another shape.
        OptionError: for an unknown reduction, or another `label_smoothing`.
    """
    check_reduction("softmax_cross_entropy", reduction)
    check_logits("softmax_cross_entropy", logits)
    (logits,) = as_operands("softmax_cross_entropy", logits)
    soft = soft_labels(labels, logits)
    labels = check_labels(labels, logits) if soft is None else soft
    if soft is None and label_smoothing == 0 and sample_weight is None:
        return ops.softmax_cross_entropy(logits, labels, reduction=reduction)
    if not 0 <= label_smoothing <= 1:
        raise OptionError(f"softmax_cross_entropy: label_smoothing={label_smoothing!r}: give a number from 0 to 1")
    if soft is None:
        losses = ops.softmax_cross_entropy(logits, labels, reduction="none")
    else:
        losses = -ops.sum(soft * ops.log_softmax(logits, -1), 1)
    if label_smoothing:
        of_all = -ops.mean(ops.log_softmax(logits, -1), 1)
        losses = (1 - label_smoothing) * losses + label_smoothing * of_all
    return reduced("softmax_cross_entropy", losses, reduction, sample_weight)


def mean_squared_error(
    prediction: Array, target: Array, reduction: Reduction = "mean", *, sample_weight: ArrayLike | None = None
) -> Any:
    """(prediction - target)²; "mean" is over all elements. Integer targets count as prediction's dtype.

    `sample_weight` (B,) multiplies what belongs to each sample, see `softmax_cross_entropy`.
    Raises `ShapeError` unless the two shapes are equal.
    """
    check_reduction("mean_squared_error", reduction)
    prediction, target = same_shape("mean_squared_error", prediction, target)
    return reduced("mean_squared_error", ops.square(prediction - target), reduction, sample_weight)


def binary_cross_entropy_with_logits(
    logits: Array, target: Array, reduction: Reduction = "mean", *, sample_weight: ArrayLike | None = None
) -> Any:
    """-t log σ(x) - (1 - t) log(1 - σ(x)), computed as softplus(x) - t x, so finite for x of any size.

    Its derivative is σ(x) - t everywhere, the second σ(x) (1 - σ(x)). `logits` and `target` (0 or 1,
    or a probability) have the same shape; "mean" is over all elements.
    `sample_weight` (B,) multiplies what belongs to each sample, see `softmax_cross_entropy`.
    Raises `ShapeError` if their shapes differ.
    """
    check_reduction("binary_cross_entropy_with_logits", reduction)
    check_logits("binary_cross_entropy_with_logits", logits)
    logits, target = same_shape("binary_cross_entropy_with_logits", logits, target)
    losses = ops.binary_cross_entropy(logits, target)
    return reduced("binary_cross_entropy_with_logits", losses, reduction, sample_weight)


def negative_log_likelihood(
    log_probabilities: Array,
    labels: ArrayLike,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
) -> Any:
    """-log p[label], for models that give log p: ``nn.log_softmax`` of logits. `softmax_cross_entropy` does both.

    Args:
        log_probabilities: (B, C), floating, each at most 0.
        labels: (B,) integers in [0, C).
        reduction: "mean" or "sum" over the batch, or "none" for a loss per sample.
        sample_weight: (B,), see `softmax_cross_entropy`.

    Raises:
        LabelError, ShapeError, OptionError: as `softmax_cross_entropy` does.
        DataError: for a number above 0, as probabilities and most logits are.
    """
    where = "negative_log_likelihood"
    check_reduction(where, reduction)
    (log_p,) = as_operands(where, log_probabilities)
    classes = check_labels(labels, log_p, where, "log_probabilities")
    check_between(where, "log_probabilities", log_p, -math.inf, 0, _LOGARITHMS)
    rows = array_module(classes).arange(len(classes))
    return reduced(where, ops.negative(ops.getitem(log_p, (rows, classes))), reduction, sample_weight)


def binary_cross_entropy(
    probabilities: Array, target: Array, reduction: Reduction = "mean", *, sample_weight: ArrayLike | None = None
) -> Any:
    """-t log p - (1 - t) log(1 - p), for models that end in a sigmoid.

    `binary_cross_entropy_with_logits` does without it, and is exact where p rounds to 0 or 1: here a logarithm goes no
    lower than that of the dtype's smallest normal number, -87 in float32, and has no gradient there. `probabilities`
    and `target` (0 or 1, or a probability) have the same shape; "mean" is over all elements.
    `sample_weight` (B,) multiplies what belongs to each sample, see `softmax_cross_entropy`.
    Raises `ShapeError` if their shapes differ, `DataError` for `probabilities` outside [0, 1].
    """
    where = "binary_cross_entropy"
    check_reduction(where, reduction)
    p, t = same_shape(where, probabilities, target)
    check_between(where, "probabilities", p, 0, 1, "take nn.sigmoid of logits, or binary_cross_entropy_with_logits")
    tiny = float(np.finfo(np.result_type(p.dtype, np.float16)).tiny)
    log_p, log_rest = ops.log(ops.maximum(p, tiny)), ops.log(ops.maximum(1 - p, tiny))
    return reduced(where, -(t * log_p + (1 - t) * log_rest), reduction, sample_weight)


def kl_divergence(
    log_probabilities: Array, target: Array, reduction: Reduction = "mean", *, sample_weight: ArrayLike | None = None
) -> Any:
    """The Kullback-Leibler divergence Σ t (log t - log p) of a model's p from the distributions t that it is to learn.

    The sum is over the last axis, and 0 log 0 is 0. Of soft labels, or of another model's probabilities:
    ``kl_divergence(nn.log_softmax(model(x)), nn.softmax(teacher(x)))``.

    Args:
        log_probabilities: (..., C), log p, each at most 0: ``nn.log_softmax`` of logits.
        target: t, the same shape, each in [0, 1].
        reduction: "mean" or "sum" over the samples (PyTorch's "batchmean" is "mean" here), or "none" for (...,).
        sample_weight: what each sample's loss is multiplied by, see `softmax_cross_entropy`.

    Raises:
        ShapeError: if the shapes differ, or are those of single numbers.
        DataError: for a log-probability above 0, or a target outside [0, 1].
        OptionError: for an unknown reduction.
    """
    where = "kl_divergence"
    check_reduction(where, reduction)
    log_p, t = same_shape(where, log_probabilities, target)
    if not t.ndim:
        raise ShapeError(f"{where}: expected distributions of shape (..., classes), got single numbers")
    check_between(where, "log_probabilities", log_p, -math.inf, 0, _LOGARITHMS)
    check_between(where, "target", t, 0, 1, "probabilities are wanted, not their logarithms, nor logits")
    possible = plain(t) > 0
    log_ratio = ops.log(ops.where(possible, t, 1)) - ops.where(possible, log_p, 0)
    return reduced(where, ops.sum(t * log_ratio, -1), reduction, sample_weight)


def mean_absolute_error(
    prediction: Array, target: Array, reduction: Reduction = "mean", *, sample_weight: ArrayLike | None = None
) -> Any:
    """|prediction - target|; "mean" is over all elements. Integer targets count as prediction's dtype.

    Its derivative is the sign, 0 where there is no error.
    `sample_weight` (B,) multiplies what belongs to each sample, see `softmax_cross_entropy`.
    Raises `ShapeError` unless the two shapes are equal.
    """
    where = "mean_absolute_error"
    check_reduction(where, reduction)
    prediction, target = same_shape(where, prediction, target)
    return reduced(where, ops.absolute(prediction - target), reduction, sample_weight)


def huber(
    prediction: Array,
    target: Array,
    reduction: Reduction = "mean",
    *,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
) -> Any:
    """½ e² where |e| <= delta, else delta (|e| - ½ delta), with e = prediction - target (Huber 1964).

    Squared errors, but of outliers absolute ones; "mean" is over all elements. Another delta in `fit`:
    ``loss=functools.partial(nn.huber, delta=0.1)``.
    `sample_weight` (B,) multiplies what belongs to each sample, see `softmax_cross_entropy`.
    Raises `ShapeError` unless the two shapes are equal, `OptionError` unless delta > 0.
    """
    if not delta > 0:
        raise OptionError(f"huber: delta must be above 0, got {delta!r}")
    where = "huber"
    check_reduction(where, reduction)
    prediction, target = same_shape(where, prediction, target)
    error = prediction - target
    slope = ops.clip(error, -delta, delta)
    return reduced(where, slope * (error - 0.5 * slope), reduction, sample_weight)


def hinge(
    prediction: Array, target: Array, reduction: Reduction = "mean", *, sample_weight: ArrayLike | None = None
) -> Any:
    """max(0, 1 - t x): no loss once a score x is on its target's side by 1, t = -1 or 1 (Cortes & Vapnik 1995).

    `prediction` and `target` have the same shape; "mean" is over all elements. Its derivative at the kink is 0.
    `sample_weight` (B,) multiplies what belongs to each sample, see `softmax_cross_entropy`.
    Raises `ShapeError` if their shapes differ, `LabelError` for a target that is neither -1 nor 1.
    """
    where = "hinge"
    check_reduction(where, reduction)
    prediction, target = same_shape(where, prediction, target)
    check_signs(where, target)
    return reduced(where, ops.relu(1 - target * prediction), reduction, sample_weight)
