"""Losses: their values, their stability, and what they say about bad labels."""

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn
from minidl.errors import LabelError, MixedBackendError, OptionError, ShapeError

LOGITS = np.array([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0]])


def test_softmax_cross_entropy_is_minus_the_log_of_the_probability():
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    each = -np.log(p[[0, 1], [0, 2]])
    np.testing.assert_allclose(nn.softmax_cross_entropy(Tensor(LOGITS), [0, 2], reduction="none").numpy(), each)
    assert nn.softmax_cross_entropy(Tensor(LOGITS), [0, 2]).item() == pytest.approx(each.mean())
    assert nn.softmax_cross_entropy(Tensor(LOGITS), [0, 2], reduction="sum").item() == pytest.approx(each.sum())


def test_its_gradient_is_softmax_minus_one_hot_over_the_batch():
    logits = Tensor(LOGITS, requires_grad=True)
    nn.softmax_cross_entropy(logits, np.array([0, 2])).backward()
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(logits.grad.numpy(), (p - np.eye(3)[[0, 2]]) / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_logits_of_a_billion_give_finite_losses_and_gradients(dtype, reduction):
    logits = Tensor(np.array([[1e9, -1e9, 0], [-1e9, 1e9, 1e9], [1e9, 1e9, 1e9]], dtype), requires_grad=True)
    loss = nn.softmax_cross_entropy(logits, np.array([1, 1, 0]), reduction=reduction)
    loss.sum().backward()
    assert np.isfinite(loss.numpy()).all()
    assert np.isfinite(logits.grad.numpy()).all()
    if reduction == "none":
        np.testing.assert_allclose(loss.numpy(), [2e9, np.log(2), np.log(3)], rtol=1e-6)


def test_binary_cross_entropy_agrees_with_its_definition_and_is_stable():
    x, t = np.array([-2.0, 0.0, 3.0]), np.array([0.0, 1.0, 0.3])
    s = 1 / (1 + np.exp(-x))
    each = -t * np.log(s) - (1 - t) * np.log(1 - s)
    np.testing.assert_allclose(nn.binary_cross_entropy_with_logits(Tensor(x), t, reduction="none").numpy(), each)
    huge = Tensor(np.array([1e9, -1e9, 1e9, -1e9]), requires_grad=True)
    loss = nn.binary_cross_entropy_with_logits(huge, np.array([1.0, 0.0, 0.0, 1.0]), reduction="none")
    np.testing.assert_allclose(loss.numpy(), [0, 0, 1e9, 1e9])
    loss.sum().backward()
    np.testing.assert_allclose(huge.grad.numpy(), [0, 0, 1, -1])


@pytest.mark.parametrize("target", [0.0, 0.3, 1.0])
def test_logistic_regression_that_starts_at_zero_gets_its_gradient_and_curvature(target):
    t = np.array([target])

    def loss(x):
        return nn.binary_cross_entropy_with_logits(x, t, reduction="sum")

    for start in (0.0, -0.0, 1e-8, 3.0):
        s = 1 / (1 + np.exp(-start))
        assert minidl.grad(loss)(np.array([start])).item() == pytest.approx(s - target, abs=1e-12)
        curvature = minidl.grad(lambda x: minidl.grad(loss)(x).sum())(np.array([start])).item()
        assert curvature == pytest.approx(s * (1 - s), abs=1e-12)
    slope = minidl.grad(lambda t: nn.binary_cross_entropy_with_logits(Tensor(np.array([2.0])), t).sum())(t)
    assert slope.item() == -2.0


def test_mean_squared_error():
    assert nn.mean_squared_error(Tensor([1.0, 3.0]), [0.0, 1.0]).item() == 2.5
    with pytest.raises(ShapeError, match=r"\(2, 1\), target \(2,\)"):
        nn.mean_squared_error(Tensor([[1.0], [2.0]]), np.array([1.0, 2.0]))


def test_losses_are_right_at_second_order():
    labels = np.array([0, 2])
    minidl.check_grads(lambda z: nn.softmax_cross_entropy(z, labels), LOGITS)
    minidl.check_grads(lambda z: nn.binary_cross_entropy_with_logits(z, np.eye(3)[:2]), LOGITS)
    minidl.check_grads(lambda z: nn.mean_squared_error(z, np.eye(3)[:2]), LOGITS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            np.array([0, 3]),
            r"label 3 at index 1 is outside 0\.\.2 \(logits have 3 columns\); classes are numbered from 0",
        ),
        (np.array([-1, 0]), r"label -1 at index 0 is outside 0\.\.2"),
        (np.array([0, 200], np.uint8), r"label 200 at index 1"),
        (np.array([0.0, 1.0]), r"must be integers, got float64 \(value 0.0 at index 0\)"),
        (np.array([0.0, np.nan]), r"must be integers, got float64 \(value nan at index 1\)"),
        (np.array([True, False]), r"must be integers, got bool"),
        (np.eye(3, dtype=int)[[0, 2]], r"look one-hot .*argmax\(axis=1\)"),
    ],
)
def test_bad_labels_are_named_by_value_and_index(labels, message):
    with pytest.raises(LabelError, match=message):
        nn.softmax_cross_entropy(Tensor(LOGITS), labels)


def test_label_and_logit_shapes_are_checked():
    with pytest.raises(ShapeError, match=r"expected labels of shape \(2,\), got \(3,\)"):
        nn.softmax_cross_entropy(Tensor(LOGITS), np.array([0, 1, 2]))
    with pytest.raises(ShapeError, match=r"\(batch, classes\), got \(3,\)"):
        nn.softmax_cross_entropy(Tensor(LOGITS[0]), np.array([0]))
    with pytest.raises(OptionError, match="'average'.*'mean', 'sum', 'none'"):
        nn.softmax_cross_entropy(Tensor(LOGITS), np.array([0, 1]), reduction="average")


def test_labels_are_checked_on_the_other_backend_too():
    from strict import StrictArray

    logits = minidl.autograd.wrap(StrictArray(LOGITS))
    with pytest.raises(LabelError, match="label 3 at index 1"):
        nn.softmax_cross_entropy(logits, StrictArray(np.array([0, 3])))
    with pytest.raises(MixedBackendError, match="strict array and another a numpy array"):
        nn.softmax_cross_entropy(logits, np.array([0, 1]))
