"""An update rule as machine code: one loop over the parameters, written from the rule itself (law 3).

The rule has been run on symbols, and what it did is a plan of ufunc calls (optim/plan.py). Here the same operations
are written down as the body of a loop, one element at a time, for Numba to compile: the state is read and written
once instead of once per operation. No operation is reordered, so the results are the same bits.
"""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import UnsupportedError
from ..optim.plan import Place, Plan
from .warm import cache_folder

_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
_CALLS = {"sqrt": "np.sqrt({})", "negative": "-{}", "positive": "{}", "absolute": "abs({})"}
_MAXIMUM = "({0} if {0} >= {1} or {0} != {0} else {1})"  # NaN stays NaN

_SOURCE = '''"""{rule}, written by minidl: one pass over the parameters, their gradient and the rule's state."""

import numpy as np
from numba import carray, cfunc, types

from minidl.compile.calls import pointer


@cfunc(types.void(types.int64, types.int64, types.int64, types.int64), cache=True, error_model="numpy")
def update(vectors, start, stop, scalars):
    places = carray(pointer(vectors), ({vectors},), np.int64)
    s = carray(pointer(scalars), ({scalars},), np.float32)
{heads}
    for i in range(stop - start):
{body}
'''


def source(rule: str, plan: Plan) -> str:
    """The loop of a rule's plan, as Python. Raises `UnsupportedError`, naming it, for a ufunc not known here."""
    used = {p.number for op in plan.operations for p in (*op.operands, op.result) if p.kind == "vector"}
    heads = [f"    s{i} = s[{i}]" for i in range(len(plan.scalars))]
    heads += [f"    v{i} = carray(pointer(places[{i}] + 4 * start), (stop - start,), np.float32)" for i in sorted(used)]
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


def kept(text: str) -> Path:
    """The file in which this source is kept, beside which Numba keeps what it made of it; written if need be."""
    file = cache_folder() / "rules" / f"rule_{hashlib.sha256(text.encode()).hexdigest()[:16]}.py"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    return file


def compiled(file: Path) -> Any:
    """The function `update` in a file that `kept` wrote, as machine code: its `address` is what the machine calls."""
    if file.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise UnsupportedError(f"compile: {file} cannot be imported")
        module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)  # where Numba's cache looks for it
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[file.stem]
            raise
    return sys.modules[file.stem].update
