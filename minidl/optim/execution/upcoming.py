"""Upcoming optimizer updates, for code that applies them itself (compiler/) or wants to try one on copies first."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..flat import Span
from ..group import Group
from ..rule import Rule
from .blocked import BlockedExecutor, Call, PendingGradient, executor

if TYPE_CHECKING:
    from ..optimizer import Optimizer


class ScheduledUpdate(NamedTuple):
    """One group's part of the upcoming updates: its rule, what executes it, and over which elements.

    `rates` are the updates' learning rates; `scalars` has a row for each update and a column for each of the plan's
    scalars. `idle` says whether an element whose gradient is zero stays where it is, and its state too.
    """

    rule: Rule
    executor: BlockedExecutor
    spans: tuple[Span, ...]
    rates: list[float]
    scalars: np.ndarray
    idle: bool


def upcoming_updates(optimizer: "Optimizer", moving: Sequence[bool], steps: int) -> list[ScheduledUpdate]:
    """The next `steps` updates of the parameters that are `moving`, which are NumPy's.

    Nothing is changed but that replaced parameters are taken back, as `step` does. Raises what `step` would: for a
    schedule's bad value, say.
    """
    _prepare(optimizer)
    vectors, first = optimizer.vectors, optimizer.t + 1
    updates = []
    for group, spans in zip(vectors.groups, vectors.spans_by_group(moving), strict=True):
        now = group.at(first)
        varies = _scheduled(group)
        # A schedule, which may count its calls, is asked once for each step.
        later = [group.at(first + k) for k in range(1, steps)] if varies else [now] * (steps - 1)
        each = [now, *later]
        numbers = group.executor.numbers
        if varies or group.executor.timed:
            scalars = np.array([numbers(rule, lr, first + k) for k, (rule, lr) in enumerate(each)])
        else:
            scalars = np.array([numbers(*now, first)]).repeat(steps, axis=0)
        rates = [lr for _, lr in each]
        updates.append(ScheduledUpdate(group.rule, group.executor, spans, rates, scalars, _idle(*each[0])))
    return updates


def still_upcoming(optimizer: "Optimizer", updates: Sequence[ScheduledUpdate]) -> bool:
    """Whether `upcoming_updates` would find the rest of `updates` again.

    It would not if it asked a schedule, which may answer anew. Parameters are taken back, and errors raised, as there.
    """
    _prepare(optimizer)
    for group, update in zip(optimizer.vectors.groups, updates, strict=True):
        same = group.rule is update.rule and group.executor is update.executor
        if not same or group.lr is not update.rates[0]:
            return False
    return not scheduled(optimizer)


def scheduled(optimizer: "Optimizer") -> bool:
    """Whether a schedule has to be asked for the numbers of each update."""
    return any(_scheduled(group) for group in optimizer.vectors.groups)


def _prepare(optimizer: "Optimizer") -> None:
    optimizer.check_ready()
    optimizer.vectors.claim()
    optimizer.vectors.prepare()


def _scheduled(group: Group) -> bool:
    return callable(group.lr) or bool(group.rule.scheduled)


def step_overlapped(optimizer: "Optimizer", last: tuple[Call, Call, int, np.ndarray] | None) -> None:
    """``optimizer.step()`` after two calls make the `last` gradient: its first rows, and the others.

    `last` is the two calls, the number of the first rows, and the gradient. If it fits, each half is followed at once
    by its own share of the update.
    """
    if last is None:
        optimizer.step()
        return
    first, second, rows, gradient = last
    begin = (gradient.ctypes.data - optimizer.vectors.gradients.ctypes.data) // gradient.itemsize
    cut, stop = begin + rows * gradient.shape[1], begin + gradient.size
    optimizer.step_after(PendingGradient(first, second, cut, stop))


def dry_run(optimizer: "Optimizer") -> Iterator[tuple[str, Any]]:
    """What the next update would make of "the parameters" and of each vector of the state: tried out on copies."""
    vectors = optimizer.vectors
    vectors.claim()
    active = vectors.collect()
    vectors.prepare()
    t = optimizer.t + 1
    for group, spans in zip(vectors.groups, vectors.spans_by_group(active), strict=True):
        rule, lr = group.at(t)
        theta, _, *state = copies = [vector.copy() for vector in vectors.of_rule(rule)]
        executor(group.rule, copies).step(rule, lr, t, spans)
        yield from zip(("the parameters", *rule.state), (theta, *state), strict=True)


def _idle(rule: Any, lr: float) -> bool:
    """Whether the rule leaves a parameter without gradient alone: tried out on numbers."""
    if rule.state:  # a momentum, say, moves on by itself
        return False
    # One number of each sign: whatever is added, or decays, shows in one of them.
    return all(rule(theta, 0.0, lr=lr, t=1) == (theta,) for theta in (1.5, -0.25))
