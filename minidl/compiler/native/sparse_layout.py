"""The instructions for products with a batch that is mostly zeros: see sparse.py."""

from typing import Any

import numpy as np

from ...optim.flat import aligned
from ..program import Array, Buffer, Program
from .jit import opcodes
from .summation_order import Order
from .table import Row, address, halves

SPARSE = 0.3  # the share of inputs that are not zero, up to which it pays to pass over the others
NARROW = 64  # outputs: a dense product with less is as quick
FEW = 8  # so many samples that read a row of the weight, on average, are worth a copy of it
_BLOCK = 112  # rows of the weight at most, 64 numbers each: 28 KB, for a first cache of 32
_LANES = 64


def first_product(program: Program, inputs: Array) -> int | None:
    """How many outputs the product has in which it pays to pass over the zeros of these `inputs`; None if it does not.

    A program has to begin with a wide product, and few of its `inputs` may be anything else than zero.
    """
    x = program.buffers("batch")[0]
    users = [step for step in program.instructions if x in step.args]
    if users[0].op != "matmul" or any(step.op not in ("matmul", "weight_gradient") for step in users):
        return None
    outputs = int(users[0].out[0].shape[1])
    return outputs if outputs >= NARROW and share(inputs) <= SPARSE else None


def share(inputs: Array) -> float:
    """The share of a data set's inputs that are not zero, by some two thousand samples from all over it."""
    some = inputs[:: -(-len(inputs) // 2048) or 1]
    return int(np.count_nonzero(some)) / some.size if some.size else 1.0


class Lists:
    """The lists of one batch of `inputs`, and the instructions that make them and use them in this `order`."""

    def __init__(self, x: Buffer, inputs: Array, order: Order, kept: list[Array]) -> None:
        (self.batch, self.width), self.inputs, self._kept, self._order = x.shape, inputs, kept, order
        self._few = self.batch == 1 or self.batch * share(inputs) < FEW
        most = self.width if self.batch == 1 else _BLOCK
        self._edges, edges_anew, edges_limit = _parts(self.width, order.inputs, most)
        spans, spans_anew, spans_limit = _parts(self.batch, order.samples, opcodes.TOGETHER)
        self._spans = len(spans) - 1
        self._blocks = len(self._edges) - 1
        self._block = int(np.diff(self._edges).max())
        values = (np.arange(256) * np.float32(1 / 255)).astype(np.float32).view(np.int32).astype(np.int64) << 32
        told = {
            opcodes.ENTRIES: self._room(self.batch * self.width + 8, np.int64),
            opcodes.BEGINS: self._room(self.batch * (self._blocks + 1), np.int64),
            opcodes.COLUMNS: self._room(self.width * opcodes.COLUMN if self.batch > 1 else 0, np.int64),
            opcodes.ENDS: self._room(self.width, np.int64), opcodes.VALUES: self._held(values),
            opcodes.SAMPLES: self.batch, opcodes.FEATURES: self.width, opcodes.BLOCKS: self._blocks,
            opcodes.BLOCK: self._block, opcodes.EDGES: self._held(self._edges),
            opcodes.EDGES_ANEW: self._held(edges_anew), opcodes.EDGES_LIMIT: self._held(edges_limit),
            opcodes.RIMS: self._held(order.rims),
            opcodes.SPANS: self._spans, opcodes.SPAN_EDGES: self._held(spans),
            opcodes.SPANS_ANEW: self._held(spans_anew), opcodes.SPANS_LIMIT: self._held(spans_limit),
            opcodes.SPAN_RIMS: self._held(order.sample_rims),
            opcodes.GROUPED: self._room(self.width // opcodes.GROUP + 2, np.int64) if order.grouped else 0,
        }  # fmt: skip
        self._told = self._held(np.array([told[part] for part in range(opcodes.LISTS)], np.int64))

    def gather(self, labels: Array, own: int) -> list[Row]:
        """Each sample's list, and its label, to the address `own`."""
        pixels = self.inputs.dtype == np.uint8
        return halves(self.batch, self.batch * self.width, lambda first, last: [
            opcodes.SPARSE_GATHER, first, last, address(self.inputs), address(labels), own, pixels,
            self._told])  # fmt: skip

    def matmul(self, n: int, w: int, y: int) -> list[Row]:
        """The batch times a weight (width, n): in halves of its columns if they are whole lanes, else of the batch."""
        room = _LANES * (self._block + (2 if self._order.rims is None else 4) * self.batch)

        def part(first: int, last: int, left: int, right: int) -> Row:
            return [opcodes.SPARSE_MATMUL, first, last, left, right, n, w, y, self._told,
                    self._room(room, np.float32), self._few]  # fmt: skip

        if n % (2 * _LANES) == 0:
            return halves(n, self.batch * self.width, lambda left, right: part(0, self.batch, left, right))
        return halves(self.batch, self.batch * self.width, lambda first, last: part(first, last, 0, n))

    def gradient(self, n: int, d: int, target: int) -> list[Row]:
        """The transposed batch times the gradient (batch, n)."""
        middle = int(np.abs(self._edges - self.width / 2).argmin())
        others = self._room(self.width * n if self._order.samples else 0, np.float32)
        lanes = self.width * -(-n // _LANES) if self._spans > 1 else 1

        def pairs() -> int:
            return 0 if self._order.sample_rims is None else self._room(2 * _LANES * lanes, np.float32)

        return halves(self._blocks, self.batch * self.width, lambda first, last: [
            opcodes.SPARSE_GRADIENT, first, last, n, d, target, self._told,
            self._room(_LANES * (opcodes.TOGETHER + 1), np.float32), others, pairs()], middle)  # fmt: skip

    def _room(self, count: int, dtype: Any) -> int:
        """The address of room for so many numbers, at the begin of a cache line."""
        self._kept.append(aligned(count, dtype))
        return address(self._kept[-1])

    def _held(self, array: Array) -> int:
        """The address of an array, which is kept alive; 0 if there is none."""
        if array is None:
            return 0
        self._kept.append(array)
        return address(array)


def _parts(length: int, cuts: tuple[int, ...], most: int) -> tuple[Array, Array, Array]:
    """Edges that cut `length` into even parts of at most so many, at all `cuts`; for each, whether it begins at a cut.

    And for each part how many of its terms come before the last few of their sum, that do not make up 8.
    """
    edges, limits = [0], []
    for start, stop in zip((0, *cuts), (*cuts, length), strict=True):
        count = -(-(stop - start) // most)
        size = -(-(stop - start) // count // 8) * 8 if count > 1 else stop - start
        parts = [*range(start, stop, size)]
        limits += [max(0, start + (stop - start) // 8 * 8 - edge) for edge in parts]
        edges += [*parts[1:], stop]
    anew = [edge in (0, *cuts, length) for edge in edges]
    return np.array(edges, np.int64), np.array(anew, np.int64), np.array(limits, np.int64)
