"""Where a kernel may write a parameter's gradient at once, instead of into an array that is copied there later.

Only a step that is captured for a GPU opens slots: there nobody can hold a gradient of the step before.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..backend import Array, array_module


class _Here(threading.local):
    free: dict[int, tuple[Array, Array]] | None = None  # by the parameter's array, which is held so that its id stays


_here = _Here()


@contextmanager
def slots(pairs: Iterable[tuple[Array, Array]]) -> Iterator[None]:
    """Within the block `gradient_like` gives each parameter's array, the first of a pair, the second for its gradient.

    Each is given once: a parameter that is used twice has two gradients, which are still to be added up.
    """
    before, _here.free = _here.free, {id(value): (value, gradient) for value, gradient in pairs}
    try:
        yield
    finally:
        _here.free = before


def gradient_like(parameter: Array) -> Array:
    """An uninitialised array for the gradient of `parameter`, which a kernel was given: its slot, or a new one."""
    pair = None if _here.free is None else _here.free.pop(id(parameter), None)
    return array_module(parameter).empty(parameter.shape, parameter.dtype) if pair is None else pair[1]
