"""In which order OpenBLAS adds up the products of a matrix product, so that machine code can do the same without zeros.

A sum of products x[k] w[k] that OpenBLAS makes goes from the first k to the last, each product added with one rounding.
It is not one sum, though: from certain k on (*cuts*) it begins anew, and these sums are added up. Where the cuts
are depends on OpenBLAS's version, the processor, and the shapes, so they are asked for: 2^24 + 1 is 2^24 in float32,
which tells whether two numbers came into the same sum. With AVX2 some numbers at the *rims* of a matrix are made of two
sums, one of the even and one of the odd terms. A vector's products with a matrix are added up in groups of 8.

What is found is tried out: if the machine does not give the bits of the dense products, of numbers drawn at random,
zeros are not passed over. So whether they are makes no difference but of speed, and no run's results depend on it.
"""

from typing import NamedTuple

import numpy as np

from ...kernels import products
from ..program import Array

_LARGE = np.float32(2**24)  # float32 has no room for one more
_LANES = 64


class Order(NamedTuple):
    """How the sums of a product with a batch, and of its gradient, are made.

    `inputs` and `samples`: where they begin anew. `grouped`: whether inputs are added up in groups of 8. `rims` and
    `sample_rims`: for each row and each 64 columns, which groups of 8 columns are made of two sums, of even and of odd
    terms, as the bits of a byte; None if no number is.
    """

    inputs: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    grouped: bool = False
    rims: Array = None
    sample_rims: Array = None


STRAIGHT = Order()  # from the first to the last: that of the first version, for runs that it began


def likely_order(batch: int, width: int, outputs: int) -> Order:
    """How the dense products (batch, width) @ (width, outputs) and, transposed, (width, batch) @ (batch, outputs) go.

    It holds if the sums of a product are made alike, which has to be tried out: see zeros.py.
    """
    if batch == 1:
        return Order(grouped=True)
    product, gradient = (batch, width, outputs, False), (width, batch, outputs, True)
    return Order(_cuts(*product), _cuts(*gradient), False, _rims(*product), _rims(*gradient))


def _cuts(rows: int, length: int, columns: int, transposed: bool) -> tuple[int, ...]:
    """Where the sums of a product (rows, length) @ (length, columns) begin anew; only even terms are asked about."""
    cuts: list[int] = []
    last = (length - 1) // 2 * 2
    while (begin := _begin_of_sum(last, rows, length, columns, transposed)) < last:
        cuts.insert(0, begin)
        last = begin - 2
    return tuple(cuts)


def _begin_of_sum(last: int, rows: int, length: int, columns: int, transposed: bool) -> int:
    """The first term of the sum that ends with term `last`; `last` itself if that is term 0."""
    low, high = 1, last // 2
    while low < high:
        asked = np.unique(np.linspace(low, high, rows + 2)[1:-1].astype(int))  # as many at a time as there are rows
        together = _in_one_sum(2 * asked, last, np.zeros((rows, length), np.float32), columns, transposed)
        high = int(asked[together].min(initial=high))
        low = int(asked[~together].max(initial=low - 1)) + 1
    return 2 * high


def _rims(rows: int, length: int, columns: int, transposed: bool) -> Array:
    """Which numbers of a product (rows, length) @ (length, columns) are made of two sums; None if none is."""
    if length < 3:
        return None
    x = np.zeros((rows, length), np.float32)
    x[:, :3] = _LARGE, 1, -_LARGE
    apart = np.zeros((rows, -(-columns // _LANES) * _LANES), bool)
    apart[:, :columns] = _product(x, columns, transposed) == 1
    groups = apart.reshape(rows, -1, 8, 8).any(axis=3)
    return np.packbits(groups, axis=2, bitorder="little")[..., 0].copy() if groups.any() else None


def _in_one_sum(asked: Array, last: int, x: Array, columns: int, transposed: bool) -> Array:
    """Which of the numbers `asked`, one in each row of the zeros `x`, are in one sum with number `last`, not with 0.

    Those alone are left over of 2^24 + 1 - 2^24: the others are lost beside 2^24.
    """
    at = np.arange(len(asked))
    x[:, 0], x[at, asked], x[:, last] = _LARGE, 1, -_LARGE
    return _product(x, columns, transposed)[at, 0] == 1


def _product(x: Array, columns: int, transposed: bool) -> Array:
    """The dense product of x with ones, x being laid out in memory as it is where it counts."""
    out = np.empty((len(x), columns), np.float32)
    a = np.ascontiguousarray(x.T).T if transposed else x
    products.alone(a, np.ones((x.shape[1], columns), np.float32), out)()
    return out
