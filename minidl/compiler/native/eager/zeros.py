"""Products with a batch that is mostly zeros, one at a time: a small program for each shape.

The addresses in its instructions are those of the arrays that it was made with; each call writes
others in their place. A factor that is infinite or NaN, or near to it, would make a zero count:
machine code looks for one first, and leaves such a product to NumPy.
"""

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import UnsupportedError
from ....hardware.threads import blas_threads
from ...program import Array
from ..cache.background import ready
from ..cache.objects import MACHINE, function, installed
from ..jit import instruction_set as isa
from ..sparse_layout import NARROW, SPARSE
from ..table import Code, address, table
from ..zeros import assembled, one_batch, order_of

FIRST = (
    10  # batches of a shape after which it is looked at: what comes once an epoch is not worth it
)
AGAIN = 64  # batches after which it is looked at again
SHAPES = 64  # that are known at a time

Product = Callable[[Array, Array], "Array | None"]


def products_without_zeros(seconds: float) -> tuple[Product, Product] | None:
    """Two functions: of x (B, D) and w, x @ w; of x and d, xᵀ @ d. Either may say None: use NumPy.

    None if the interpreter has not been compiled yet; `seconds` have been spent without it. Raises
    `UnsupportedError` if there is none, `OSError` as `ready` does.
    """
    if not installed():
        raise UnsupportedError("machine code needs Numba")
    if not ready([MACHINE], seconds):
        return None
    function(MACHINE)
    shapes = _Shapes()
    return shapes.matmul, shapes.weight_gradient


class _Shapes(threading.local):
    """What each thread knows of the products' shapes: a program's memory is one thread's."""

    def __init__(self) -> None:
        self._known: dict[Any, _Shape] = {}

    def matmul(self, x: Array, w: Array) -> Array | None:
        """x @ w, or None."""
        shape = self._known.get((x.shape, w.shape)) or self._new(x, w)
        shape.batches += 1
        if shape.batches >= shape.next_look:
            shape.look(x, w)
        program = shape.program(x, w)
        return program and program.matmul(x, w)

    def weight_gradient(self, x: Array, d: Array) -> Array | None:
        """xᵀ @ d, or None."""
        shape = self._known.get((x.shape, (x.shape[1], d.shape[1])))
        program = shape and shape.program(x, d)
        return program and program.weight_gradient(x, d)

    def _new(self, x: Array, w: Array) -> "_Shape":
        if len(self._known) == SHAPES:  # should they never repeat, forget
            self._known.clear()
        shape = self._known[x.shape, w.shape] = _Shape(x, w)
        return shape


class _Shape:
    """What is known of the products of one shape: whether passing over zeros pays, and programs."""

    def __init__(self, x: Array, w: Array) -> None:
        self.batches = 0
        small = len(x) < 2 or w.shape[1] < NARROW
        self.next_look = math.inf if small else FIRST
        self._pays = False
        # By the number of threads that the dense products use, as that may decide on their bits.
        self._programs: dict[int, _Program | None] = {}

    def look(self, x: Array, w: Array) -> None:
        """Decide anew, by the zeros in this batch."""
        self.next_look = self.batches + AGAIN
        self._pays = bool(np.count_nonzero(x) <= SPARSE * x.size)
        if self._pays and _plain(x, w):
            threads = blas_threads() or 1
            if threads not in self._programs:
                order = order_of(x, w, threads)
                self._programs[threads] = None if order is None else _Program(x, w, order)

    def program(self, x: Array, factor: Array) -> "_Program | None":
        """The program for these arrays, if there is one that they are fit for."""
        if not self._pays or not _plain(x, factor):
            return None
        return self._programs.get(blas_threads() or 1)


def _plain(*arrays: Array) -> bool:
    """Whether all are as machine code reads them."""
    return all(a.dtype == np.float32 and a.flags.c_contiguous and a.flags.aligned for a in arrays)


class _Program:
    """x @ w and xᵀ @ d for arrays of the shapes of these, with sums in this order."""

    def __init__(self, x: Array, w: Array, order: Any) -> None:
        batch, outputs = len(x), w.shape[1]
        self._y_shape, self._w_shape = (batch, outputs), w.shape
        y, d = np.empty((2, batch, outputs), np.float32)
        gradient = np.empty_like(w)
        assembler = assembled(x, w, y, d, gradient, order)
        gather, matmul, weight_gradient = assembler.code
        self._found = np.zeros(2, np.int64)
        forward: Code = [*self._check(w, 0), gather, matmul]
        backward: Code = [*self._check(d, 1), gather, weight_gradient]
        self._code = table([*forward, *backward])
        middle = len(table(forward))
        self._task, alive = one_batch(self._code, assembler, batch)
        self._alive = alive, assembler
        self._parts = (0, middle), (middle, len(self._code))
        # Where in the table an array's address is.
        self._flat = self._code.reshape(-1)
        self._x, self._w, self._y, self._d, self._gradient = (
            np.flatnonzero(self._flat == address(array)) for array in (x, w, y, d, gradient)
        )
        self._machine = function(MACHINE)

    def _check(self, factor: Array, number: int) -> Code:
        """Go on only if all of a factor's numbers are finite."""
        found = address(self._found) + 8 * number
        numbers = address(factor)
        check = isa.Check(size=factor.size, numbers=numbers, found=found)
        return [check, isa.Stop(size=1, found=found)]

    def matmul(self, x: Array, w: Array) -> Array | None:
        """x @ w; None if w is not finite."""
        y = np.empty(self._y_shape, np.float32)
        places = (self._x, x), (self._w, w), (self._y, y)
        return y if self._executed(0, *places) else None

    def weight_gradient(self, x: Array, d: Array) -> Array | None:
        """xᵀ @ d; None if d is not finite."""
        gradient = np.empty(self._w_shape, np.float32)
        places = (self._x, x), (self._d, d), (self._gradient, gradient)
        return gradient if self._executed(1, *places) else None

    def _executed(self, part: int, *places: tuple[Array, Array]) -> bool:
        """Execute a part of the code with these arrays in their places; whether it has gone on."""
        for at, array in places:
            self._flat[at] = address(array)
        self._task["begin"], self._task["end"] = self._parts[part]
        self._machine(address(self._task), 0)
        return not self._found[part]
