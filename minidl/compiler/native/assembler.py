"""From a program to the interpreter's instructions, with addresses and sizes as their operands."""

import numpy as np

from ...backend import Array
from ..program import Buffer, Instruction, Program
from .jit import instruction_set as isa
from .shared_layers import SharedLayers
from .sparse_layout import SparseLayout
from .summation_order import Order
from .table import Code, address, halves


class Assembler(SharedLayers):
    """The instructions of a `program` without its update: `code`, and the `draws`.

    `order`: products with the batch pass over its zeros, and are summed in this order; None if
    they are dense. Raises `UnsupportedError` for what the interpreter lacks.
    """

    def __init__(self, program: Program, inputs: Array, labels: Array, order: Order | None) -> None:
        super().__init__(max(b.bytes for b in program.buffers("work")))
        self.draws: list[Instruction] = []  # the dropout masks, in their order
        self._keep_alive += [inputs, labels]
        self._x, batch_labels = program.buffers("batch")
        self._sparse: SparseLayout | None = None
        if order is not None:
            self._sparse = SparseLayout(self._x, inputs, order, self._keep_alive)
        self.code = self._gather(batch_labels, inputs, labels)
        for step in program.instructions:
            if step.op == "dropout_mask":
                self.draws.append(step)
            if step.op != "update":  # which depends on the optimizer's rule: see update_code.py
                self.code += self.assembled(step)

    def _gather(self, batch_labels: Buffer, inputs: Array, labels: Array) -> Code:
        count, width = self._x.shape
        code: Code = []
        if self._sparse:
            code.append(self._sparse.gather(labels, self._at(batch_labels)))
            if count > 1:  # the outer product of a single sample reads it whole as well
                return code

        def part(first: int, last: int) -> isa.Gather:
            return isa.Gather(
                rows=last - first,
                width=width,
                first=first,
                inputs=address(inputs),
                pixels=inputs.dtype == np.uint8,
                x=self._at(self._x, first * width),
                all_labels=address(labels),
                labels=self._at(batch_labels, first),
            )

        return [*code, halves(count, count * width, part)]

    # Products with the batch may pass over its zeros

    def _matmul(self, y: Buffer, a: Buffer, b: Buffer, transposed: bool = False) -> Code:
        if self._sparse and a is self._x:
            return [self._sparse.matmul(y.shape[1], self._at(b), self._at(y))]
        return super()._matmul(y, a, b, transposed)

    def _weight_gradient(self, out: Buffer, x: Buffer, d: Buffer) -> Code:
        if self._sparse and x is self._x and x.shape[0] > 1:
            return [self._sparse.gradient(d.shape[1], self._at(d), self._at(out))]
        return super()._weight_gradient(out, x, d)
