"""In which order OpenBLAS adds up the products of a matrix product, so that machine code can do the same without zeros.

A sum of products x[k] w[k] that OpenBLAS makes goes from the first k to the last, each product added with one rounding.
It is not one sum, though: from certain k on (*cuts*) it begins anew, and these sums are added up. Where the cuts
are depends on OpenBLAS's version, the processor, and the shapes, so they are asked for: 2^24 + 1 is 2^24 in float32,
which tells whether two numbers came into the same sum. A vector's products with a matrix are added up in groups of 8.

What is found is tried out: if the machine does not give the bits of the dense products, of numbers drawn at random,
zeros are not passed over. So whether they are makes no difference but of speed, and no run's results depend on it.
"""

from typing import NamedTuple

import numpy as np

from ..kernels import products
from .program import Array

_LARGE = np.float32(2**24)  # float32 has no room for one more


class Order(NamedTuple):
    """Where sums over inputs and over samples begin anew; whether inputs are added up in groups of 8."""

    inputs: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    grouped: bool = False


STRAIGHT = Order()  # from the first to the last: that of the first version, for runs that it began


def likely_order(batch: int, width: int, outputs: int) -> Order:
    """How the dense products (batch, width) @ (width, outputs) and, transposed, (width, batch) @ (batch, outputs) go.

    It holds if all sums of a product are made alike, which has to be tried out: see zeros.py.
    """
    if batch == 1:
        return Order(grouped=True)
    return Order(_cuts(batch, width, outputs, transposed=False), _cuts(width, batch, outputs, transposed=True))


def _cuts(rows: int, length: int, columns: int, transposed: bool) -> tuple[int, ...]:
    """Where the sums of a product (rows, length) @ (length, columns) begin anew."""
    cuts: list[int] = []
    last = length - 1
    while (begin := _begin_of_sum(last, rows, length, columns, transposed)) < last:
        cuts.insert(0, begin)
        last = begin - 1
    return tuple(cuts)


def _begin_of_sum(last: int, rows: int, length: int, columns: int, transposed: bool) -> int:
    """The first number of the sum that ends with number `last`; `last` itself if that is number 0."""
    low, high = 1, last
    while low < high:
        asked = np.unique(np.linspace(low, high, rows + 2)[1:-1].astype(int))  # as many at a time as there are rows
        together = _in_one_sum(asked, last, np.zeros((rows, length), np.float32), columns, transposed)
        high = int(asked[together].min(initial=high))
        low = int(asked[~together].max(initial=low - 1)) + 1
    return high


def _in_one_sum(asked: Array, last: int, x: Array, columns: int, transposed: bool) -> Array:
    """Which of the numbers `asked`, one in each row of the zeros `x`, are in one sum with number `last`, not with 0.

    Those alone are left over of 2^24 + 1 - 2^24: the others are lost beside 2^24.
    """
    at = np.arange(len(asked))
    x[:, 0], x[at, asked], x[:, last] = _LARGE, 1, -_LARGE
    out = np.empty((len(x), columns), np.float32)
    a = np.ascontiguousarray(x.T).T if transposed else x
    products.alone(a, np.ones((x.shape[1], columns), np.float32), out)()
    return out[at, 0] == 1
