"""A few instructions that are executed on other arrays at each call.

They are assembled once, for arrays that are there for their shapes alone. Each call writes the
addresses of its own arrays in the place of theirs.
"""

import ctypes
from collections.abc import Sequence

import numpy as np

from ...backend import Array
from .cache.objects import MACHINE, function
from .layers import Layers
from .table import Code, address, table
from .task import new_mailbox, new_task

_FLOAT32 = np.dtype(np.float32)
_DATA = object.__basicsize__  # where the address is in a PyArrayObject, part of NumPy's C interface


class Snippet:
    """Instructions of an `assembler`, and others; `code` was made with the arrays in `places`.

    A batch, if there is one, consists of all samples, `samples` of them, in their order.
    """

    def __init__(
        self, code: Code, places: Sequence[Array], assembler: Layers, samples: int = 1
    ) -> None:
        self._table = table(code)
        flat = self._table.reshape(-1)
        self._flat = memoryview(flat)
        self._places = [_places(flat, array) for array in places]
        order, unused, mailbox = np.arange(samples), np.zeros(1, np.int64), new_mailbox()
        constants = assembler.constants
        self._task = new_task(
            code=self._table,
            constants=constants,
            samples=order,
            steps=1,
            batch=samples,
            losses=unused.view(np.float32),
            correct=unused,
            mailbox=mailbox,
            shared=False,
        )
        self._address = address(self._task)
        self._alive = assembler, constants, order, unused, mailbox
        self._machine = function(MACHINE)

    def __call__(self, *arrays: Array) -> None:
        """Execute them on these arrays, like those in `places` and in their order."""
        flat = self._flat
        for array, places in zip(arrays, self._places, strict=True):
            start = _start(array)
            for at, offset in places:
                flat[at] = start + offset
        self._machine(self._address, 0)


def _start(array: Array) -> int:
    """An array's address, in a sixth of the time that `array.ctypes` takes."""
    return ctypes.c_int64.from_address(id(array) + _DATA).value


if _start(some := np.zeros(1)) != address(some):  # a Python whose objects begin otherwise
    _start = address


def plain(*arrays: Array) -> bool:
    """Whether all are as machine code reads them."""
    for a in arrays:
        if type(a) is not np.ndarray or a.dtype is not _FLOAT32:
            return False
        if not a.flags.c_contiguous or not a.flags.aligned:
            return False
    return True


def _places(flat: Array, array: Array) -> list[tuple[int, int]]:
    """Where in the table addresses in this array are, and how far each is from its first byte."""
    offsets = flat - address(array)
    found = np.flatnonzero((offsets >= 0) & (offsets < array.nbytes))
    return [(int(at), int(offsets[at])) for at in found]
