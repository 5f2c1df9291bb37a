"""Weights of samples and smoothed labels in the losses, against NumPy's sums and closed forms."""

import numpy as np
import pytest

import minidl
from minidl import nn
from minidl.errors import LabelError, OptionError, ShapeError

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((5, 3))
LABELS = np.array([0, 2, 1, 1, 0])
TARGETS = RNG.random((5, 3))
WEIGHTS = np.array([0.0, 1.0, 2.0, 0.5, 3.0])
LOG_P = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))

SIGMOID = 1 / (1 + np.exp(-LOGITS))
LOSSES = {
    "softmax_cross_entropy": (nn.softmax_cross_entropy, LABELS, -LOG_P[np.arange(5), LABELS]),
    "mean_squared_error": (nn.mean_squared_error, TARGETS, (LOGITS - TARGETS) ** 2),
    "binary_cross_entropy_with_logits": (
        nn.binary_cross_entropy_with_logits,
        TARGETS,
        -TARGETS * np.log(SIGMOID) - (1 - TARGETS) * np.log(1 - SIGMOID),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_weights_multiply_the_losses_of_their_samples_and_the_mean_divides_by_all(name):
    loss, y, each = LOSSES[name]
    weighted = each * (WEIGHTS if each.ndim == 1 else WEIGHTS[:, None])
    for reduction, expected in (("none", weighted), ("sum", weighted.sum()), ("mean", weighted.mean())):
        np.testing.assert_allclose(loss(LOGITS, y, reduction, sample_weight=WEIGHTS), expected, rtol=1e-12)
    np.testing.assert_allclose(loss(LOGITS, y, sample_weight=WEIGHTS.tolist()), weighted.mean(), rtol=1e-12)
    minidl.check_grads(lambda z: loss(z, y, sample_weight=WEIGHTS), LOGITS)


@pytest.mark.parametrize("name", LOSSES)
def test_weights_of_one_change_nothing_and_none_widens(name):
    loss, y, _ = LOSSES[name]
    np.testing.assert_allclose(loss(LOGITS, y, sample_weight=np.ones(5)), loss(LOGITS, y), rtol=1e-12)
    small = LOGITS.astype(np.float32)
    y = y if y.dtype.kind == "i" else y.astype(np.float32)
    assert loss(small, y, sample_weight=WEIGHTS).dtype == np.float32


@pytest.mark.parametrize("name", LOSSES)
def test_weights_of_another_shape_are_refused(name):
    loss, y, _ = LOSSES[name]
    for weights in (WEIGHTS[:4], WEIGHTS[:, None], 2.0):
        with pytest.raises(ShapeError, match=rf"{name}: expected weights of shape \(5,\), one for each sample, got"):
            loss(LOGITS, y, sample_weight=weights)


@pytest.mark.parametrize("smoothing", [0.1, 0.5, 1.0])
def test_smoothed_labels_are_probabilities_between_one_hot_and_all_alike(smoothing):
    wanted = (1 - smoothing) * np.eye(3)[LABELS] + smoothing / 3
    each = -(wanted * LOG_P).sum(axis=1)
    found = nn.softmax_cross_entropy(LOGITS, LABELS, "none", label_smoothing=smoothing)
    np.testing.assert_allclose(found, each, rtol=1e-12)
    both = nn.softmax_cross_entropy(LOGITS, LABELS, label_smoothing=smoothing, sample_weight=WEIGHTS)
    np.testing.assert_allclose(both, (each * WEIGHTS).mean(), rtol=1e-12)
    minidl.check_grads(lambda z: nn.softmax_cross_entropy(z, LABELS, label_smoothing=smoothing), LOGITS)


def test_soft_labels_are_the_probabilities_of_the_classes():
    q = TARGETS / TARGETS.sum(axis=1, keepdims=True)
    each = -(q * LOG_P).sum(axis=1)
    np.testing.assert_allclose(nn.softmax_cross_entropy(LOGITS, q, "none"), each, rtol=1e-12)
    np.testing.assert_allclose(
        nn.softmax_cross_entropy(LOGITS, q, sample_weight=WEIGHTS), (each * WEIGHTS).mean(), rtol=1e-12
    )
    one_hot = np.eye(3)[LABELS]
    for smoothing in (0.0, 0.2):
        hard, soft = (nn.softmax_cross_entropy(LOGITS, y, label_smoothing=smoothing) for y in (LABELS, one_hot))
        np.testing.assert_allclose(soft, hard, rtol=1e-12)
    minidl.check_grads(lambda z: nn.softmax_cross_entropy(z, q), LOGITS)
    teacher = nn.softmax(minidl.Tensor(LOGITS[::-1].copy()))
    assert nn.softmax_cross_entropy(minidl.Tensor(LOGITS), teacher).item() > 0


@pytest.mark.parametrize("wrong", [TARGETS, np.eye(3)[LABELS] * 2 - 1, np.full((5, 3), np.nan)])
def test_soft_labels_that_are_no_probabilities_are_told_of_by_row(wrong):
    with pytest.raises(LabelError, match=r"labels of row 0, .*are no probabilities.*binary_cross_entropy_with_logits"):
        nn.softmax_cross_entropy(LOGITS, wrong)


def test_smoothing_is_a_share():
    for wrong in (-0.1, 1.5, np.nan):
        with pytest.raises(OptionError, match="label_smoothing=.*from 0 to 1"):
            nn.softmax_cross_entropy(LOGITS, LABELS, label_smoothing=wrong)
