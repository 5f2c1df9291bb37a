"""A step as a sum: what momentum pushed, what today's gradient pushed, what the weight decay did.

The new θ is linear in the old velocity, in the gradient and in the weight decay, once the divisor is taken
for the number that it is. That is read off the equation: products and sums are multiplied out, each term is
put down to what it holds, and whatever else there is (a root, a power, a divisor) counts as a number.
"""

from typing import Any, NamedTuple

import numpy as np

from ...optim.execution.plan import is_array
from ...optim.symbols import Symbol
from ..notation.assignments import Line
from .entry import Entry

Shares = dict[str, float]

_SOURCES = {"theta": "theta", "g": "gradient", "weight_decay": "decay"}  # any other array is momentum: the state


class Divisor(NamedTuple):
    """What the push was divided by: the line that it stands in, its expression, and what that comes to."""

    line: Line
    expression: Symbol
    value: float


def pushes(entry: Entry) -> dict[str, float]:
    """The parts of ``entry.step``, which they add up to, by name.

    "momentum": the state before the step, as far as it is a sum of gradients or steps; "gradient": today's;
    "decay": the weight decay; "other": what is no product of these (in a rule of your own: none of minidl's
    has it); "rounding": what float64 arithmetic cannot explain. All but the last are there only if the rule
    has them.
    """
    theta = [line for line in entry.lines if line.name == "theta"][-1].expression
    with np.errstate(all="ignore"):  # a training that has blown up may be looked at too
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
    """What `x` comes to, as a sum: by source, "" being none of them."""
    if x not in seen:
        seen[x] = _worked_out(entry, x, seen)
    return seen[x]


def _worked_out(entry: Entry, x: Any, seen: dict[Any, Shares]) -> Shares:
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
    """Two sums multiplied out: term by term, number times source is source."""
    product: Shares = {}
    for one, x in left.items():
        for other, y in right.items():
            source = one or other
            if one and other:  # what holds the decay belongs to it; the square of a gradient is no gradient
                source = "decay" if "decay" in (one, other) else ""
            product[source] = product.get(source, 0.0) + x * y
    return product


def _divisor(x: Any, line: Line) -> Symbol | None:
    """The first array that `line` divides by, in what it writes out itself."""
    if not isinstance(x, Symbol) or (x in line.known and x is not line.expression):
        return None
    if x.op == "divide" and is_array(x.args[1]):
        return x.args[1]
    return next((found for part in x.args if (found := _divisor(part, line)) is not None), None)
