"""Products with a batch that is mostly zeros, one at a time: a snippet for each shape.

A factor that is infinite or NaN would make a zero count: machine code looks for one first (and for
what is so large that it may become one), and leaves such a product to NumPy.
"""

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .... import machine_code
from ....backend import Array
from ....hardware.threads import blas_threads
from ..cache.objects import MACHINE
from ..jit import instruction_set as isa
from ..snippet import Snippet, plain
from ..sparse_layout import SPARSE, SPARSE_FROM
from ..summation_order import Order
from ..table import Code, address
from ..zeros import assembled, order_of
from .available import available

FIRST = 10  # batches of a shape until it is looked at: one that comes once an epoch never is
AGAIN = 64  # batches after which it is looked at again
LARGEST = 1 << 26  # bytes of a batch: each shape keeps one
SHAPES = 64  # that are known at a time

Product = Callable[[Array, Array], "Array | None"]


def products_without_zeros(seconds: float) -> tuple[Product, Product] | None:
    """Two functions: of x (B, D) and w, x @ w; of x and d, xᵀ @ d. Either may say None: use NumPy.

    None if the interpreter has not been compiled yet; `seconds` have been spent without it. Raises
    as `available` does.
    """
    if not available(MACHINE, seconds):
        return None
    shapes = _Shapes()
    return shapes.matmul, shapes.weight_gradient


class _Shapes(threading.local):
    """What each thread knows of the products' shapes: a program's memory is one thread's."""

    def __init__(self) -> None:
        self._known: dict[Any, _Shape] = {}
        self._busy = False  # a signal's handler that computes may not write into a program in use

    def matmul(self, x: Array, w: Array) -> Array | None:
        """x @ w, or None."""
        if self._busy or x.shape[1] != w.shape[0]:
            return None
        shape = self._known.get((x.shape, w.shape)) or self._new(x, w)
        shape.batches += 1
        try:
            self._busy = True
            if shape.batches >= shape.next_look:
                shape.look(x, w)
            products = shape.products(x, w)
            return products and products.matmul(x, w)
        finally:
            self._busy = False

    def weight_gradient(self, x: Array, d: Array) -> Array | None:
        """xᵀ @ d, or None."""
        shape = self._known.get((x.shape, (x.shape[1], d.shape[1])))
        if self._busy or shape is None or len(x) != len(d):
            return None
        try:
            self._busy = True
            products = shape.products(x, d)
            return products and products.weight_gradient(x, d)
        finally:
            self._busy = False

    def _new(self, x: Array, w: Array) -> "_Shape":
        if len(self._known) == SHAPES:  # should they never repeat, forget
            self._known.clear()
        shape = self._known[x.shape, w.shape] = _Shape(x, w)
        return shape


class _Shape:
    """What is known of the products of one shape: whether passing over zeros pays, and how."""

    def __init__(self, x: Array, w: Array) -> None:
        self.batches = 0
        small = len(x) < 2 or w.shape[1] < SPARSE_FROM or not x.size or x.nbytes > LARGEST
        self.next_look = math.inf if small else FIRST
        self._pays = False
        # By the number of threads that the dense products use, as that may decide on their bits.
        self._products: dict[int, _Products | None] = {}

    def look(self, x: Array, w: Array) -> None:
        """Decide anew, by the zeros in this batch."""
        self.next_look = self.batches + AGAIN
        self._pays = bool(np.count_nonzero(x) <= SPARSE * x.size)
        if self._pays and plain(x, w):
            threads = blas_threads() or 1
            if threads not in self._products:
                order = order_of(x, w, threads)
                self._products[threads] = None if order is None else _Products(x, w, order)

    def products(self, x: Array, factor: Array) -> "_Products | None":
        """The products of these arrays, if there is one that they are fit for."""
        if not self._pays or not plain(x, factor) or not machine_code.silent():
            return None
        return self._products.get(blas_threads() or 1)


class _Products:
    """x @ w and xᵀ @ d for arrays of the shapes of these, with sums in this order."""

    def __init__(self, x: Array, w: Array, order: Order) -> None:
        x, w = x.copy(), np.empty_like(w)  # not the caller's, who may have one array twice
        batch, outputs = len(x), w.shape[1]
        self._y_shape, self._w_shape = (batch, outputs), w.shape
        y, d = np.empty((batch, outputs), np.float32), np.empty((batch, outputs), np.float32)
        gradient = np.empty_like(w)
        assembler = assembled(x, w, y, d, gradient, order)
        gather, matmul, back = assembler.code
        self._found = np.zeros(1, np.int64)
        self._matmul = Snippet([*self._check(w), gather, matmul], [x, w, y], assembler, batch)
        back_places = [x, d, gradient]
        self._back = Snippet([*self._check(d), gather, back], back_places, assembler, batch)

    def _check(self, factor: Array) -> Code:
        """Go on only if all of a factor's numbers are finite."""
        at = address(self._found)
        return [
            isa.Check(size=factor.size, numbers=address(factor), found=at),
            isa.Stop(size=1, found=at),
        ]

    def matmul(self, x: Array, w: Array) -> Array | None:
        """x @ w; None if w is not finite."""
        y = np.empty(self._y_shape, np.float32)
        self._matmul(x, w, y)
        return None if self._found[0] else y

    def weight_gradient(self, x: Array, d: Array) -> Array | None:
        """xᵀ @ d; None if d is not finite."""
        gradient = np.empty(self._w_shape, np.float32)
        self._back(x, d, gradient)
        return None if self._found[0] else gradient
