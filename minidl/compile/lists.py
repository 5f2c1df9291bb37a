"""The instructions for products with a batch that is mostly zeros: see sparse.py."""

from typing import Any

import numpy as np

from ..optim.flat import aligned
from . import codes
from .program import Array, Buffer, Program
from .rows import Row, address, halves

SPARSE = 0.3  # the share of inputs that are not zero, up to which it pays to pass over the others
NARROW = 64  # outputs: a dense product with less is as quick
FEW = 8  # so many samples that read a row of the weight, on average, are worth a copy of it
_BLOCK = 112  # rows of the weight at most, 64 numbers each: 28 KB, for a first cache of 32
_LANES = 64


def pays(program: Program, inputs: Array) -> bool:
    """Whether to pass over zeros: a program begins with a wide product, and few of its `inputs` are anything else."""
    x = program.buffers("batch")[0]
    users = [step for step in program.instructions if x in step.args]
    first = users[0].op == "matmul" and users[0].out[0].shape[1] >= NARROW
    return first and all(step.op in ("matmul", "weight_gradient") for step in users) and _share(inputs) <= SPARSE


def _share(inputs: Array) -> float:
    """The share of a data set's inputs that are not zero, by some two thousand samples from all over it."""
    some = inputs[:: -(-len(inputs) // 2048) or 1]
    return int(np.count_nonzero(some)) / some.size if some.size else 1.0


class Lists:
    """The lists of one batch of `inputs`, and the instructions that make them and use them."""

    def __init__(self, x: Buffer, inputs: Array, kept: list[Array]) -> None:
        (self.batch, self.width), self.inputs, self._kept = x.shape, inputs, kept
        self._few = self.batch * _share(inputs) < FEW
        pieces = 1 if self.batch == 1 else 2 * -(-self.width // (2 * _BLOCK))  # even in number, for two threads
        self._block = -(-self.width // pieces // 8) * 8
        self._blocks = -(-self.width // self._block)
        sizes = {
            codes.ENTRIES: self.batch * self.width + 8, codes.BEGINS: self.batch * (self._blocks + 1),
            codes.COLUMNS: self.width * codes.COLUMN if self.batch > 1 else 0, codes.ENDS: self.width,
        }  # fmt: skip
        values = (np.arange(256) * np.float32(1 / 255)).astype(np.float32).view(np.int32).astype(np.int64) << 32
        told = [self._room(sizes[part], np.int64) for part in range(len(sizes))]
        told += [address(values), self.batch, self.width, self._blocks, self._block]
        self._told = np.array(told, np.int64)
        kept += [values, self._told]

    def gather(self, labels: Array, own: int) -> list[Row]:
        """Each sample's list, and its label, to the address `own`."""
        pixels = self.inputs.dtype == np.uint8
        return halves(self.batch, self.batch * self.width, lambda first, last: [
            codes.SPARSE_GATHER, first, last, address(self.inputs), address(labels), own, pixels,
            address(self._told)])  # fmt: skip

    def matmul(self, n: int, w: int, y: int) -> list[Row]:
        """The batch times a weight (width, n): in halves of its columns if they are whole lanes, else of the batch."""
        room = _LANES * (self._block + self.batch)

        def part(first: int, last: int, left: int, right: int) -> Row:
            return [codes.SPARSE_MATMUL, first, last, left, right, n, w, y, address(self._told),
                    self._room(room, np.float32), self._few]  # fmt: skip

        if n % (2 * _LANES) == 0:
            return halves(n, self.batch * self.width, lambda left, right: part(0, self.batch, left, right))
        return halves(self.batch, self.batch * self.width, lambda first, last: part(first, last, 0, n))

    def gradient(self, n: int, d: int, target: int) -> list[Row]:
        """The transposed batch times the gradient (batch, n)."""
        return halves(self._blocks, self.batch * self.width, lambda first, last: [
            codes.SPARSE_GRADIENT, first, last, n, d, target, address(self._told),
            self._room(_LANES * (codes.TOGETHER + 1), np.float32)], self._blocks // 2)  # fmt: skip

    def _room(self, count: int, dtype: Any) -> int:
        """The address of room for so many numbers, at the begin of a cache line."""
        self._kept.append(aligned(count, dtype))
        return address(self._kept[-1])
