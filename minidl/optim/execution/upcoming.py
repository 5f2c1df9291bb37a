"""Coming updates: for those who carry them out themselves, several at a time (compile/), or look before they leap."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..flat import Run
from ..group import Group
from ..rule import Rule
from .blocked import Before, Blocks, Call, executor

if TYPE_CHECKING:
    from ..optimizer import Optimizer


class Update(NamedTuple):
    """One group's part of the coming updates: its rule, what carries it out, and over which elements.

    `rates` are the updates' learning rates; `scalars` has a row for each update and a column for each of the plan's
    scalars. `idle` says whether an element whose gradient is zero stays where it is, and its state too.
    """

    rule: Rule
    executor: Blocks
    runs: tuple[Run, ...]
    rates: list[float]
    scalars: np.ndarray
    idle: bool


def ahead(optimizer: "Optimizer", moving: Sequence[bool], steps: int) -> list[Update]:
    """The next `steps` updates of the parameters that are `moving`, which are NumPy's.

    Nothing is changed but that replaced parameters are taken back, as `step` does. Raises what `step` would: for a
    schedule's bad value, say.
    """
    optimizer._check()
    optimizer._flat.claim()
    optimizer._prepare()
    found = []
    for group in optimizer._groups:
        first = optimizer.t + 1
        today = group.at(first)
        asked = _scheduled(group)
        days = [today, *[group.at(first + k) for k in range(1, steps)]] if asked else [today] * steps
        if asked or group.executor.timed:
            scalars = np.array([group.executor.numbers(rule, lr, first + k) for k, (rule, lr) in enumerate(days)])
        else:
            scalars = np.array([group.executor.numbers(*days[0], first)]).repeat(steps, axis=0)
        runs = optimizer._flat.runs(moving, group.first, group.last)
        found.append(Update(group.rule, group.executor, runs, [lr for _, lr in days], scalars, _idle(*days[0])))
    return found


def still_ahead(optimizer: "Optimizer", updates: Sequence[Update]) -> bool:
    """Whether `ahead` would find the rest of `updates` again; not if it would ask a schedule, which may answer anew.

    Parameters are taken back as by `ahead`. Raises what that does.
    """
    optimizer._check()
    optimizer._flat.claim()
    optimizer._prepare()
    for group, update in zip(optimizer._groups, updates, strict=True):
        same = group.read() is update.rule and group.executor is update.executor
        if not same or group.lr is not update.rates[0]:
            return False
    return not scheduled(optimizer)


def scheduled(optimizer: "Optimizer") -> bool:
    """Whether a schedule has to be asked for the numbers of each update."""
    return any(_scheduled(group) for group in optimizer._groups)


def _scheduled(group: Group) -> bool:
    return callable(group.lr) or bool(group.rule.scheduled)


def step_after(optimizer: "Optimizer", last: tuple[Call, Call, int, np.ndarray] | None) -> None:
    """``optimizer.step()`` after what makes the last gradient: its first rows, the others; how many, and the gradient.

    If it fits, each half is followed at once by its own share of the update.
    """
    if last is None:
        optimizer.step()
        return
    first, second, rows, gradient = last
    begin = (gradient.ctypes.data - optimizer._flat.gradients.ctypes.data) // gradient.itemsize
    optimizer._step(Before(first, second, begin + rows * gradient.shape[1], begin + gradient.size))


def outcome(optimizer: "Optimizer") -> Iterator[tuple[str, Any]]:
    """What the next update would make of "the parameters" and of each vector of the state: tried out on copies."""
    optimizer._flat.claim()
    active = optimizer._flat.collect()
    optimizer._prepare()
    t = optimizer.t + 1
    for group in optimizer._groups:
        rule, lr = group.at(t)
        vectors = optimizer._values, optimizer._flat.gradients, *[optimizer.state[name] for name in rule.state]
        theta, _, *state = copies = [vector.copy() for vector in vectors]
        executor(group.rule, copies).step(rule, lr, t, optimizer._flat.runs(active, group.first, group.last))
        yield from zip(("the parameters", *rule.state), (theta, *state), strict=True)


def _idle(rule: Any, lr: float) -> bool:
    """Whether the rule leaves a parameter without gradient alone: tried out on numbers."""
    return not rule.state and all(rule(theta, 0.0, lr=lr, t=1) == (theta,) for theta in (1.5, -0.25))
