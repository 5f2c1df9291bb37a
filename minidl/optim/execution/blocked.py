"""A rule carried out over flat vectors: in place, block by block, on NumPy; as one kernel on CuPy; whole, elsewhere."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...backend import Array, array_module, backend_of, shelf
from ...errors import UnsupportedError
from ...hardware.threads import both, in_turn
from ..flat import Run, aligned
from ..rule import Rule
from ..symbols import equation
from .cuda import Fused
from .plan import Plan, Scalars

SHARED = 2e6  # operations on an element: from here on it pays to hand half of them to another thread, if there is one
BLOCK = 49152  # elements: small enough that a block of each vector stays in the cache, large enough to pay for a call

Call = Callable[[], object]  # a ufunc with its operands and its result


class Before(NamedTuple):
    """What makes a part of the gradient before an update: `first` up to `cut`, `second` from there to `stop`.

    Each is followed at once, and on its thread, by its share of the update: what it has made, and half in all.
    """

    first: Call
    second: Call
    cut: int
    stop: int


class Blocks:
    """`rule` on NumPy vectors: the same few ufuncs called in place on one cache-sized block after the other.

    The equation is read off the rule once. Its numbers (lr, t, the hyperparameters) are read at every
    step, worked out in float64, and rounded to the vectors' dtype as they are used.
    """

    def __init__(self, rule: Rule, vectors: Sequence[np.ndarray]) -> None:
        self.plan = Plan(equation(rule))
        self._names = rule.numbers()
        self._work_out = Scalars(self.plan.scalars)
        self.timed = "t" in self._work_out.inputs  # whether its numbers change from step to step by themselves
        self.vectors, dtype = vectors, vectors[0].dtype
        self._scalars = np.empty(len(self.plan.scalars), dtype)
        self._rooms = [
            [aligned(min(BLOCK, vectors[0].size), dtype) for _ in range(self.plan.buffers)]
            for _ in range(1 if vectors[0].size * len(self.plan.operations) < SHARED else 2)
        ]
        self._worked_out: tuple[Rule, float] | None = None  # what the scalars are for, as far as they do not hang on t
        self._calls: dict[Any, list[list[Call]]] = {}

    def step(self, rule: Rule, lr: float, t: int, runs: tuple[Run, ...], before: Before | None = None) -> None:
        """Update the vectors over `runs`; `rule` is the one of this step (see `Rule.at`)."""
        key = runs, None if before is None else before.cut
        if key not in self._calls:
            if len(self._calls) == 8:  # few sets of parameters take turns; should they never repeat, forget
                self._calls.clear()
            self._calls[key] = self._bound(*key)
        if self.timed or (rule, lr) != self._worked_out:
            self._scalars[:] = self.numbers(rule, lr, t)
            self._worked_out = rule, lr
        parts = [partial(_carry_out, part) for part in self._calls[key]]
        if before is not None:
            parts = [partial(in_turn, before.first, parts[0]), partial(in_turn, before.second, parts[1])]
        if len(parts) == 1:
            parts[0]()
        else:
            both(*parts)

    def takes(self, runs: tuple[Run, ...], before: Before) -> bool:
        """Whether an update over `runs` can be shared so that each half begins with what was made before it."""
        if len(self._rooms) == 1 or len(runs) != 1:
            return False
        start, stop = runs[0]
        half = (stop - start) // 2
        return start <= before.cut <= start + half and before.stop <= before.cut + half

    def numbers(self, rule: Rule, lr: float, t: int) -> list[float]:
        """The values of the plan's scalars for one step."""
        given = {name: getattr(rule, name) for name in self._names}
        return self._work_out({"lr": lr, "t": t, **given})

    def _bound(self, runs: tuple[Run, ...], cut: int | None) -> list[list[Call]]:
        """The plan's operations with their arrays: looked up once, as that costs as much as a call.

        In one list for each room of buffers, so that two threads can each go through one. The second goes from `cut`
        on, if that is given, through half of the elements.
        """
        if cut is None:
            shares = [[*map(tuple, part)] for part in np.array_split(_blocks(runs), len(self._rooms))]
        else:
            start, stop = runs[0]
            other = cut + (stop - start) // 2
            shares = [_blocks(((start, cut), (other, stop))), _blocks(((cut, other),))]
        scalars = {("scalar", i): self._scalars[i, ...] for i in range(len(self._scalars))}
        parts: list[list[Call]] = []
        for room, share in zip(self._rooms, shares, strict=True):
            parts.append([])
            for start, stop in share:
                found = scalars | {("vector", i): vector[start:stop] for i, vector in enumerate(self.vectors)}
                found |= {("buffer", i): buffer[: stop - start] for i, buffer in enumerate(room)}
                for ufunc, operands, result in self.plan.operations:
                    parts[-1].append(_call(ufunc, [found[place] for place in operands], found[result]))
        return parts


def _blocks(runs: tuple[Run, ...]) -> list[Run]:
    return [(at, min(at + BLOCK, stop)) for start, stop in runs for at in range(start, stop, BLOCK)]


def _carry_out(calls: list[Call]) -> None:
    for call in calls:
        call()


def _call(ufunc: np.ufunc, operands: list[np.ndarray], result: np.ndarray) -> Call:
    """A named `out` takes NumPy half a microsecond longer, but for two of its functions it is the only way."""
    if ufunc in (np.maximum, np.minimum):
        return partial(ufunc, *operands, out=result)
    return partial(ufunc, *operands, result)


class Whole:
    """`rule` on vectors of any backend: called as it stands, its results copied back."""

    def __init__(self, rule: Rule, vectors: Sequence[Array]) -> None:
        self._vectors = vectors

    def step(self, rule: Rule, lr: float, t: int, runs: tuple[Run, ...]) -> None:
        """Update the vectors over `runs`; `rule` is the one of this step (see `Rule.at`)."""
        for start, stop in runs:
            theta, g, *state = [vector[start:stop] for vector in self._vectors]
            for old, new in zip((theta, *state), rule(theta, g, *state, lr=lr, t=t), strict=True):
                old[...] = new


def executor(rule: Rule, vectors: Sequence[Array]) -> Blocks | Fused | Whole:
    """What carries out `rule` fastest on `vectors`: θ, the gradient, then the state, flat and of one dtype."""
    if array_module(vectors[0]) is np:
        return Blocks(rule, vectors)
    launch = shelf.get(("launch", backend_of(vectors[0])))
    if launch is not None:
        with contextlib.suppress(UnsupportedError):
            return Fused(rule, vectors, launch)
    return Whole(rule, vectors)
