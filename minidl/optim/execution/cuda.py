"""A rule as one CUDA kernel, generated from its equation: one launch updates a whole span of parameters."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...backend import Array
from ...errors import UnsupportedError
from ..flat import Span
from ..rule import Rule
from ..symbols import equation
from .plan import Place, Plan, Scalars

THREADS = 256
MOST_BLOCKS = 1024  # as many as a large GPU holds at once: each thread then takes several elements

_REALS = {"float32": "float", "float64": "double"}
_FORMS = {  # NumPy's ufuncs in C; a and b are the operands
    "add": "{a} + {b}",
    "subtract": "{a} - {b}",
    "multiply": "{a} * {b}",
    "divide": "{a} / {b}",
    "positive": "{a}",
    "negative": "-{a}",
    "square": "{a} * {a}",
    "reciprocal": "1 / {a}",
    "absolute": "fabs({a})",
    "maximum": "({a} != {a} || {a} > {b}) ? {a} : {b}",  # NaN stays NaN, as in NumPy
    "minimum": "({a} != {a} || {a} < {b}) ? {a} : {b}",
    "power": "pow({a}, {b})",
    "sign": "({a} != {a}) ? {a} : real({a} > 0) - real({a} < 0)",
    **{name: f"{name}({{a}})" for name in ("sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh")},
}


def source(plan: Plan, vectors: int, dtype: str) -> str:
    """CUDA source of two kernels that execute `plan` in place over the elements from `start` to `stop`.

    Both take that many `vectors`, `start` and `stop`. ``update`` is then handed the scalars; ``update_from_table``
    finds them in row ``*step + later`` of a table in the GPU's memory, so that a recorded launch can be repeated with
    new ones.
    Raises `UnsupportedError` for another dtype than float32 and float64, or a function that has no form here.
    """
    if dtype not in _REALS:
        raise UnsupportedError(f"a rule on {dtype} cannot become one CUDA kernel")
    read = {place.number for o in plan.operations for place in (*o.operands, o.result) if place.kind == "vector"}
    buffers = "".join(f"        real b{i};\n" for i in range(plan.buffers))
    loads = "".join(f"        real x{i} = v{i}[i];\n" for i in sorted(read))
    body = "".join(f"        {_name(o.result)} = {_form(o.ufunc, o.operands)};\n" for o in plan.operations)
    written = {o.result.number for o in plan.operations if o.result.kind == "vector"}
    stores = "".join(f"        v{i}[i] = x{i};\n" for i in sorted(written))
    count = len(plan.scalars)
    given = "".join(f", real c{i}" for i in range(count))
    rows = "".join(f"    real c{i} = table[(*step + later) * {count} + {i}];\n" for i in range(count))
    pointers = ", ".join(f"real* __restrict__ v{i}" for i in range(vectors))
    loop = f"""\
    long long stride = (long long)gridDim.x * blockDim.x;
#pragma unroll 4
    for (long long i = start + (long long)blockIdx.x * blockDim.x + threadIdx.x; i < stop; i += stride) {{
{buffers}{loads}{body}{stores}    }}
}}
"""
    return f"""\
typedef {_REALS[dtype]} real;

extern "C" __global__ void update({pointers}, long long start, long long stop{given})
{{
{loop}
extern "C" __global__ void update_from_table(
    {pointers}, long long start, long long stop, const real* table, const long long* step, long long later)
{{
{rows}{loop}"""


def _name(place: Place) -> str:
    return {"vector": "x", "buffer": "b", "scalar": "c"}[place.kind] + str(place.number)


def _form(ufunc: np.ufunc, operands: Sequence[Place]) -> str:
    if ufunc.__name__ not in _FORMS:
        raise UnsupportedError(f"a rule that uses {ufunc.__name__} cannot become one CUDA kernel")
    return _FORMS[ufunc.__name__].format(**dict(zip("ab", map(_name, operands), strict=False)))


class CudaExecutor:
    """`rule` on a GPU's vectors: one kernel, which reads and writes every element once.

    Its operations are those of the blocks on NumPy, in the same order; its numbers are computed in float64 on
    the CPU, rounded to the vectors' dtype, and handed over with the launch. Raises `UnsupportedError` as
    `source` does. `launch` is a backend's: see kernels/cupy_launch.py.
    """

    def __init__(self, rule: Rule, vectors: Sequence[Array], launch: Callable[..., None]) -> None:
        plan = Plan(equation(rule))
        self._source = source(plan, len(vectors), vectors[0].dtype.name)
        self.count = len(plan.scalars)  # of numbers in a row of the table
        self._names = rule.numbers()
        self._evaluate = Scalars(plan.scalars)
        self._vectors, self._launch = vectors, launch

    def step(self, rule: Rule, lr: float, t: int, spans: tuple[Span, ...]) -> None:
        """Update the vectors over `spans`; `rule` is the one of this step (see `Rule.at`)."""
        real = self._vectors[0].dtype.type
        self._over(spans, "update", [real(value) for value in self.numbers(rule, lr, t)])

    def numbers(self, rule: Rule, lr: float, t: int) -> list[float]:
        """The scalars of step `t`: a row of the table."""
        return self._evaluate({"lr": lr, "t": t, **{name: getattr(rule, name) for name in self._names}})

    def step_from_table(self, spans: tuple[Span, ...], table: Array, step: Array, later: int = 0) -> None:
        """Update the vectors over `spans` by the scalars in row ``step + later`` of `table`.

        `step` is one integer in the GPU's memory.
        """
        self._over(spans, "update_from_table", [table, step, np.int64(later)])

    def _over(self, spans: tuple[Span, ...], name: str, numbers: list[Any]) -> None:
        for start, stop in spans:
            blocks = min(-(-(stop - start) // THREADS), MOST_BLOCKS)
            bounds = np.int64(start), np.int64(stop)
            self._launch(self._source, name, (blocks,), (THREADS,), *self._vectors, *bounds, *numbers)
