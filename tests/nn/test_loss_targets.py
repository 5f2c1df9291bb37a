"""Losses of numbers, of probabilities and of signs: closed forms, edges, and what they say about what does not fit."""

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn
from minidl.errors import DataError, LabelError, OptionError, ShapeError

SCORES = np.array([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0]])
SHARES = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])


def slope(loss, x, *rest, **options):
    """The gradient of the sum of a loss at x."""
    return minidl.grad(lambda x: loss(x, *rest, "sum", **options))(np.array(x, float)).numpy()


def test_absolute_errors_have_the_sign_as_slope_and_none_where_there_is_no_error():
    assert nn.mean_absolute_error(Tensor([1.0, 5.0]), [0.0, 1.0]).item() == 2.5
    assert slope(nn.mean_absolute_error, [1.0, -1.0, 2.0], np.array([0.0, 0.0, 2.0])).tolist() == [1, -1, 0]


def test_huber_is_a_parabola_that_goes_on_straight_from_delta():
    e = np.array([-3.0, -0.5, 0.0, 0.5, 2.0, 10.0])
    np.testing.assert_allclose(nn.huber(e, 0 * e, "none"), [2.5, 0.125, 0, 0.125, 1.5, 9.5])
    np.testing.assert_allclose(nn.huber(e, 0 * e, "none", delta=2.0), [4, 0.125, 0, 0.125, 2, 18])
    assert slope(nn.huber, e, 0 * e).tolist() == [-1, -0.5, 0, 0.5, 1, 1]
    curvature = [minidl.grad(lambda x: minidl.grad(lambda x: nn.huber(x, 0.0))(x))(v).item() for v in (0.0, 0.5, 2.0)]
    assert curvature == [1, 1, 0]


def test_hinge_asks_for_a_margin_of_one_on_the_targets_side():
    x, t = np.array([0.0, 0.5, 1.0, 2.0, -2.0, -0.5]), np.array([1, 1, 1, 1, 1, -1])
    np.testing.assert_allclose(nn.hinge(x, t, "none"), [1, 0.5, 0, 0, 3, 0.5])
    assert slope(nn.hinge, x, t).tolist() == [-1, -1, 0, 0, -1, 1]


def test_likelihood_of_log_softmax_is_softmax_cross_entropy():
    labels = np.array([0, 2])
    for how in ("mean", "sum", "none"):
        found = nn.negative_log_likelihood(nn.log_softmax(SCORES), labels, how)
        np.testing.assert_allclose(found, nn.softmax_cross_entropy(SCORES, labels, how), rtol=1e-12)


def test_binary_cross_entropy_of_sigmoids_is_that_of_logits():
    targets = np.array([[1.0, 0.0, 0.3], [0.0, 1.0, 1.0]])
    for how in ("mean", "sum", "none"):
        found = nn.binary_cross_entropy(nn.sigmoid(SCORES), targets, how)
        np.testing.assert_allclose(found, nn.binary_cross_entropy_with_logits(SCORES, targets, how), rtol=1e-12)


def test_a_probability_of_zero_or_one_that_is_wrong_costs_much_and_stays_finite():
    p = Tensor(np.array([0.0, 1.0, 0.0, 1.0], np.float32), requires_grad=True)
    loss = nn.binary_cross_entropy(p, np.array([0, 1, 1, 0]), "none")
    np.testing.assert_allclose(loss.numpy(), [0, 0, 87.3365, 87.3365], rtol=1e-5)
    loss.sum().backward()
    assert np.isfinite(p.grad.numpy()).all()


def test_divergence_is_zero_of_the_same_distribution_and_counts_zeros_for_nothing():
    q = np.log(
        np.array([[0.25, 0.25, 0.5], [0.2, 0.8, 0.0]]), out=np.full((2, 3), -np.inf), where=[[1, 1, 1], [1, 1, 0]]
    )
    assert nn.kl_divergence(np.log([[0.5, 0.5]]), [[0.5, 0.5]]) == 0
    found = nn.kl_divergence(Tensor(q, requires_grad=True), SHARES, "none")
    np.testing.assert_allclose(found.numpy(), [np.log(2), -np.log(0.8)])
    assert nn.kl_divergence(q, SHARES) == pytest.approx(found.numpy().mean())
    assert slope(nn.kl_divergence, q, SHARES).tolist() == (-SHARES).tolist()


def test_they_are_right_at_second_order():
    minidl.check_grads(lambda z: nn.binary_cross_entropy(nn.sigmoid(z), SHARES), SCORES)
    minidl.check_grads(lambda z: nn.kl_divergence(nn.log_softmax(z), SHARES), SCORES)
    minidl.check_grads(lambda z: nn.negative_log_likelihood(nn.log_softmax(z), [0, 2]), SCORES)
    minidl.check_grads(lambda z: nn.huber(z, SHARES, delta=0.7), SCORES)
    minidl.check_grads(lambda z: nn.hinge(z, np.sign(SCORES)) + nn.mean_absolute_error(z, SHARES), 1.1 * SCORES)


OF_TARGETS = [
    nn.mean_absolute_error,
    nn.huber,
    nn.hinge,
    nn.kl_divergence,
    nn.binary_cross_entropy,
]


@pytest.mark.parametrize("loss", OF_TARGETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_integer_targets_and_lists_leave_the_dtype_what_it_is(loss, dtype):
    x = Tensor(np.full((2, 2), -0.5 if loss is not nn.binary_cross_entropy else 0.5, dtype), requires_grad=True)
    for target in (np.array([[1, 1], [1, 1]]), [[1, 1], [1, 1]]):
        value = loss(x, target)
        assert (value.dtype, value.shape) == (dtype, ())
        assert loss(x, target, "none").dtype == dtype


@pytest.mark.parametrize("loss", OF_TARGETS)
def test_a_sample_of_weight_two_counts_twice_and_one_of_weight_zero_not_at_all(loss):
    p, t = np.array([[0.2, 0.5], [0.4, 0.6], [0.3, 0.8]]), np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    x = np.log(p) if loss is nn.kl_divergence else p
    each = loss(x, t, "none")
    weighted = loss(x, t, "none", sample_weight=[2, 0, 1])
    np.testing.assert_allclose(weighted, each * np.array([2, 0, 1]).reshape(3, *[1] * (each.ndim - 1)))
    assert loss(x, t, sample_weight=[2, 0, 1]) == pytest.approx(weighted.sum() / each.size)
    with pytest.raises(ShapeError, match=r"expected weights of shape \(3,\), one for each sample, got \(2,\)"):
        loss(x, t, sample_weight=[1, 2])


@pytest.mark.parametrize("loss", OF_TARGETS)
def test_shapes_and_reductions_that_are_not_known_are_refused(loss):
    with pytest.raises(ShapeError, match=r"\(2, 1\), target \(2,\): give the target a last axis"):
        loss(Tensor([[0.5], [0.5]]), np.array([1.0, 1.0]))
    with pytest.raises(OptionError, match="'average'.*'mean', 'sum', 'none'"):
        loss(Tensor([0.5]), np.array([1.0]), "average")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.hinge(SCORES, (SHARES > 0) * 1), LabelError, r"got 0 at index \(0, 2\): of 0 and 1 make .* 2 \* target - 1"),
        (lambda: nn.hinge(SCORES, SHARES + 1), LabelError, r"targets are -1 or 1, got 1\.5 at index \(0, 0\)$"),
        (lambda: nn.binary_cross_entropy(SCORES, SHARES), DataError, r"probabilities must be in \[0, 1\], got 2 at index \(0, 0\): take nn.sigmoid"),
        (lambda: nn.kl_divergence(SHARES, SHARES), DataError, r"log_probabilities must be at most 0, got 0\.5 at .*log_softmax"),
        (lambda: nn.kl_divergence(-SHARES, np.log(SHARES + 1) * 9), DataError, r"target must be in \[0, 1\], got 3"),
        (lambda: nn.kl_divergence(-1.0, 0.5), ShapeError, "got single numbers"),
        (lambda: nn.negative_log_likelihood(SCORES, [0, 1]), DataError, "log_softmax"),
        (lambda: nn.negative_log_likelihood(-SCORES**2, [0, 3]), LabelError, r"negative_log_likelihood: label 3 at index 1 .*log_probabilities have 3"),
        (lambda: nn.negative_log_likelihood(-SCORES**2, SHARES), LabelError, "look one-hot"),
        (lambda: nn.negative_log_likelihood(-SCORES[0] ** 2, [0]), ShapeError, r"log_probabilities must have shape \(batch, classes\), got \(3,\)"),
        (lambda: nn.huber(SCORES, SHARES, delta=0), OptionError, "delta must be above 0, got 0"),
        (lambda: nn.mean_absolute_error(SCORES, np.array([0, 1])), ShapeError, "one-hot"),
    ],
)  # fmt: skip
def test_what_the_equation_is_not_about_is_named_by_value_and_index(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_nan_is_left_for_others_to_find_and_rounding_is_no_fault():
    nan = np.full((2, 3), np.nan)
    assert np.isnan(nn.kl_divergence(nan, SHARES))
    assert np.isnan(nn.binary_cross_entropy(nan, SHARES))
    nn.negative_log_likelihood(np.float32([[1e-7, -20]]), [0])
    nn.binary_cross_entropy(np.float32([1 + 1e-6]), [1])
