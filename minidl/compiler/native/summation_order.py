"""In which order OpenBLAS adds up a matrix product, so that machine code can do so without zeros.

OpenBLAS sums products x[k] w[k] from the first k to the last, each added with one rounding. It is
not one sum, though: at certain k (*cuts*) it begins a new one, and these partial sums are added up.
Where the cuts are depends on OpenBLAS's version, the processor, and the shapes. So OpenBLAS is
asked: 2^24 + 1 is 2^24 in float32, which tells whether two numbers came into the same sum. With
AVX2 some numbers at the edges of a matrix are *split* into two sums, of the even and of the odd
terms. A vector's products with a matrix are summed in groups of 8.

What is found is tried out (zeros.py): if machine code does not give the bits of the dense product
on random numbers, zeros are not passed over. So no result depends on it, only speed.
"""

from typing import NamedTuple

import numpy as np

from ...backend import Array
from ...kernels import products
from .jit.opcodes import LANES

_LARGE = np.float32(2**24)  # the distance to the next float32 is 2


class Order(NamedTuple):
    """How the sums of a product with a batch, and of its weight gradient, are made.

    `inputs` and `samples`: the cuts. `grouped`: whether inputs are summed in groups of 8. `split`
    and `sample_split`: for each row and each 64 columns a byte, whose bits say which groups of 8
    columns are split into sums of even and of odd terms; None if no number is.
    """

    inputs: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    grouped: bool = False
    split: Array = None
    sample_split: Array = None


STRAIGHT = Order()  # from the first to the last: minidl's first version, for runs that it began


def likely_order(batch: int, width: int, outputs: int) -> Order:
    """The order of the dense products (batch, width) @ (width, outputs) and xᵀ @ d.

    It holds if all the sums of a product are made alike, which has to be tried out: zeros.py.
    """
    if batch == 1:
        return Order(grouped=True)
    product, gradient = (batch, width, outputs, False), (width, batch, outputs, True)
    return Order(
        inputs=_cuts(*product),
        samples=_cuts(*gradient),
        split=_split(*product),
        sample_split=_split(*gradient),
    )


def _cuts(rows: int, length: int, columns: int, transposed: bool) -> tuple[int, ...]:
    """Where the sums of a product (rows, length) @ (length, columns) begin anew.

    Only even terms are asked about.
    """
    # From the last sum to the first: where one begins, the one before it has ended.
    cuts: list[int] = []
    last = (length - 1) // 2 * 2
    while (begin := _begin_of_sum(last, rows, length, columns, transposed)) < last:
        cuts.insert(0, begin)
        last = begin - 2
    return tuple(cuts)


def _begin_of_sum(last: int, rows: int, length: int, columns: int, transposed: bool) -> int:
    """The first term of the sum that ends with term `last`; `last` itself if that is term 0.

    A bisection that asks about as many terms at a time as the product has rows.
    """
    low, high = 1, last // 2
    while low < high:
        asked = np.unique(np.linspace(low, high, rows + 2)[1:-1].astype(int))
        x = np.zeros((rows, length), np.float32)
        together = _in_one_sum(2 * asked, last, x, columns, transposed)
        # Those before the cut are in another sum, those from it on in the same.
        high = int(asked[together].min(initial=high))
        low = int(asked[~together].max(initial=low - 1)) + 1
    return 2 * high


def _split(rows: int, length: int, columns: int, transposed: bool) -> Array:
    """Which numbers of a product (rows, length) @ (length, columns) are split; None if none is."""
    if length < 3:
        return None
    x = np.zeros((rows, length), np.float32)
    # Only a sum of odd terms, made apart, keeps the 1: between the two others it would be lost.
    x[:, :3] = _LARGE, 1, -_LARGE
    apart = np.zeros((rows, -(-columns // LANES) * LANES), bool)
    apart[:, :columns] = _product(x, columns, transposed) == 1
    groups = apart.reshape(rows, -1, 8, 8).any(axis=3)
    if not groups.any():
        return None
    return np.packbits(groups, axis=2, bitorder="little")[..., 0].copy()


def _in_one_sum(asked: Array, last: int, x: Array, columns: int, transposed: bool) -> Array:
    """Which of the terms `asked`, one in each row of the zeros `x`, share a sum with term `last`.

    A row's terms are 2^24, 1 and -2^24. The 1 is lost beside the first, but left over where it is
    in one sum with the last and not with the first.
    """
    at = np.arange(len(asked))
    x[:, 0], x[at, asked], x[:, last] = _LARGE, 1, -_LARGE
    return _product(x, columns, transposed)[at, 0] == 1


def _product(x: Array, columns: int, transposed: bool) -> Array:
    """The dense product of x with ones, with x in memory as it is where it counts."""
    out = np.empty((len(x), columns), np.float32)
    a = np.ascontiguousarray(x.T).T if transposed else x
    products.alone(a, np.ones((x.shape[1], columns), np.float32), out)()
    return out
