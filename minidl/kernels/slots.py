"""Where a kernel may write a parameter's gradient at once, instead of into an array that is copied there later.

Only a step that is captured for a GPU opens slots: there nobody can hold a gradient of the step before.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..backend import Array, array_module


class Slots:
    """The slots of a step: by the id of a parameter's array, that array and the one for its gradient; and the seed."""

    def __init__(self, pairs: Iterable[tuple[Array, Array]], one: Array) -> None:
        self.all = {id(value): (value, gradient) for value, gradient in pairs}
        self.free = dict(self.all)
        self.one = one
        self.twice = False  # whether a parameter has been used twice: its gradients are still to be added up


class _Here(threading.local):
    slots: Slots | None = None


_here = _Here()


@contextmanager
def slots(pairs: Iterable[tuple[Array, Array]], one: Array) -> Iterator[Slots]:
    """Within the block `gradient_like` gives each parameter's array, the first of a pair, the second for its gradient.

    Each is given once. `one` is the gradient that backward begins with: 1.
    """
    before, _here.slots = _here.slots, Slots(pairs, one)
    try:
        yield _here.slots
    finally:
        _here.slots = before


def gradient_like(parameter: Array) -> Array:
    """An uninitialised array for the gradient of `parameter`, which a kernel was given: its slot, or a new one."""
    here, key = _here.slots, id(parameter)
    if here is not None and key in here.all:
        if key in here.free:
            return here.free.pop(key)[1]
        here.twice = True
    return array_module(parameter).empty(parameter.shape, parameter.dtype)


def is_one(gradient: Array) -> bool:
    """Whether this array is known to hold a single 1, by which nothing needs to be multiplied."""
    return _here.slots is not None and gradient is _here.slots.one
