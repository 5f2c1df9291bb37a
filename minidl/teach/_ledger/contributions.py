"""A step as a sum of contributions: of momentum, of today's gradient, of the weight decay.

The new θ is linear in the old velocity, in the gradient and in the weight decay, once the divisor is taken as a
constant. That is read off the equation: products and sums are multiplied out, each term is attributed to the source
that is a factor of it, and whatever else there is (a root, a power, a divisor) counts as a constant.
"""

from typing import Any, NamedTuple

import numpy as np

from ...optim.execution.plan import in_order, is_array
from ...optim.symbols import Symbol
from ..notation.assignments import Line
from ..notation.gradient import Gradient
from .entry import Entry

Shares = dict[str, float]

_SOURCES = {"theta": "theta", "g": "gradient", "weight_decay": "decay"}  # by symbol; any other array is state: momentum


class Part(NamedTuple):
    """A part of a line of the rule: the line, the part's expression, and its value."""

    line: Line
    expression: Symbol
    value: float


def contributions(entry: Entry) -> dict[str, float]:
    """The contributions to ``entry.step``, which is their sum, by name.

    "momentum": of the state before the step, as far as it is a sum of gradients or steps; "gradient": of today's
    gradient; "decay": of the weight decay; "other": of what is no product of these (in a rule of your own: none of
    minidl's has it); "rounding": the rest, which the parameter's dtype rounded away. A name is there only if the rule
    has such a part, except "rounding", which always is.
    """
    theta = [line for line in entry.lines if line.name == "theta"][-1].expression
    with np.errstate(all="ignore"):  # a training that diverged may be looked at too
        shares = _shares(entry, theta, {})
        other = shares.pop("", 0.0) + (shares.pop("theta", 0.0) - entry.before["theta"])
        parts = {str(name): float(shares[name]) for name in ("momentum", "gradient", "decay") if name in shares}
        if abs(other) > 0:
            parts["other"] = float(other)
    return parts | {"rounding": entry.step - sum(parts.values())}


def divisor(entry: Entry) -> Part | None:
    """The divisor that has a value of its own for every weight, such as √s + ε; None in a rule without one."""
    found = _quotient(entry)
    return None if found is None else _part(entry, found[0], found[1].args[1])


def numerator(entry: Entry) -> Part | None:
    """What stands over the divisor, where that is no gradient, velocity or number: AdaDelta's √(d + ε)."""
    found = _quotient(entry)
    if found is None or not is_array(found[1].args[0]) or set(_shares(entry, found[1].args[0], {})) != {""}:
        return None
    return _part(entry, found[0], found[1].args[0])


def effective_rate(entry: Entry) -> float:
    """What the learning rate comes to for this weight: lr over the divisor (times the numerator), if there is one."""
    under, over = divisor(entry), numerator(entry)
    with np.errstate(all="ignore"):
        return float(np.float64(entry.lr) * (over.value if over else 1.0) / (under.value if under else 1.0))


def corrections(entry: Entry) -> dict[str, Part]:
    """By what the bias correction divided, by the name of the average (or of g): scalars that change with t."""
    found: dict[str, Part] = {}
    for line in entry.lines:
        for x in in_order([line.expression]):
            if not isinstance(x, Symbol) or x.op != "divide" or not is_array(x.args[0]) or x in line.known:
                continue
            average, by = x.args
            names = [line.known[y] for y in in_order([average]) if is_array(y) and y in line.known]
            if names and not is_array(by) and any(isinstance(y, Symbol) and y.op == "t" for y in in_order([by])):
                found.setdefault(names[-1], _part(entry, line, by))
    return found


def _part(entry: Entry, line: Line, x: Symbol) -> Part:
    return Part(line, x, entry.values[x])


def _quotient(entry: Entry) -> tuple[Line, Symbol] | None:
    """The first division by an array, and its line."""
    for line in entry.lines:
        found = _division(line.expression, line)
        if found is not None:
            return line, found
    return None


def _shares(entry: Entry, x: Any, seen: dict[Any, Shares]) -> Shares:
    """The value of `x` as a sum, by source; "" is the part that has none."""
    if x not in seen:
        seen[x] = _expand(entry, x, seen)
    return seen[x]


def _expand(entry: Entry, x: Any, seen: dict[Any, Shares]) -> Shares:
    """As `_shares`, for an expression that is not in `seen`: by its outermost operation."""
    value = np.float64(entry.values[x])  # NumPy's, so that 0/0 is nan
    op, args = (x.op, x.args) if isinstance(x, Symbol) else ("", ())
    if isinstance(op, Gradient):
        return _shares(entry, args[1], seen)
    if op and not args:
        return {_SOURCES.get(op, "momentum" if is_array(x) else ""): value}
    if op in ("add", "subtract"):
        left, right = (_shares(entry, part, seen) for part in args)
        sign = 1 if op == "add" else -1
        return {name: left.get(name, 0.0) + sign * right.get(name, 0.0) for name in left | right}
    if op == "negative":
        return {name: -share for name, share in _shares(entry, args[0], seen).items()}
    if op == "divide":
        under = np.float64(entry.values[args[1]])
        return {name: share / under for name, share in _shares(entry, args[0], seen).items()}
    if op == "multiply":
        return _product(*(_shares(entry, part, seen) for part in args))
    return {"": value}


def _product(left: Shares, right: Shares) -> Shares:
    """Two sums multiplied out, term by term: a constant times a source belongs to the source."""
    product: Shares = {}
    for one, x in left.items():
        for other, y in right.items():
            source = one or other
            if one and other:  # a product with the decay is decay; other products, such as g·g, are constants
                source = "decay" if "decay" in (one, other) else ""
            product[source] = product.get(source, 0.0) + x * y
    return product


def _division(x: Any, line: Line) -> Symbol | None:
    """The first division by an array in the part of `line` that no other line computes."""
    if not isinstance(x, Symbol) or (x in line.known and x is not line.expression):
        return None
    if x.op == "divide" and is_array(x.args[1]):
        return x
    return next((found for part in x.args if (found := _division(part, line)) is not None), None)
