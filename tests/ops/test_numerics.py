"""Numbers at the edge of what float32 holds: what can be represented comes out finite and right."""

import itertools
import math
import warnings

import numpy as np
import pytest

import minidl
from minidl import Tensor, nn, ops
from minidl.hardware.denormals import flush_denormals
from minidl.optim import rules

HUGE, TINY = np.float32(1e20), np.float32(1e-40)  # the squares of both are outside of float32; TINY is denormal
WARNINGS = "ignore:(overflow|invalid value|divide by zero|underflow) encountered:RuntimeWarning"


def leaf(values, dtype=np.float32):
    return Tensor(np.array(values, dtype), requires_grad=True)


def slopes(f, *points):
    """The gradients of Σ f at the points, as float32 arrays."""
    tensors = [leaf(p) for p in points]
    return [g.numpy() for g in minidl.gradients(f(*tensors).sum(), tensors)]


# squares that overflow or vanish


@pytest.mark.parametrize("scale", [1e20, 1.0, 1e-30])
def test_norm_and_its_gradient_are_right_at_any_size(scale):
    x = leaf(np.array([[3, 4, 0], [0, -5, 12]]) * scale)
    y = minidl.norm(x, axis=1)
    np.testing.assert_allclose(y.numpy(), np.array([5, 13]) * scale, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0.6, 0.8, 0], [0, -5 / 13, 12 / 13]], rtol=1e-6)
    assert minidl.norm(x).item() == pytest.approx(math.sqrt(25 + 169) * scale, rel=1e-6)
    assert minidl.norm(x, keepdims=True).shape == (1, 1)


def test_norm_of_denormals_is_as_exact_as_they_are_and_its_gradient_that_of_zero_where_they_count_as_zero():
    x = leaf([3e-40, 4e-40])
    y = minidl.norm(x)
    assert y.item() == pytest.approx(5e-40, rel=1e-4)
    y.backward()
    with flush_denormals():
        expected = [0.6, 0.8] if x.numpy().any() else [0, 0]
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-4)


def test_norm_of_zeros_infinities_nan_and_nothing_is_numpys():
    for values in ([0.0, 0.0], [np.inf, 1.0], [-np.inf, np.inf], [np.nan, 1.0], []):
        a = np.array(values, np.float32)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(minidl.norm(a), np.linalg.norm(a))
    assert minidl.norm(np.zeros((3, 0)), axis=1).tolist() == [0, 0, 0]


@pytest.mark.parametrize("scale", [1e20, 1.0, 1e-30])
@pytest.mark.parametrize("ddof", [0, 1])
def test_standard_deviation_and_its_gradient_are_right_at_any_size(scale, ddof):
    values = np.array([[1.0, 2.0, 4.0], [3.0, -1.0, 1.0]])
    x, exact = leaf(values * scale), Tensor(values, requires_grad=True)
    y, expected = minidl.std(x, axis=1, ddof=ddof), minidl.std(exact, axis=1, ddof=ddof)
    np.testing.assert_allclose(y.numpy(), values.std(axis=1, ddof=ddof) * scale, rtol=1e-5)
    y.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), exact.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e6 + 0.1, 1e20, 1e-40])
@pytest.mark.parametrize("f", [minidl.std, minidl.var])
def test_where_nothing_varies_the_derivative_is_zero(f, value):
    x = leaf(np.full((7, 2), value))
    y = f(x, axis=0)
    if f is minidl.std:
        assert y.tolist() == [0, 0]
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0, atol=1e-6 * max(value, 1))


def test_the_variance_of_huge_numbers_is_infinite_as_in_numpy():
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert minidl.var(leaf([HUGE, -HUGE])).item() == np.inf


@pytest.mark.parametrize("scale", [1e20, 1.0, 1e-25])
def test_the_derivatives_of_arctan2_are_right_at_any_size(scale):
    a, b = np.array([1.0, -3.0, 0.0, 2.0]) * scale, np.array([1.0, 4.0, 2.0, 0.0]) * scale
    da, db = slopes(minidl.arctan2, a, b)
    np.testing.assert_allclose(da, np.array([0.5, 4 / 25, 0.5, 0]) / scale, rtol=1e-6)
    np.testing.assert_allclose(db, np.array([-0.5, 3 / 25, 0, -0.5]) / scale, rtol=1e-6)


def test_squared_errors_that_overflow_are_infinite_but_their_gradient_is_right():
    x = leaf([HUGE, 1.0])
    with pytest.warns(RuntimeWarning, match="overflow"):
        loss = nn.mean_squared_error(x, np.zeros(2, np.float32))
    loss.backward()
    assert loss.item() == np.inf
    np.testing.assert_allclose(x.grad.numpy(), [1e20, 1])


# every function of one array, and denormals


SMOOTH = (
    "positive negative absolute expm1 square sin tan sinh tanh arcsin arctan relu leaky_relu log1p sum mean prod max "
    "min cumsum sort"
).split()


@pytest.mark.parametrize("name", SMOOTH)
def test_denormal_numbers_pass_through_with_their_value_and_derivative(name):
    values = np.array([1e-40, 3e-42, 2e-39], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = getattr(minidl, name)(leaf(values)).numpy()
        (slope,) = slopes(getattr(minidl, name), values)
    exact = np.asarray(getattr(minidl, name)(values.astype(np.float64)))
    np.testing.assert_allclose(found, exact, rtol=1e-2, atol=2e-45)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (minidl.log, np.log(1e-40)),
        (minidl.sqrt, 1e-20),
        (minidl.cos, 1),
        (minidl.cosh, 1),
        (minidl.exp, 1),
        (minidl.sigmoid, 0.5),
        (minidl.softplus, np.log(2)),
        (lambda a: a / a, 1),
        (lambda a: a / 1e-40, 1),
        (lambda a: a**0.25, 1e-10),
        (lambda a: minidl.logsumexp(minidl.stack([a, a])), np.log(2)),
    ],
)
def test_functions_of_a_denormal_number(f, expected):
    assert f(leaf(1e-40)).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", "sigmoid softplus tanh relu leaky_relu arctan sign expm1 log1p sqrt log".split())
@pytest.mark.parametrize("value", [1e20, 3e38])
def test_functions_that_stay_finite_for_huge_numbers_do_and_so_do_their_derivatives(name, value):
    f = getattr(minidl, name)
    point = -value if name == "expm1" else value
    expected = np.asarray(f(np.float64(point)))
    assert f(leaf(point)).item() == pytest.approx(expected, rel=1e-5)
    if name != "sign":
        with np.errstate(over="ignore"):
            (slope,) = slopes(f, point)
        assert np.isfinite(slope)


# logits


@pytest.mark.parametrize("value", [0.0, 1.0, -1e9, 3e38, -3e38, 1e-40])
@pytest.mark.parametrize("kernels", [True, False])
def test_all_equal_logits_are_equal_probabilities(value, kernels, monkeypatch):
    if not kernels:
        monkeypatch.setattr(ops.softmax_cross_entropy, "kernels", {})
    logits = leaf(np.full((2, 4), value))
    np.testing.assert_allclose(minidl.softmax(logits).numpy(), 0.25, rtol=1e-6)
    np.testing.assert_allclose(minidl.log_softmax(logits).numpy(), -np.log(4), rtol=1e-6)
    loss = nn.softmax_cross_entropy(logits, [0, 3])
    assert loss.item() == pytest.approx(np.log(4))
    loss.backward()
    np.testing.assert_allclose(logits.grad.numpy(), (0.25 - np.eye(4)[[0, 3]]) / 2, rtol=1e-6)


@pytest.mark.parametrize("value", [1e20, -1e20, 3e38, 1e-40])
def test_binary_cross_entropy_of_extreme_logits(value):
    for target, exact in ((1.0, max(-value, 0)), (0.0, max(value, 0))):
        x = leaf([value])
        loss = nn.binary_cross_entropy_with_logits(x, [target])
        assert loss.item() == pytest.approx(exact if abs(value) > 1 else np.log(2), rel=1e-6)
        loss.backward()
        assert x.grad.item() == pytest.approx((value > 1) - target if abs(value) > 1 else 0.5 - target)


# batch normalisation


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("value", [0.0, 1.0, -255.0, 1e4, 1e-40])
@pytest.mark.parametrize("batch", [2, 33, 128])
def test_a_constant_column_is_normalised_to_beta(value, batch, kernels, monkeypatch):
    if not kernels:
        monkeypatch.setattr(ops.batch_norm, "kernels", {})
    layer = nn.BatchNorm(2)
    layer.beta.data[...] = [5.0, -1.0]
    values = np.stack([np.full(batch, value), np.arange(batch)], axis=1)
    x = leaf(values)
    y = layer(x)
    np.testing.assert_allclose(y.numpy()[:, 0], 5.0, rtol=1e-6)
    np.testing.assert_allclose(y.numpy()[:, 1].mean(), -1.0, atol=1e-5)
    y.backward(np.random.default_rng(0).normal(size=y.shape).astype(np.float32))
    assert np.isfinite(x.grad.numpy()).all()
    np.testing.assert_allclose(x.grad.numpy().sum(axis=0), 0, atol=2e-3)  # a shift of the batch changes nothing
    layer.eval()
    assert np.isfinite(layer(x).numpy()).all()


@pytest.mark.parametrize("value", [1000.1, 12345.678, 1e6 + 0.1, 1e20])
def test_in_the_definition_that_holds_for_any_constant(value, monkeypatch):
    monkeypatch.setattr(ops.batch_norm, "kernels", {})
    x, one, zero = leaf(np.full((128, 2), value)), np.ones(2, np.float32), np.zeros(2, np.float32)
    y = ops.batch_norm(x, one, zero)
    assert (y.numpy() == 0).all()
    y.backward(np.random.default_rng(0).normal(size=y.shape).astype(np.float32))
    np.testing.assert_allclose(x.grad.numpy().sum(axis=0), 0, atol=2e-2)


# the rules


def every_rule():
    for kind in (getattr(rules, name) for name in dir(rules)):
        if isinstance(kind, type) and issubclass(kind, rules.Rule) and kind is not rules.Rule:
            modes = getattr(kind.hyperparameters.get("eps_mode"), "values", [None])
            for mode, decay in itertools.product(modes, (0.0, 0.01)):
                options = {"weight_decay": decay} | ({} if mode is None else {"eps_mode": mode})
                yield pytest.param(kind(**options), id=f"{kind.__name__} {mode} {decay}")


def after(rule, gradients, dtype=np.float32):
    """θ and the state, started from θ = 1, after steps with these gradients."""
    theta = np.ones(3, dtype)
    state = rule.init(theta)
    for t, g in enumerate(gradients, 1):
        theta, *state = rule(theta, np.full(3, g, dtype), *state, lr=rule.lr, t=t)
    return theta, state


@pytest.mark.filterwarnings(WARNINGS)
@pytest.mark.parametrize("rule", list(every_rule()))
@pytest.mark.parametrize("gradient", [HUGE, -HUGE, TINY, 0.0])
def test_no_rule_makes_nan_of_huge_tiny_or_absent_gradients(rule, gradient):
    theta, state = after(rule, [gradient] * 3 + [1.0])
    assert np.isfinite(theta).all()
    assert not any(np.isnan(s).any() for s in state)


KEEPING_SQUARES = [
    kind for kind in vars(rules).values() if isinstance(kind, type) and "s" in getattr(kind, "state", ())
]


@pytest.mark.filterwarnings(WARNINGS)
@pytest.mark.parametrize("kind", KEEPING_SQUARES)
def test_a_gradient_whose_square_overflows_stops_its_parameter_for_good(kind):
    """What the equations say: s is infinite from then on. The way out is to clip gradients before the step."""
    theta, state = after(kind(weight_decay=0.0), [1e21, 1.0, 1.0])
    assert theta.tolist() == [1, 1, 1]
    assert np.isinf(state[kind.state.index("s")]).all()
    clipped, _ = after(kind(weight_decay=0.0), [1e18, 1.0, 1.0])
    assert (clipped < 1).all()
    exact, _ = after(kind(weight_decay=0.0), [1e21, 1.0, 1.0], np.float64)
    assert (exact < 1).all()


@pytest.mark.filterwarnings(WARNINGS)
@pytest.mark.parametrize("kind", KEEPING_SQUARES)
def test_it_is_eps_that_keeps_an_absent_gradient_from_being_divided_by_zero(kind):
    assert after(kind(weight_decay=0.0), [0.0])[0].tolist() == [1, 1, 1]
    assert np.isnan(after(kind(weight_decay=0.0, eps=0.0), [0.0])[0]).all()


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i8", "f4", "f8"])
def test_the_exponent_s_gradient_is_as_exact_over_a_base_of_small_integers(dtype):
    exponent = Tensor(np.array([0.6, 1.3, 2.0]), requires_grad=True)
    minidl.power(np.array([3, 2, 7], dtype), exponent).sum().backward()
    right = np.array([3.0, 2.0, 7.0]) ** exponent.numpy() * np.log([3.0, 2.0, 7.0])
    np.testing.assert_allclose(exponent.grad.numpy(), right, rtol=1e-12)
