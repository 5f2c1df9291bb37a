"""The rules and the notes: the numbers that they print, and their algorithms as they stand."""

import math

import numpy as np
import pytest
from descent import LRS, descend, gradient

from minidl.optim.rules import SGD, AdaDelta, AdaGrad, Adam, Momentum, NAdam, Nesterov, RMSProp, RMSPropNesterov

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
