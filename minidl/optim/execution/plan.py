"""From an equation to a short list of in-place array operations.

Three things are settled here, once, before any array is seen: which scalar factors are multiplied
beforehand, which operations are left (each distinct one is done once), and where each result goes,
so that there are few temporaries and the gradient is never overwritten.
"""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..symbols import Equation, Symbol

# Scalars are computed with Python's floats, which are float64.
_PYTHON: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "negative": operator.neg,
}


class Place(NamedTuple):
    """Where an operand or a result is: a "vector" (θ, g, the state), a "buffer", or a "scalar"."""

    kind: str
    number: int


class Operation(NamedTuple):
    """One call: ``ufunc(*operands, out=result)``."""

    ufunc: np.ufunc
    operands: tuple[Place, ...]
    result: Place


class Plan:
    """The operations that compute `equation` in place; the scalars they need; how many buffers.

    Vectors are numbered like the equation's inputs: θ is 0, the gradient 1, then the state.
    """

    def __init__(self, equation: Equation) -> None:
        self._scalars: dict[Any, int] = {}
        self.operations: list[Operation] = []
        self.buffers = 0
        goals = _goals(equation)
        self._steps = [step for step in in_order(list(goals)) if is_array(step) and step.args]

        # How long each value lives: up to the last step that uses it, and a goal beyond all steps.
        self._last = {a: i for i, step in enumerate(self._steps) for a in step.args}
        self._last.update(dict.fromkeys(goals, len(self._steps)))
        # The step that computes each vector's new value. The gradient's has none.
        self._ready = {goals[step]: i for i, step in enumerate(self._steps) if step in goals}

        # Where each value is, and the other way round: what is in each place now.
        where = {x: Place("vector", i) for i, x in enumerate(equation.inputs)}
        self._content: dict[Place, Any] = {place: x for x, place in where.items()}
        for i, step in enumerate(self._steps):
            operands = tuple(where[a] if is_array(a) else self._scalar(a) for a in step.args)
            where[step] = self._destination(i, operands, goals.get(step))
            self._content[where[step]] = step
            self.operations.append(Operation(getattr(np, step.op), operands, where[step]))

        for goal, vector in goals.items():
            home = Place("vector", vector)
            if where[goal] != home:  # the old value was still needed when the new one was ready
                self.operations.append(Operation(np.positive, (where[goal],), home))
        self.scalars = list(self._scalars)  # expressions, and numbers

    def _destination(self, i: int, operands: Sequence[Place], vector: int | None) -> Place:
        """Where step `i` writes: its own vector, if it has one; else an operand, a free buffer."""
        buffers = [Place("buffer", b) for b in range(self.buffers)]
        # An operand first: it is in the cache, and no further memory is touched.
        candidates = [p for p in operands if p.kind != "scalar"] + buffers
        if vector is not None:
            # A new value waits in a buffer, if at all: in another's vector it would be in the way
            # of that one's new value.
            own = Place("vector", vector)
            candidates = [own, *(p for p in candidates if p.kind == "buffer")]
        for place in candidates:
            if self._free(place, i):
                return place
        self.buffers += 1
        return Place("buffer", self.buffers - 1)

    def _free(self, place: Place, i: int) -> bool:
        """Whether step `i` may write to `place`.

        What is there must not be needed any more, and it must not be the gradient.
        """
        if self._last.get(self._content.get(place), -1) > i:
            return False
        # Once its old value is not needed, a vector serves as a buffer until its new one is ready.
        # The gradient, which never gets a new one, is not written to.
        return place.kind == "buffer" or self._ready.get(place.number, -1) >= i

    def _scalar(self, expression: Any) -> Place:
        """A scalar's place: the one it was given before, else the next."""
        number = self._scalars.setdefault(expression, len(self._scalars))
        return Place("scalar", number)


class Scalars:
    """Scalar expressions, computed one after the other for given values of lr, t and the rest."""

    def __init__(self, expressions: Sequence[Any]) -> None:
        # Each node's value goes into a list, at its number in this order: its parts come before it.
        nodes = in_order(expressions)
        index = {x: i for i, x in enumerate(nodes)}
        self._inputs: list[tuple[int, str]] = []
        self._steps: list[tuple[int, Callable[..., Any], list[int]]] = []
        self._values: list[Any] = nodes  # the constants are their own values
        self._results = [index[x] for x in expressions]
        for i, x in enumerate(nodes):
            if isinstance(x, Symbol) and not x.args:
                self._inputs.append((i, x.op))
            elif isinstance(x, Symbol):
                self._steps.append((i, _function(x.op), [index[a] for a in x.args]))

    @property
    def inputs(self) -> set[str]:
        """The names of the values that the expressions are made of."""
        return {name for _, name in self._inputs}

    def __call__(self, given: Mapping[str, Any]) -> list[Any]:
        """Their values, in the order of the expressions."""
        values = self._values.copy()
        for i, name in self._inputs:
            values[i] = given[name]
        for i, function, args in self._steps:
            values[i] = function(*[values[a] for a in args])
        return [values[i] for i in self._results]


def _function(op: Any) -> Callable[..., Any]:
    """What computes an operation of scalars: the rule's own function, an operator, or a ufunc."""
    if callable(op):
        return op
    return _PYTHON[op] if op in _PYTHON else getattr(np, op)


def is_array(x: Any) -> bool:
    """Whether `x` is as large as the parameters; if not, it is a scalar expression or a number."""
    return isinstance(x, Symbol) and not x.scalar


def in_order(expressions: Sequence[Any]) -> list[Any]:
    """All that the expressions are made of, each part once, and after its own parts."""
    found: dict[Any, None] = {}  # a set that keeps the order

    def visit(x: Any) -> None:
        if x not in found:
            for a in x.args if isinstance(x, Symbol) else ():
                visit(a)
            found[x] = None

    for x in expressions:
        visit(x)
    return list(found)


def gathered(expressions: Sequence[Any]) -> list[Any]:
    """The same expressions with each product's scalar factors multiplied first, and applied last.

    ``lr * (v / c)`` becomes ``v * (lr / c)``: products are re-associated, nothing else changes.
    """

    # Expressions share their parts: each is split once, however often it occurs.
    @functools.cache
    def split(x: Any) -> tuple[Any, Any]:
        """`x` as (scalar factor, array); the array is None if `x` is a scalar."""
        if not is_array(x):
            return x, None
        if x.op == "multiply":
            (factor1, array1), (factor2, array2) = map(split, x.args)
            return _scalar_product(factor1, factor2), _array_product(array1, array2)
        # Not a scalar over an array: there is no array above that a factor could be taken out of.
        if x.op == "divide" and is_array(x.args[0]):
            (factor1, array1), (factor2, array2) = map(split, x.args)
            factor = factor1 if _is_one(factor2) else factor1 / factor2
            array = array1 if array2 is None else Symbol("divide", (array1, array2))
            return factor, array
        if not x.args:
            return 1, x
        # No factor is taken out of a sum or a root: its operands are done by themselves.
        return 1, Symbol(x.op, tuple(map(joined, x.args)))

    def joined(x: Any) -> Any:
        factor, array = split(x)
        if array is None:
            return factor
        if _is_one(factor):
            return array
        return Symbol("multiply", (array, factor))

    return [joined(x) for x in expressions]


def _scalar_product(factor1: Any, factor2: Any) -> Any:
    if _is_one(factor1):
        return factor2
    if _is_one(factor2):
        return factor1
    return factor1 * factor2


def _array_product(array1: Any, array2: Any) -> Any:
    if array1 is None:
        return array2
    if array2 is None:
        return array1
    return Symbol("multiply", (array1, array2))


def _is_one(factor: Any) -> bool:
    return not isinstance(factor, Symbol) and factor == 1


def _goals(equation: Equation) -> dict[Symbol, int]:
    """What has to be computed, each with the number of the vector that it belongs in."""
    goals: dict[Symbol, int] = {}
    vectors = [0, *range(2, len(equation.inputs))]  # all but the gradient's
    for vector, output in zip(vectors, gathered(equation.outputs), strict=True):
        if output is equation.inputs[vector]:  # a state that stays as it is
            continue
        # Not computed by a step of its own (an input, a scalar, another's new value): a copy of it.
        while not (is_array(output) and output.args) or output in goals:
            output = Symbol("positive", (output,))
        goals[output] = vector
    return goals
