"""What the rules are made with: defaults, allowed values, and how others are refused."""

import inspect
import math

import numpy as np
import pytest
from rule_cases import EVERY

import minidl
from minidl.errors import OptionError
from minidl.optim import rules
from minidl.optim.rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Momentum, NAdam, Nesterov, RMSProp, RMSPropNesterov


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
    assert str(inspect.signature(Momentum)) == "(*, beta=0.9, form='accumulated', weight_decay=0.0, ema=None)"
    assert str(inspect.signature(AdamW)).endswith("amsgrad=False, weight_decay=0.01, ema=None)")
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
