"""A rule executed over flat vectors: by blocks, in place, on NumPy; as one kernel on CuPy; as it stands elsewhere."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ... import machine_code
from ...backend import Array, array_module, backend_of, registry
from ...errors import UnsupportedError
from ...hardware.threads import both, in_turn
from ..flat import Span, aligned
from ..rule import Rule
from ..symbols import equation
from .cuda import CudaExecutor
from .plan import Plan, Scalars

SHARED = 2e6  # operations on an element: from here on it pays to hand half of them to another thread, if there is one
BLOCK = 49152  # elements: small enough that a block of each vector stays in the cache, large enough to pay for a call

Call = Callable[[], object]  # a ufunc with its operands and its result


class PendingGradient(NamedTuple):
    """A part of the gradient that is still to be made: `first` makes it up to `cut`, `second` from there to `stop`.

    Each is followed at once, and on its thread, by its share of the update: what it has made, and half in all.
    """

    first: Call
    second: Call
    cut: int
    stop: int


class BlockedExecutor:
    """`rule` on NumPy vectors: the same few ufuncs called in place on one cache-sized block after the other.

    The equation is read off the rule once. Its numbers (lr, t, the hyperparameters) are read at every
    step, computed in float64, and rounded to the vectors' dtype as they are used. Where there is machine code for the
    equation, one loop over all elements takes the place of the calls, with the same bits.
    """

    def __init__(self, rule: Rule, vectors: Sequence[np.ndarray]) -> None:
        self.plan = Plan(equation(rule))
        self._names = rule.numbers()
        self._evaluate = Scalars(self.plan.scalars)
        self.timed = "t" in self._evaluate.inputs  # whether its numbers change from step to step by themselves
        self.vectors, dtype = vectors, vectors[0].dtype
        self._scalars = np.empty(len(self.plan.scalars), dtype)
        self._scratch = [  # a set of buffers for each thread
            [aligned(min(BLOCK, vectors[0].size), dtype) for _ in range(self.plan.buffers)]
            for _ in range(1 if vectors[0].size * len(self.plan.operations) < SHARED else 2)
        ]
        self._evaluated: tuple[Rule, float] | None = None  # what the scalars are for, as far as they do not hang on t
        self._calls: dict[Any, list[list[Call]]] = {}
        self._loop = machine_code.Wanted("update_loop", rule.name, self.plan, vectors, self._scalars)

    def step(
        self, rule: Rule, lr: float, t: int, spans: tuple[Span, ...], pending: PendingGradient | None = None
    ) -> None:
        """Update the vectors over `spans`; `rule` is the one of this step (see `Rule.at`)."""
        machine_code.note_step()
        self._loop.look()
        by_loop = self._loop.found is not None and machine_code.silent()
        cut = None if pending is None else pending.cut
        key = spans, cut, by_loop
        if key not in self._calls:
            if len(self._calls) == 8:  # few sets of parameters take turns; should they never repeat, forget
                self._calls.clear()
            self._calls[key] = self._bound(spans, cut, by_loop)
        # The calls hold views of the scalars: new numbers, if there are any, are written there.
        if self.timed or (rule, lr) != self._evaluated:
            self._scalars[:] = self.numbers(rule, lr, t)
            self._evaluated = rule, lr
        # Each thread has a share; if a gradient is still to be made, it makes its part of that just before.
        shares = [partial(_execute, calls) for calls in self._calls[key]]
        if pending is not None:
            shares = [partial(in_turn, pending.first, shares[0]), partial(in_turn, pending.second, shares[1])]
        if len(shares) == 1:
            shares[0]()
        else:
            both(*shares)

    def can_overlap(self, spans: tuple[Span, ...], pending: PendingGradient) -> bool:
        """Whether an update over `spans` can be halved so that each half begins with what was `pending` of it."""
        if len(self._scratch) == 1 or len(spans) != 1:
            return False
        start, stop = spans[0]
        half = (stop - start) // 2
        return start <= pending.cut <= start + half and pending.stop <= pending.cut + half

    def numbers(self, rule: Rule, lr: float, t: int) -> list[float]:
        """The values of the plan's scalars for one step."""
        given = {name: getattr(rule, name) for name in self._names}
        return self._evaluate({"lr": lr, "t": t, **given})

    def _bound(self, spans: tuple[Span, ...], cut: int | None, by_loop: bool) -> list[list[Call]]:
        """The calls that make the update, with their arrays: looked up once, as that costs as much as a call.

        They are calls of the machine code's loop (`by_loop`), or the plan's operations on blocks. In a list for each
        thread; the second goes from `cut` on, if that is given, through half of the elements. The loop is fast enough
        for one thread otherwise.
        """
        halves: list[tuple[Span, ...]] = [spans]
        # A pending gradient is made by the first thread up to the cut, by the second from there on. Each begins with
        # its own elements, and the first gets so many of the rest that both have half.
        if cut is not None:
            start, stop = spans[0]
            other = cut + (stop - start) // 2
            halves = [((start, cut), (other, stop)), ((cut, other),)]
        if by_loop:
            return [[self._loop.found(*span) for span in half] for half in halves]
        if cut is not None:
            return self._operations([_blocks(half) for half in halves])
        return self._operations([[*map(tuple, part)] for part in np.array_split(_blocks(spans), len(self._scratch))])

    def _operations(self, shares: list[list[Span]]) -> list[list[Call]]:
        """The plan's operations on each share's blocks, with scratch buffers of the share's own."""
        scalars = {("scalar", i): self._scalars[i, ...] for i in range(len(self._scalars))}
        calls: list[list[Call]] = []
        for buffers, blocks in zip(self._scratch, shares, strict=True):
            calls.append([])
            for start, stop in blocks:
                arrays = scalars | {("vector", i): vector[start:stop] for i, vector in enumerate(self.vectors)}
                arrays |= {("buffer", i): buffer[: stop - start] for i, buffer in enumerate(buffers)}
                for ufunc, operands, result in self.plan.operations:
                    calls[-1].append(_call(ufunc, [arrays[place] for place in operands], arrays[result]))
        return calls


def _blocks(spans: tuple[Span, ...]) -> list[Span]:
    blocks: list[Span] = []
    for start, stop in spans:
        blocks += [(at, min(at + BLOCK, stop)) for at in range(start, stop, BLOCK)]
    return blocks


def _execute(calls: list[Call]) -> None:
    for call in calls:
        call()


def _call(ufunc: np.ufunc, operands: list[np.ndarray], result: np.ndarray) -> Call:
    """Bind ufunc, operands and output into one call. (``out=`` costs 0.5 µs; maximum and minimum need it.)"""
    if ufunc in (np.maximum, np.minimum):
        return partial(ufunc, *operands, out=result)
    return partial(ufunc, *operands, result)


class PlainExecutor:
    """`rule` on vectors of any backend: called as it stands, its results copied back."""

    def __init__(self, rule: Rule, vectors: Sequence[Array]) -> None:
        self._vectors = vectors

    def step(self, rule: Rule, lr: float, t: int, spans: tuple[Span, ...]) -> None:
        """Update the vectors over `spans`; `rule` is the one of this step (see `Rule.at`)."""
        for start, stop in spans:
            theta, g, *state = [vector[start:stop] for vector in self._vectors]
            for old, new in zip((theta, *state), rule(theta, g, *state, lr=lr, t=t), strict=True):
                old[...] = new


def executor(rule: Rule, vectors: Sequence[Array]) -> BlockedExecutor | CudaExecutor | PlainExecutor:
    """What executes `rule` fastest on `vectors`: θ, the gradient, then the state, flat and of one dtype."""
    if array_module(vectors[0]) is np:
        return BlockedExecutor(rule, vectors)
    launch = registry.get(("launch", backend_of(vectors[0])))
    if launch is not None:
        with contextlib.suppress(UnsupportedError):
            return CudaExecutor(rule, vectors, launch)
    return PlainExecutor(rule, vectors)
