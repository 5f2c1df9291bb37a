"""The sixth executor: rules written out as JavaScript, step by step beside Python's floats."""

import itertools
import re
from fractions import Fraction

import numpy as np
import pytest
from node import run

from minidl.errors import UnsupportedError
from minidl.optim import rules
from minidl.optim.hyperparameters import Choice
from minidl.optim.javascript import PRELUDE, rule_function
from minidl.optim.symbols import scalar_function

KINDS = [getattr(rules, name) for name in rules.__all__ if name != "Rule"]
STEPS = 1000
WALK = """given.map(({name, numbers: {lr, ...rest}, gradients, theta}, which) => {
    const rule = all[which];
    const none = Array(8).fill(0);
    let state = rule(0, 0, none, {lr, t: 1, ...rest}).start;
    return gradients.map((g, k) => {
        const done = rule(theta, g, state, {lr, t: k + 1, ...rest});
        ({theta, state} = done);
        return [theta, done.iterate, ...state];
    });
})"""


def variants(kind):
    """The rule with every combination of its options, with and without weight decay, and of what may be None."""
    options = {name: allowed.values for name, allowed in kind.hyperparameters.items() if isinstance(allowed, Choice)}
    options |= {"weight_decay": (0.0, 0.01)}
    if "momentum_decay" in kind.hyperparameters:
        options["momentum_decay"] = (None, 0.004)
    for values in itertools.product(*options.values()):
        yield kind(**dict(zip(options, values, strict=True)))


def walked(rule, gradients, theta, lr):
    """The steps on Python's floats."""
    state, found = rule.init(theta), []
    for t, g in enumerate(gradients, 1):
        theta, *state = rule(theta, g, *state, lr=lr, t=t)
        found.append([theta, rule.iterate(theta, *state), *state])
    return found


@pytest.fixture(scope="module")
def both():
    """Every variant of every rule, its steps in Python and in JavaScript."""
    every = [rule for kind in KINDS for rule in variants(kind)]
    gradients = np.random.default_rng(0).standard_normal(STEPS).tolist()
    given = [
        {
            "numbers": {name: getattr(rule, name) for name in rule.numbers()} | {"lr": 0.1},
            "gradients": gradients,
            "theta": 0.7,
        }
        for rule in every
    ]
    functions = "".join(rule_function(rule, f"rule{i}") for i, rule in enumerate(every))
    source = PRELUDE + functions + f"const all = [{', '.join(f'rule{i}' for i in range(len(every)))}];"
    source = source.replace("export function", "function")
    theirs = run(source, WALK.replace("name, ", ""), given)
    return {
        repr(rule): (rule, np.array(walked(rule, gradients, 0.7, 0.1)), np.array(js))
        for rule, js in zip(every, theirs, strict=True)
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_thousand_steps_have_the_bits_of_pythons_floats(both, kind):
    count = 0
    for rule, ours, theirs in both.values():
        if type(rule) is not kind:
            continue
        count += 1
        if kind is rules.NAdam and rule.momentum_decay is not None:  # 0.96 to a power that is no whole number
            np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-14)
        else:
            assert theirs.tobytes() == ours.tobytes(), repr(rule)
    assert count == len([*variants(kind)])


def test_powers_are_rounded_correctly_where_those_of_c_are_not_always():
    bases, powers = [0.9, 0.999, 0.95, 0.99], range(STEPS + 1)
    given = {"bases": bases, "powers": [*powers]}
    found = run(PRELUDE.replace("export ", ""), "given.bases.map((b) => given.powers.map((n) => pow(b, n)))", given)
    assert found == [[float(Fraction(b) ** n) for n in powers] for b in bases]
    assert found[:2] == [[b**n for n in powers] for b in bases[:2]]  # Adam's defaults


def test_what_is_written_uses_nothing_but_arithmetic():
    allowed = "export function const return theta g state lr t start iterate pow product Math sqrt max i where Infinity"
    for kind in KINDS:
        for rule in variants(kind):
            text = rule_function(rule, "rule")
            names = set(re.findall(r"[A-Za-z]\w*", re.sub(r"\d\.?\d*e-?\d+", "0", text)))
            assert names <= {*allowed.split(), "rule", *rule.numbers()}, repr(rule)


def test_an_operation_that_has_no_line_is_refused():
    class Odd(rules.Rule):
        def update(self, theta, g, *, lr, t):
            return (theta - lr * np.arctan2(g, theta),)

    class Scalar(rules.Rule):
        def update(self, theta, g, *, lr, t):
            return (theta - scalar_function(lambda t: t // 2)(t) * g,)

    for kind in (Odd, Scalar):
        with pytest.raises(UnsupportedError, match="not among the operations that can be written out"):
            rule_function(kind(), "odd")
