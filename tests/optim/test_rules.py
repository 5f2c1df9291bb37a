"""The rules as pure functions, of floats, arrays and Tensors, with derivatives, and the laws between rules."""

import math

import numpy as np
import pytest
from descent import descend, gradient, slope
from rule_cases import EVERY, VARIANTS, names

import minidl
from minidl import Tensor, no_grad
from minidl.errors import OptionError
from minidl.optim import rules
from minidl.optim.rules import SGD, AdaGrad, Adam, AdamW, Momentum, NAdam, Nesterov, RMSProp, RMSPropNesterov

# One function object, whatever it is called on.


def three_steps(rule, theta, wrap=lambda x: x, lr=0.1):
    state = rule.init(theta)
    for t in (1, 2, 3):
        theta, *state = rule(theta, wrap(np.cos(t)) * theta + 0.3, *state, lr=lr, t=t)
    return [theta, *state]


@pytest.mark.parametrize("rule", VARIANTS, ids=names)
def test_floats_arrays_and_tensors_agree(rule):
    points = [0.7, -1.3, 2.0]
    arrays = three_steps(rule, np.array(points))
    tensors = three_steps(rule, Tensor(np.array(points)))
    for i, point in enumerate(points):
        floats = three_steps(rule, point, float)
        assert all(isinstance(value, float) for value in floats)
        for by_hand, array, tensor in zip(floats, arrays, tensors, strict=True):
            assert isinstance(tensor, Tensor)
            assert by_hand == pytest.approx(array[i], rel=1e-12, abs=1e-15)
            assert by_hand == pytest.approx(tensor.numpy()[i], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("rule", VARIANTS, ids=names)
def test_nothing_widens_a_float32_array(rule):
    theta = np.ones(3, np.float32)
    for lr, t in ((0.1, 1), (np.float64(0.1), np.int64(2))):
        results = rule(theta, theta, *rule.init(theta), lr=lr, t=t)
        assert [r.dtype for r in results] == [np.float32] * len(results)


@pytest.mark.parametrize("rule", VARIANTS, ids=names)
def test_a_rule_changes_nothing_that_it_is_given(rule):
    theta = np.array([1.0, -2.0])
    given = [theta, theta.copy(), *[s + 0.5 for s in rule.init(theta)]]
    before = [x.copy() for x in given]
    first = rule(*given, lr=0.1, t=3)
    second = rule(*given, lr=0.1, t=3)
    for x, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(x, copy)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_state_is_named_and_shaped_like_theta():
    theta = np.ones((2, 3), np.float32)
    for rule in VARIANTS:
        state = rule.init(theta)
        assert len(state) == len(rule.state)
        assert all(s.shape == (2, 3) and s.dtype == np.float32 for s in state)
    assert Adam().state == ("v", "s")
    assert Adam(amsgrad=True).state == ("v", "s", "s_max")
    assert AdaGrad(initial_accumulator=0.1).init(3.0) == (0.1,)
    assert AdaGrad(initial_accumulator=0.1).init(np.array([1, 2]))[0] == pytest.approx([0.1, 0.1])


# Differentiable in everything.


HYPER = [(kind, name) for kind in EVERY for name in kind().numbers() if kind not in (SGD,)]
HYPER += [(SGD, "weight_decay"), (NAdam, "weight_decay")]


def loss_after(kind, name, value, lr=0.1, theta=(0.5, -1.5)):
    given = {} if name is None else {name: value}
    rule = kind(**{"eps": 0.1, **given}) if "eps" in kind.hyperparameters else kind(**given)
    theta = theta if isinstance(theta, Tensor) else Tensor(np.array(theta))
    state = rule.init(theta)
    for t in (1, 2, 3):
        theta, *state = rule(theta, theta * theta * theta + 0.2, *state, lr=lr, t=t)
    return (theta * theta).sum()


@pytest.mark.parametrize(("kind", "name"), sorted(set(HYPER), key=str), ids=str)
def test_the_step_can_be_differentiated_in_any_hyperparameter(kind, name):
    start = 0.3
    x = Tensor(np.array(start), requires_grad=True)
    (got,) = minidl.gradients(loss_after(kind, name, x), [x])
    h = 1e-6
    with no_grad():
        expected = (loss_after(kind, name, start + h).item() - loss_after(kind, name, start - h).item()) / (2 * h)
    assert got.item() == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("kind", EVERY, ids=lambda k: k.__name__)
def test_the_step_can_be_differentiated_in_lr_and_theta(kind):
    def of_lr(lr):
        return loss_after(kind, None, None, lr=lr)

    def of_theta(theta):
        return loss_after(kind, None, None, theta=theta)

    minidl.check_grads(of_lr, np.array(0.1), order=1)
    minidl.check_grads(of_theta, np.array([0.5, -1.5]), order=1)


def test_hyperparameters_may_be_arrays_one_value_per_run():
    betas = np.array([[0.0], [0.5], [0.9]])
    together = descend(Momentum(beta=betas), 0.1, x=np.tile([-5.0, -2.0], (3, 1)))
    for row, beta in zip(together, betas[:, 0], strict=True):
        np.testing.assert_allclose(row, descend(Momentum(beta=float(beta)), 0.1))


# Laws between the rules.


def assert_same_path(one, other, lr=0.05, other_lr=None, rtol=1e-12):
    other_lr = lr if other_lr is None else other_lr
    for steps in (1, 2, 5, 50):
        np.testing.assert_allclose(
            descend(one, lr, steps, gradient=gradient),
            descend(other, other_lr, steps, gradient=gradient),
            rtol=rtol,
            atol=rtol,
        )


def test_without_memory_momentum_is_gradient_descent():
    for form in ("accumulated", "velocity", "averaged"):
        assert_same_path(Momentum(beta=0, form=form), SGD())
    assert_same_path(Nesterov(beta=0), SGD())
    assert_same_path(RMSPropNesterov(beta=0), RMSProp(), rtol=1e-10)


def test_momentums_forms_are_one_rule_while_lr_is_constant():
    assert_same_path(Momentum(beta=0.8), Momentum(beta=0.8, form="velocity"))
    assert_same_path(Momentum(beta=0.8, form="averaged"), Momentum(beta=0.8), lr=0.05, other_lr=0.05 * (1 - 0.8))
    lrs = [0.1, 0.01]
    apart = descend(Momentum(beta=0.8), lrs, 2) - descend(Momentum(beta=0.8, form="velocity"), lrs, 2)
    assert np.abs(apart).max() > 0.01


def test_adam_without_momentum_or_correction_is_rmsprop():
    """Long after the start the corrections have faded; Adam(beta1=0) is then RMSProp with ε outside."""
    adam, rmsprop = Adam(beta1=0, beta2=0.9, eps=1e-3), RMSProp(rho=0.9, eps=1e-3, eps_mode="outside")
    theta, s = np.array([1.0, -2.0]), np.array([0.3, 4.0])
    x, _, s_adam = adam(theta, slope(theta), 0 * theta, s, lr=0.1, t=2000)
    y, s_rmsprop = rmsprop(theta, slope(theta), s, lr=0.1, t=2000)
    np.testing.assert_allclose([x, s_adam], [y, s_rmsprop], rtol=1e-14)


def test_where_epsilon_stands():
    theta, g = np.array([1.0]), np.array([0.0])
    assert descend(RMSProp(eps=0.04), 1.0, 1, [1.0], lambda x, k: 1.0)[0] == pytest.approx(
        1 - 1 / math.sqrt(0.1 + 0.04)
    )
    outside = RMSProp(eps=0.04, eps_mode="outside")
    assert descend(outside, 1.0, 1, [1.0], lambda x, k: 1.0)[0] == pytest.approx(1 - 1 / (math.sqrt(0.1) + 0.04))
    hat = Adam(eps=0.04, eps_mode="hat", beta2=0.9)
    assert descend(hat, 1.0, 1, [1.0], lambda x, k: 1.0)[0] == pytest.approx(1 - 1 / (1 + 0.04 / math.sqrt(0.1)))
    # where s is zero, "inside" acts like "outside" with the root of its ε
    inside, outside = AdaGrad(eps=1e-6, eps_mode="inside"), AdaGrad(eps=1e-3)
    for rule in (inside, outside):
        assert rule(theta, g + 1e-9, *rule.init(theta), lr=1.0, t=1)[0] == pytest.approx(1 - 1e-6, rel=1e-9)


def test_weight_decay_is_the_gradient_of_the_regularised_objective():
    for kind in set(EVERY) - {AdamW}:
        plain = descend(kind(), 0.05, 30, gradient=lambda x, k: gradient(x, k) + 0.3 * x)
        np.testing.assert_allclose(descend(kind(weight_decay=0.3), 0.05, 30, gradient=gradient), plain, rtol=1e-12)


def test_adamw_decays_apart_from_the_gradient():
    theta = np.array([2.0, -3.0])
    for kind, lr in ((AdamW, 0.1), (AdamW, 0.01)):
        decayed, *_ = kind(weight_decay=0.5)(theta, 0 * theta, *kind().init(theta), lr=lr, t=1)
        np.testing.assert_allclose(decayed, theta * (1 - lr * 0.5))
    assert_same_path(AdamW(weight_decay=0), Adam())


def test_amsgrad_never_lets_a_rate_grow_again():
    rule = Adam(amsgrad=True, beta2=0.5)
    theta = np.array([1.0])
    state, largest = rule.init(theta), 0.0
    for t, g in enumerate([1.0, 5.0, 0.1, 0.1, 0.1], 1):
        theta, *state = rule(theta, np.array([g]), *state, lr=0.01, t=t)
        assert state[2][0] >= max(largest, state[1][0])
        largest = state[2][0]


def test_nadam_agrees_with_the_running_product_written_out():
    rule = NAdam(momentum_decay=0.2, beta1=0.95)
    theta = by_hand = np.array([-5.0, -2.0])
    state, v, s, product = rule.init(theta), 0.0, 0.0, 1.0

    def mu(t):
        return 0.95 * (1 - 0.5 * 0.96 ** (t * 0.2))

    for t in range(1, 300):
        g = gradient(by_hand, t)
        theta, *state = rule(theta, gradient(theta, t), *state, lr=0.01, t=t)
        product *= mu(t)
        v, s = 0.95 * v + 0.05 * g, 0.999 * s + 0.001 * g * g
        v_hat = mu(t + 1) * v / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        by_hand = by_hand - 0.01 * v_hat / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(theta, by_hand, rtol=1e-11)


@pytest.mark.parametrize("psi", [0.0, 1e-9, 0.004, 0.1, 1.0, 30.0])
def test_nadams_product_is_a_function_of_t_however_large(psi):
    product = 1.0
    for t in range(1, 2000):
        product *= 1 - 0.5 * 0.96 ** (t * psi)
        if t in (1, 2, 7, 66, 67, 68, 1000, 1999):
            assert 1 - rules.damping(t, psi) == pytest.approx(1 - product, rel=1e-15)
    theta = np.ones(1)
    for t in (10**6, 10**9):  # at once, and finite
        assert np.isfinite(NAdam(momentum_decay=psi)(theta, theta, theta, theta, lr=0.1, t=t)[0]).all()


def test_a_hyperparameter_may_be_a_schedule_of_the_updates_made():
    def beta(k):
        return 0.9 - 0.5 / (k + 1)

    theta = np.array([1.0])
    v = np.array([2.0])
    for t in (1, 2, 10):
        got = Momentum(beta=beta)(theta, theta, v, lr=0.1, t=t)
        want = Momentum(beta=beta(t - 1))(theta, theta, v, lr=0.1, t=t)
        assert got == want
    assert SGD()(1.0, 1.0, lr=lambda k: k + 1.0, t=3) == (-2.0,)
    assert AdaGrad(initial_accumulator=lambda k: 0.5 + k).init(1.0) == (0.5,)
    with pytest.raises(OptionError, match=r"Momentum, step 4: beta=1.5: beta must be a number in \[0, 1\)"):
        Momentum(beta=lambda k: 0.5 * k)(1.0, 1.0, 1.0, lr=0.1, t=4)
