"""Known slips: for each, what it makes of a rule's equation. None of them knows a particular rule, but for a few."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...optim import rules
from ...optim.rule import Rule
from ...optim.symbols import Equation, Symbol, equation
from .rewriting import (
    Change,
    State,
    Step,
    exchanged,
    executable,
    factor_of,
    is_product,
    is_remainder,
    named,
    rewritten,
)

BETA1, BETA2, EPS, LR, T = named("beta1", "beta2", "eps", "lr", "t")


class Slip(NamedTuple):
    """A slip by name (words.py says what it is), and the rule as it would be with it."""

    name: str
    step: Step


def slips(rule: Rule) -> Iterator[Slip]:
    """What `rule` would be with each slip that it can have. Other conventions come first: they are no mistakes."""
    numbers = {name: float(getattr(rule, name)) for name in rule.numbers()}
    for name, other in _other_rules(rule):
        theirs = {n: float(getattr(other, n)) for n in other.numbers()}
        yield Slip(name, executable(equation(other), {**numbers, **theirs}))
    right = equation(rule)
    for name, wrong in _wrong(right):
        if any(a is not b for a, b in zip(wrong.outputs, right.outputs, strict=True)):
            yield Slip(name, executable(wrong, numbers))
    yield Slip("ascent", _uphill(executable(right, numbers)))


def _other_rules(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule in another convention, and the rule that it is often mistaken for; their states are the same."""
    options = rule.hyperparameters
    for form in ("accumulated", "velocity", "averaged") if "form" in options else ():
        if form != getattr(rule, "form", None):
            yield f"form {form}", rule.replaced({"form": form})
    for mode in ("inside", "outside") if "eps_mode" in options else ():
        if mode != getattr(rule, "eps_mode", None):
            yield f"eps {mode}", rule.replaced({"eps_mode": mode})
    if isinstance(rule, rules.Nesterov):
        yield "no look-ahead", rules.Momentum(beta=rule.beta, form="velocity")
    if isinstance(rule, rules.Momentum) and rule.form == "velocity":
        yield "looks ahead", rules.Nesterov(beta=rule.beta)
    if isinstance(rule, rules.AdamW):
        theirs: dict[str, Any] = {n: getattr(rule, n) for n in ("beta1", "beta2", "eps", "eps_mode", "weight_decay")}
        yield "coupled decay", rules.Adam(**theirs)
        yield "no decay", rules.Adam(**{**theirs, "weight_decay": 0.0})
    if isinstance(rule, rules.NAdam):
        yield "constant mu", rule.replaced({"momentum_decay": None})


def _wrong(right: Equation) -> Iterator[tuple[str, Equation]]:
    """The equation with one thing wrong in it, for each of the things that can be; some leave it as it is."""
    for name, change in _CHANGES:
        yield name, rewritten(right, change)
    states = right.inputs[2:]
    theta, *after = right.outputs
    for i, (old, new) in enumerate(zip(states, after, strict=True)):
        kept = list(right.outputs)
        kept[i + 1] = old
        yield "state not kept", right._replace(outputs=tuple(kept))
        yield "old state", right._replace(outputs=(exchanged(theta, new, old), *after))
        if factor_of(old, new) is not None:
            twice = exchanged(new, old, new)
            yield "twice", right._replace(outputs=(exchanged(theta, new, twice), *after))
            both = list(right.outputs)
            both[0], both[i + 1] = exchanged(theta, new, twice), twice
            yield "twice", right._replace(outputs=tuple(both))


def _uphill(step: Step) -> Step:
    """The same with the step taken in the direction of the gradient."""

    def up(*values: float, lr: float, t: int) -> State:
        theta, *state = step(*values, lr=lr, t=t)
        return (2 * values[0] - theta, *state)

    return up


def _correction(*bases: Symbol) -> Change:
    """Leave out the division by 1 - β^t, for these β."""

    def change(x: Symbol) -> Any:
        if x.op != "divide" or not isinstance(x.args[1], Symbol) or x.args[1].op != "subtract":
            return None
        one, power = x.args[1].args
        is_power = isinstance(power, Symbol) and power.op == "power" and power.args[1] is T
        known = is_power and any(power.args[0] is base for base in bases)
        return x.args[0] if known and not isinstance(one, Symbol) else None

    return change


def _instead(old: Symbol, new: Any) -> Change:
    return lambda x: new if x is old else None


def _betas_swapped(x: Symbol) -> Any:
    return BETA2 if x is BETA1 else BETA1 if x is BETA2 else None


def _one_beta_in_corrections(x: Symbol) -> Any:
    return BETA1**T if x.op == "power" and x.args[0] is BETA2 and x.args[1] is T else None


def _no_square(x: Symbol) -> Any:
    """(c·a)·a, or a·a, becomes c·a, or a."""
    if not is_product(x):
        return None
    left, right = x.args
    twice = left is right or (is_product(left) and left.args[1] is right)
    return left if twice else None


def _no_root(x: Symbol) -> Any:
    return x.args[0] if x.op == "sqrt" else None


def _no_remainder(x: Symbol) -> Any:
    return x.args[1] if is_product(x) and is_remainder(x.args[0]) else None


def _shares_exchanged(x: Symbol) -> Any:
    """β·v + (1 - β)·g becomes (1 - β)·v + β·g."""
    if is_product(x) and is_remainder(x.args[0]):
        return x.args[0].args[1] * x.args[1]
    if is_product(x) and isinstance(x.args[0], Symbol) and x.args[0].scalar and not x.args[0].args:
        share = x.args[0]
        return (1 - share) * x.args[1] if share.op.startswith(("beta", "rho")) else None
    return None


def _squares_of_gradients(x: Symbol) -> Any:
    """In the average of squared steps, the squares of the gradient: note A's misprint of AdaDelta."""
    if is_product(x) and is_product(x.args[0]) and x.args[0].args[1] is x.args[1] and x.args[1] is not _G:
        return x.args[0].args[0] * _G * _G
    return None


_G = Symbol("g")
_CHANGES: tuple[tuple[str, Change], ...] = (
    ("no correction", _correction(BETA1, BETA2)),
    ("no correction of v", _correction(BETA1)),
    ("no correction of s", _correction(BETA2)),
    ("betas swapped", _betas_swapped),
    ("one beta in the corrections", _one_beta_in_corrections),
    ("one beta", _instead(BETA2, BETA1)),
    ("one beta", _instead(BETA1, BETA2)),
    ("squares of gradients", _squares_of_gradients),
    ("no square", _no_square),
    ("no root", _no_root),
    ("no remainder", _no_remainder),
    ("shares exchanged", _shares_exchanged),
    ("no rate", _instead(LR, 1.0)),
    ("no eps", _instead(EPS, 0.0)),
    ("t from 0", _instead(T, T - 1)),
    ("t ahead", _instead(T, T + 1)),
)
