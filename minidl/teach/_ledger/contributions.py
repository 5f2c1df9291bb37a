"""A step as a sum of contributions: of momentum, of today's gradient, of the weight decay.

The new θ is linear in the old velocity, in the gradient and in the weight decay, once the divisor is taken as a
constant. That is read off the equation: products and sums are multiplied out, each term is attributed to the source
that is a factor of it, and whatever else there is (a root, a power, a divisor) counts as a constant.
"""

from typing import Any, NamedTuple

import numpy as np

from ...optim.execution.plan import is_array
from ...optim.symbols import Symbol
from ..notation.assignments import Line
from .entry import Entry

Shares = dict[str, float]

_SOURCES = {"theta": "theta", "g": "gradient", "weight_decay": "decay"}  # by symbol; any other array is state: momentum


class Divisor(NamedTuple):
    """What the step was divided by: the line of the rule it is in, its expression, and its value."""

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


def divisor(entry: Entry) -> Divisor | None:
    """The divisor that has a value of its own for every weight, such as √s + ε; None in a rule without one."""
    for line in entry.lines:
        found = _divisor(line.expression, line)
        if found is not None:
            return Divisor(line, found, entry.values[found])
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


def _divisor(x: Any, line: Line) -> Symbol | None:
    """The first array that `line` divides by, in the part of it that no other line computes."""
    if not isinstance(x, Symbol) or (x in line.known and x is not line.expression):
        return None
    if x.op == "divide" and is_array(x.args[1]):
        return x.args[1]
    return next((found for part in x.args if (found := _divisor(part, line)) is not None), None)
