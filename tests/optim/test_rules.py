"""The rules as pure functions: the notes' printed numbers, their algorithms as they stand, and the laws between rules."""

import inspect
import math

import numpy as np
import pytest
from rule_cases import EVERY, VARIANTS, names

import minidl
from minidl import Tensor, no_grad
from minidl.errors import OptionError
from minidl.optim import rules
from minidl.optim.rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Momentum, NAdam, Nesterov, RMSProp, RMSPropNesterov

LRS = [0.1 * (1 + math.cos(k / 7)) for k in range(200)]  # an lr that changes at every step


# f(x) = 0.1 x1² + 2 x2² of note A, from (-5, -2)
CURVATURE = np.array([0.2, 4.0])


def slope(x, k=0):
    return CURVATURE * x


def descend(rule, lr, steps=20, x=(-5.0, -2.0), gradient=slope):
    """The parameters after so many steps; θ itself where they hold the look-ahead point."""
    x = np.array(x)
    state = rule.init(x)
    for t in range(1, steps + 1):
        x, *state = rule(x, gradient(x, t - 1), *state, lr=lr[t - 1] if isinstance(lr, list) else lr, t=t)
    return rule.iterate(x, *state)


INSIDE = {"eps": 1e-6, "eps_mode": "inside"}


@pytest.mark.parametrize(
    ("rule", "lr", "printed"),
    [
        (SGD(), 0.4, "x1: -0.943467, x2: -0.000073"),
        (SGD(), 0.6, "x1: -0.387814, x2: -1673.365109"),
        (Momentum(beta=0.5), 0.6, "x1: 0.007188, x2: 0.002553"),
        (Momentum(beta=0.25), 0.6, "x1: -0.126340, x2: -0.186632"),
        (Momentum(beta=0), 0.6, "x1: -0.387814, x2: -1673.365109"),
        (AdaGrad(**INSIDE), 0.4, "x1: -2.382563, x2: -0.158591"),
        (AdaGrad(**INSIDE), 2, "x1: -0.002295, x2: -0.000000"),
        # not printed in the note: references that complete the family
        (RMSProp(rho=0.9, **INSIDE), 0.4, "x1: -0.010599, x2: 0.000000"),
        (AdaDelta(rho=0.9, eps=1e-5), 1, "x1: -4.782488, x2: -1.787589"),
        (Adam(), 0.4, "x1: 0.996033, x2: -0.212751"),
        (NAdam(momentum_decay=None), 0.4, "x1: 0.817388, x2: -0.147050"),
        (RMSPropNesterov(beta=0.5, rho=0.9, **INSIDE), 0.4, "x1: 0.000042, x2: -0.000000"),
        (Nesterov(beta=0.5), 0.3, "x1: -0.369635, x2: -0.000001"),
        (Nesterov(beta=0.5), 0.6, "x1: -0.003525, x2: -47633275.739951"),
        (Momentum(beta=0.5, form="averaged"), 1.2, "x1: 0.007188, x2: 0.002553"),
        (Momentum(beta=0.5, form="averaged"), 0.6, "x1: -0.289993, x2: 0.001723"),
    ],
    ids=lambda value: repr(value),
)
def test_the_numbers_of_note_a_to_the_last_digit(rule, lr, printed):
    x1, x2 = descend(rule, lr)
    assert f"x1: {x1:f}, x2: {x2:f}" == printed


def test_gradient_descent_has_the_closed_form():
    assert descend(SGD(), 0.4) == pytest.approx([-5 * 0.92**20, -2 * (-0.6) ** 20], rel=1e-12)


def test_first_steps_show_which_bias_is_corrected():
    assert descend(Adam(), 0.4, steps=1)[0] == pytest.approx(-4.6)
    assert descend(RMSProp(), 0.4, steps=1)[0] == pytest.approx(-5 + 0.4 / math.sqrt(0.1), abs=1e-5)
    assert abs(descend(AdaDelta(rho=0.9, eps=1e-5), 1, steps=1)[0] + 5) == pytest.approx(0.01, rel=1e-3)


# Note B's algorithms, line by line as they are printed; α_k is LRS[k].


def gradient(x, k):
    """Of minibatch k: not linear in x, and noisy."""
    return CURVATURE * x + np.sin(x) + np.cos(k * np.array([1.0, 1.7]))


def note_b_sgd(theta, **_):
    for k, alpha in enumerate(LRS):
        g = gradient(theta, k)
        theta = theta - alpha * g
    return theta


def note_b_momentum(theta, beta):
    v = 0 * theta
    for k, alpha in enumerate(LRS):
        g = gradient(theta, k)
        v = beta * v - alpha * g
        theta = theta + v
    return theta


def note_b_nesterov(theta, beta):
    v = 0 * theta
    for k, alpha in enumerate(LRS):
        interim = theta + beta * v
        g = gradient(interim, k)
        v = beta * v - alpha * g
        theta = theta + v
    return theta


def note_b_adagrad(theta, delta):
    r = 0 * theta
    for k, alpha in enumerate(LRS):
        g = gradient(theta, k)
        r = r + g * g
        theta = theta + -alpha / (delta + np.sqrt(r)) * g
    return theta


def note_b_rmsprop(theta, rho, delta):
    r = 0 * theta
    for k, alpha in enumerate(LRS):
        g = gradient(theta, k)
        r = rho * r + (1 - rho) * g * g
        theta = theta + -alpha / np.sqrt(delta + r) * g
    return theta


def note_b_rmsprop_nesterov(theta, rho, beta, delta):
    r, v = 0 * theta, 0 * theta
    for k, alpha in enumerate(LRS):
        interim = theta + beta * v
        g = gradient(interim, k)
        r = rho * r + (1 - rho) * g * g
        v = beta * v - alpha / np.sqrt(r + delta) * g
        theta = theta + v
    return theta


def note_b_adam(theta, beta1, beta2, delta):
    t, v, r = 0, 0 * theta, 0 * theta
    for k, alpha in enumerate(LRS):
        g = gradient(theta, k)
        t = t + 1
        v = beta1 * v + (1 - beta1) * g
        r = beta2 * r + (1 - beta2) * g * g
        v_hat, r_hat = v / (1 - beta1**t), r / (1 - beta2**t)
        theta = theta - alpha * v_hat / (np.sqrt(r_hat) + delta)
    return theta


@pytest.mark.parametrize("changing", [False, True], ids=["constant lr", "changing lr"])
@pytest.mark.parametrize(
    ("literal", "letters", "rule"),
    [
        (note_b_sgd, {}, SGD()),
        (note_b_momentum, {"beta": 0.9}, Momentum(beta=0.9, form="velocity")),
        (note_b_nesterov, {"beta": 0.9}, Nesterov(beta=0.9)),
        (note_b_adagrad, {"delta": 1e-7}, AdaGrad()),
        (note_b_rmsprop, {"rho": 0.9, "delta": 1e-6}, RMSProp()),
        (note_b_rmsprop_nesterov, {"rho": 0.9, "beta": 0.5, "delta": 1e-6}, RMSPropNesterov(beta=0.5)),
        (note_b_adam, {"beta1": 0.9, "beta2": 0.999, "delta": 1e-8}, Adam()),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_note_b_as_it_is_printed(literal, letters, rule, changing, monkeypatch):
    lrs = [0.1 * lr for lr in LRS] if changing else [0.02] * 200
    monkeypatch.setitem(globals(), "LRS", lrs)
    start = np.array([-5.0, -2.0])
    np.testing.assert_allclose(
        descend(rule, lrs, 200, start, gradient), literal(start, **letters), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize(("rule", "literal"), [(Nesterov(beta=0.9), note_b_nesterov)])
def test_nesterov_holds_the_interim_point_at_every_step(rule, literal):
    theta = point = np.array([-5.0, -2.0])
    (v,), v_b = rule.init(point), 0 * point
    for t, lr in enumerate(LRS, 1):
        np.testing.assert_allclose(point, theta + 0.9 * v_b, rtol=1e-11, atol=1e-11)
        g = gradient(theta + 0.9 * v_b, t)
        v_b = 0.9 * v_b - 0.1 * lr * g
        theta = theta + v_b
        point, v = rule(point, gradient(point, t), v, lr=0.1 * lr, t=t)
        np.testing.assert_allclose(rule.iterate(point, v), theta, rtol=1e-11, atol=1e-11)


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


# What is refused, and how.


@pytest.mark.parametrize("value", [1.0, -0.1, math.nan, math.inf, "0.9", True, None, np.array([0.5, 1.0])])
@pytest.mark.parametrize(
    ("kind", "name"),
    [(Momentum, "beta"), (Nesterov, "beta"), (Adam, "beta1"), (NAdam, "beta2"), (RMSProp, "rho"), (AdaDelta, "rho")],
)
def test_a_share_must_be_from_0_to_below_1(kind, name, value):
    with pytest.raises(OptionError, match=rf"^{kind.__name__}: {name}=.*{name} must be a number in \[0, 1\)"):
        kind(**{name: value})


@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf, "1e-8", False])
@pytest.mark.parametrize(
    ("kind", "name"),
    [(Adam, "eps"), (SGD, "weight_decay"), (AdaGrad, "initial_accumulator"), (NAdam, "momentum_decay")],
)
def test_other_numbers_must_not_be_negative(kind, name, value):
    with pytest.raises(OptionError, match=rf"^{kind.__name__}: {name}=.* must be a finite number >= 0"):
        kind(**{name: value})


def test_only_momentum_decay_may_be_none():
    assert NAdam(momentum_decay=None).momentum_decay is None
    with pytest.raises(OptionError):
        Adam(eps=None)


@pytest.mark.parametrize(
    ("kind", "name", "value", "choices"),
    [
        (Momentum, "form", "keras", "'accumulated', 'velocity', 'averaged'"),
        (RMSProp, "eps_mode", "hat", "'outside', 'inside'"),
        (Adam, "eps_mode", "middle", "'outside', 'inside', 'hat'"),
        (Adam, "amsgrad", 1, "False, True"),
        (Adam, "amsgrad", "yes", "False, True"),
    ],
)
def test_options_name_their_choices(kind, name, value, choices):
    with pytest.raises(OptionError, match=f"^{kind.__name__}: {name}={value!r}: choose one of {choices}$"):
        kind(**{name: value})


def test_an_unknown_hyperparameter_is_answered_with_the_known_ones():
    with pytest.raises(OptionError, match="^Momentum: unknown hyperparameter 'momentum'; known ones: beta, form, weig"):
        Momentum(momentum=0.9)
    with pytest.raises(OptionError, match="lr is an argument of each step"):
        Adam(lr=0.1)


@pytest.mark.parametrize("t", [0, -1, 0.5, np.int64(0)])
def test_t_counts_from_one(t):
    with pytest.raises(OptionError, match="t counts the updates from 1"):
        Adam()(1.0, 1.0, 0.0, 0.0, lr=0.1, t=t)


def test_the_signature_shows_the_hyperparameters_and_their_defaults():
    assert str(inspect.signature(Momentum)) == "(*, beta=0.9, form='accumulated', weight_decay=0.0)"
    assert str(inspect.signature(AdamW)).endswith("amsgrad=False, weight_decay=0.01)")
    assert repr(RMSProp(rho=0.95)) == "RMSProp(rho=0.95, eps=1e-06, eps_mode='inside', weight_decay=0.0)"


def test_the_defaults_are_those_that_were_promised():
    of_their_own = {AdaDelta: 1.0, NAdam: 0.002} | dict.fromkeys((SGD, Momentum, Nesterov, AdaGrad), 0.01)
    assert {kind: kind.lr for kind in EVERY} == dict.fromkeys(EVERY, 0.001) | of_their_own
    assert (Momentum().beta, Nesterov().beta, Momentum().form) == (0.9, 0.9, "accumulated")
    assert (AdaGrad().eps, AdaGrad().eps_mode, AdaGrad().initial_accumulator) == (1e-7, "outside", 0.0)
    for kind in (RMSProp, RMSPropNesterov):
        assert (kind().rho, kind().eps, kind().eps_mode) == (0.9, 1e-6, "inside")
    assert (AdaDelta().rho, AdaDelta().eps, AdaDelta().eps_mode) == (0.95, 1e-6, "inside")
    for kind in (Adam, AdamW, NAdam):
        assert (kind().beta1, kind().beta2, kind().eps, kind().eps_mode) == (0.9, 0.999, 1e-8, "outside")
    assert (NAdam().momentum_decay, AdamW().weight_decay, Adam().weight_decay) == (0.004, 0.01, 0.0)


@pytest.mark.parametrize("kind", EVERY, ids=lambda k: k.__name__)
def test_every_rule_states_its_equation_source_memory_and_defaults(kind):
    assert kind is getattr(minidl.optim.rules, kind.__name__)
    for part in ("θ = θ", "Source:", "Memory:", "Default", "Neighbours:", f"{kind.lr:g}"):
        assert part in kind.__doc__ or (kind is AdamW and part == "0.001")


def test_a_rule_of_ones_own_needs_only_its_equation():
    class SignSGD(rules.Rule):
        lr = 0.1

        def update(self, theta, g, *, lr, t):
            return (theta - lr * np.sign(g),)

    assert SignSGD(weight_decay=0.5)(1.0, -0.4, lr=0.1, t=1) == (0.9,)
