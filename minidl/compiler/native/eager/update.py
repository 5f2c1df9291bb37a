"""An optimizer's update as calls of its rule's loop (optim/execution/blocked.py)."""

import ctypes
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ....backend import Array
from ....errors import UnsupportedError
from ....optim.execution.plan import Plan
from ..cache.objects import load
from ..rule_codegen import rule_file
from ..table import address
from .available import available

_UPDATE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)  # releases the GIL


def update_loop(
    rule: str, plan: Plan, vectors: Sequence[Array], scalars: Array, seconds: float
) -> Callable[[int, int], Callable[[], object]] | None:
    """What binds a rule's loop to the elements from `start` to `stop` of its `vectors`.

    The `scalars` are read anew at each call. None if the loop has not been compiled yet; `seconds`
    have been spent without it. Raises `UnsupportedError` for other dtypes, and as `available` does.
    """
    if any(vector.dtype != np.float32 for vector in vectors):
        raise UnsupportedError("machine code computes in float32")
    file = rule_file(rule, plan)
    if not available(file, seconds):
        return None
    loop = _UPDATE(load(file))
    addresses = np.array([address(vector) for vector in vectors])

    def bound(start: int, stop: int) -> Callable[[], object]:
        return partial(loop, address(addresses), start, stop, address(scalars))

    return bound
