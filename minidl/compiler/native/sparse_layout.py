"""How a batch that is mostly zeros lies in memory, and the instructions for products with it."""

from typing import Any

import numpy as np

from ...arrays import PIXEL
from ...backend import Array
from ...optim.flat import aligned
from ..program import Buffer, Program
from .jit import instruction_set as isa
from .jit.opcodes import COLUMN_STRIDE, GROUP, LANES, SPAN
from .jit.structures import SparseBatch
from .summation_order import Order
from .table import Pair, address, halves

SPARSE = 0.3  # the share of non-zero inputs up to which passing over zeros is faster
SPARSE_FROM = 64  # outputs: a dense product with fewer is as fast
FEW = 8  # samples that read a row of the weight, on average, from which on a copy of it pays
_BLOCK = 112  # rows of the weight at most, of 64 floats each: 28 KB of a first-level cache of 32


def first_product(program: Program, inputs: Array) -> int | None:
    """The outputs of the product with the batch if passing over its zeros pays, else None.

    The program has to begin with a wide product, and most `inputs` have to be zero.
    """
    x = program.buffers("batch")[0]
    users = [step for step in program.instructions if x in step.args]
    if users[0].op != "matmul":
        return None
    if any(step.op not in ("matmul", "weight_gradient") for step in users):
        return None
    outputs = int(users[0].out[0].shape[1])
    return outputs if outputs >= SPARSE_FROM and nonzero_share(inputs) <= SPARSE else None


def nonzero_share(inputs: Array) -> float:
    """The share of inputs that are not zero, by some two thousand samples spread over them."""
    some = inputs[:: -(-len(inputs) // 2048) or 1]
    return int(np.count_nonzero(some)) / some.size if some.size else 1.0


def few_read_a_row(batch: int, inputs: Array) -> bool:
    """Whether so few samples of a batch read each row of the weight that it is not copied first."""
    return batch == 1 or batch * nonzero_share(inputs) < FEW


class SparseLayout:
    """The memory of one batch of `inputs`, and the instructions that write and read it.

    Sums are made in `order`. The arrays are appended to `keep_alive`.
    """

    def __init__(self, x: Buffer, inputs: Array, order: Order, keep_alive: list[Array]) -> None:
        self._batch, self._width = batch, width = x.shape
        self._inputs, self._order, self._keep_alive = inputs, order, keep_alive
        self._few = few_read_a_row(batch, inputs)
        self._blocks = _Parts(width, order.inputs, most=width if batch == 1 else _BLOCK)
        self._spans = _Parts(batch, order.samples, most=SPAN)
        self._block = int(np.diff(self._blocks.edges).max())
        fields = SparseBatch(
            samples=batch,
            features=width,
            entries=self._scratch(batch * width + 8, np.int64),
            begins=self._scratch(batch * (self._blocks.count + 1), np.int64),
            pixel_values=self._kept(_pixel_values()),
            columns=self._scratch(width * COLUMN_STRIDE if batch > 1 else 0, np.int64),
            ends=self._scratch(width, np.int64),
            groups=self._scratch(width // GROUP + 2, np.int64) if order.grouped else 0,
            blocks=self._blocks.count,
            block=self._block,
            block_edges=self._kept(self._blocks.edges),
            block_restarts=self._kept(self._blocks.restarts),
            block_limits=self._kept(self._blocks.limits),
            block_split=self._kept(order.split),
            spans=self._spans.count,
            span_edges=self._kept(self._spans.edges),
            span_restarts=self._kept(self._spans.restarts),
            span_limits=self._kept(self._spans.limits),
            span_split=self._kept(order.sample_split),
        )
        self._fields = self._kept(np.array(fields, np.int64))

    def gather(self, labels: Array, batch_labels: int) -> isa.SparseGather | Pair:
        """The samples' entries, and their labels to the address `batch_labels`."""

        def part(first: int, last: int) -> isa.SparseGather:
            return isa.SparseGather(
                first=first,
                last=last,
                inputs=address(self._inputs),
                pixels=self._inputs.dtype == np.uint8,
                all_labels=address(labels),
                labels=batch_labels,
                batch=self._fields,
            )

        return halves(self._batch, self._batch * self._width, part)

    def matmul(self, n: int, w: int, y: int) -> isa.SparseMatmul | Pair:
        """The batch times a weight (width, n).

        In halves of its columns if each is a multiple of 64, else of the batch.
        """
        split = self._order.split is not None
        rows = self._block + (4 if split else 2) * self._batch  # packed, narrow, partial, pairs

        # Called once for each half, which has scratch of its own: both may be executed at once.
        def part(first: int, last: int, left: int, right: int) -> isa.SparseMatmul:
            return isa.SparseMatmul(
                first=first,
                last=last,
                left=left,
                right=right,
                n=n,
                w=w,
                y=y,
                batch=self._fields,
                scratch=self._scratch(LANES * rows, np.float32),
                few=self._few,
            )

        elements = self._batch * self._width
        if n % (2 * LANES) == 0:
            return halves(n, elements, lambda left, right: part(0, self._batch, left, right))
        return halves(self._batch, elements, lambda first, last: part(first, last, 0, n))

    def gradient(self, n: int, d: int, out: int) -> isa.SparseGradient | Pair:
        """The transposed batch times the gradient (batch, n), in halves of the blocks."""
        # Blocks differ in length where OpenBLAS cuts: the edge nearest to half of the inputs.
        middle = int(np.abs(self._blocks.edges - self._width / 2).argmin())
        restarts = bool(self._order.samples)
        partial = self._scratch(self._width * n if restarts else 0, np.float32)
        waiting = self._width * -(-n // LANES) if self._spans.count > 1 else 1

        def part(first: int, last: int) -> isa.SparseGradient:
            pairs = 0
            if self._order.sample_split is not None:
                pairs = self._scratch(2 * LANES * waiting, np.float32)
            return isa.SparseGradient(
                first=first,
                last=last,
                n=n,
                d=d,
                out=out,
                batch=self._fields,
                scratch=self._scratch(LANES * (SPAN + 1), np.float32),
                partial=partial,
                pairs=pairs,
            )

        return halves(self._blocks.count, self._batch * self._width, part, middle)

    def _scratch(self, count: int, dtype: Any) -> int:
        """The address of a new scratch buffer of `count` numbers, on a cache line."""
        return self._kept(aligned(count, dtype))

    def _kept(self, array: Array) -> int:
        """The address of an array, which is kept alive; 0 for None."""
        if array is None:
            return 0
        self._keep_alive.append(array)
        return address(array)


def _pixel_values() -> Array:
    """Of each of the 256 pixels the float32 value in [0, 1], as the upper half of an entry."""
    values = (np.arange(256) * PIXEL).astype(np.float32)
    return values.view(np.int32).astype(np.int64) << 32


class _Parts:
    """`length` cut into even parts of at most `most`, and at all `cuts`, as three int64 arrays.

    `edges`: where parts begin, and the end. `restarts`: whether there is a cut at each edge.
    `limits`: how many terms of each part come before the last ones of their sum that do not make
    up 8, which OpenBLAS does not sum as even and odd terms.
    """

    def __init__(self, length: int, cuts: tuple[int, ...], most: int) -> None:
        edges, limits = [0], []
        for start, stop in zip((0, *cuts), (*cuts, length), strict=True):
            terms = stop - start
            count = -(-terms // most)
            size = -(-terms // count // 8) * 8 if count > 1 else terms
            parts = [*range(start, stop, size)]
            limits += [max(0, start + terms // 8 * 8 - edge) for edge in parts]
            edges += [*parts[1:], stop]
        self.count = len(edges) - 1
        self.edges = np.array(edges, np.int64)
        self.restarts = np.array([edge in (0, *cuts, length) for edge in edges], np.int64)
        self.limits = np.array(limits, np.int64)
