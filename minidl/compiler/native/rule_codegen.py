"""An update rule as machine code: one loop over the parameters, written from the rule itself (law 3).

The rule has been run on symbols, and what it did is a plan of ufunc calls (optim/plan.py). Here the same operations
are written down as the body of a loop, one element at a time, for Numba to compile: the state is read and written
once instead of once per operation. No operation is reordered, so the results are the same bits.
"""

from ...errors import UnsupportedError
from ...optim.execution.plan import Place, Plan
from .cache.objects import Source

_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
_CALLS = {"sqrt": "np.sqrt({})", "negative": "-{}", "positive": "{}", "absolute": "abs({})"}
_MAXIMUM = "({0} if {0} >= {1} or {0} != {0} else {1})"  # NaN stays NaN

_SOURCE = '''"""{rule}, written by minidl: one pass over the parameters, their gradient and the rule's state."""

import numpy as np

from minidl.compiler.native.jit.memory import floats, integers


def update(vectors, start, stop, scalars):
    places, s, count = integers(vectors, {vectors}), floats(scalars, {scalars}), stop - start
{heads}
    for i in range(count):
{body}
'''


def source(rule: str, plan: Plan) -> str:
    """The loop of a rule's plan, as Python. Raises `UnsupportedError`, naming it, for a ufunc not known here."""
    used = {p.number for op in plan.operations for p in (*op.operands, op.result) if p.kind == "vector"}
    heads = [f"    s{i} = s[{i}]" for i in range(len(plan.scalars))]
    heads += [f"    v{i} = floats(places[{i}] + 4 * start, count)" for i in sorted(used)]
    body = [f"        {_name(op.result)} = {_written(op.ufunc.__name__, [*map(_name, op.operands)])}" for op in
            plan.operations]  # fmt: skip
    vectors = max(used) + 1
    return _SOURCE.format(
        rule=rule, vectors=vectors, scalars=max(len(plan.scalars), 1), heads="\n".join(heads), body="\n".join(body)
    )


def _name(place: Place) -> str:
    """A place as a variable of the loop."""
    return {"vector": f"v{place.number}[i]", "buffer": f"b{place.number}", "scalar": f"s{place.number}"}[place.kind]


def _written(ufunc: str, operands: list[str]) -> str:
    if ufunc in _INFIX:
        return f" {_INFIX[ufunc]} ".join(operands)
    if ufunc == "maximum":
        return _MAXIMUM.format(*operands)
    if ufunc in _CALLS:
        return _CALLS[ufunc].format(*operands)
    raise UnsupportedError(f"compile: np.{ufunc} in a rule is not known to the machine")


def rule_file(rule: str, plan: Plan) -> Source:
    """The loop of a rule's plan, to be compiled. Raises as `source` does."""
    return Source("update", source(rule, plan))
