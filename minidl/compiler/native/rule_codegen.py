"""An update rule as machine code: one loop over the parameters, written from the rule (law 3).

The rule has been run on symbols, and what it did is a plan of ufunc calls
(optim/execution/plan.py). Here the same operations become the body of a loop, one element at a
time, for Numba to compile: the state is read and written once instead of once per operation. No
operation is reordered, so the results are the same bits.
"""

from ...errors import UnsupportedError
from ...optim.execution.plan import Place, Plan
from .cache.objects import Source

_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
_CALLS = {"sqrt": "np.sqrt({})", "negative": "-{}", "positive": "{}", "absolute": "abs({})"}
_MAXIMUM = "({0} if {0} >= {1} or {0} != {0} else {1})"  # NaN stays NaN

_SOURCE = '''"""{rule}, written by minidl: one pass over parameters, gradient and state."""

import numpy as np

from minidl.compiler.native.jit.memory import float32_at, int64_at


def update(vectors, start, stop, scalars):
    addresses, s = int64_at(vectors, {vectors}), float32_at(scalars, {scalars})
    count = stop - start
{bindings}
    for i in range(count):
{body}
'''


def source(rule: str, plan: Plan) -> str:
    """The loop of a rule's plan, as Python.

    Raises `UnsupportedError`, naming it, for a ufunc that is not known here.
    """
    places = [place for op in plan.operations for place in (*op.operands, op.result)]
    used = {place.number for place in places if place.kind == "vector"}
    bindings = [f"    s{i} = s[{i}]" for i in range(len(plan.scalars))]
    bindings += [f"    v{i} = float32_at(addresses[{i}] + 4 * start, count)" for i in sorted(used)]
    body = []
    for op in plan.operations:
        operands = [_variable(place) for place in op.operands]
        expression = _expression(op.ufunc.__name__, operands)
        body.append(f"        {_variable(op.result)} = {expression}")
    return _SOURCE.format(
        rule=rule,
        vectors=max(used) + 1,
        scalars=max(len(plan.scalars), 1),
        bindings="\n".join(bindings),
        body="\n".join(body),
    )


def _variable(place: Place) -> str:
    """A place as a variable of the loop."""
    if place.kind == "vector":
        return f"v{place.number}[i]"
    return f"{'b' if place.kind == 'buffer' else 's'}{place.number}"


def _expression(ufunc: str, operands: list[str]) -> str:
    """A call of a ufunc as Python on numbers."""
    if ufunc in _INFIX:  # the operands are variables: no brackets are needed
        return f" {_INFIX[ufunc]} ".join(operands)
    if ufunc == "maximum":
        return _MAXIMUM.format(*operands)
    if ufunc in _CALLS:
        return _CALLS[ufunc].format(*operands)
    raise UnsupportedError(f"compile: machine code has no np.{ufunc}, which a rule calls")


def rule_file(rule: str, plan: Plan) -> Source:
    """The loop of a rule's plan, to be compiled. Raises as `source` does."""
    return Source("update", source(rule, plan))
