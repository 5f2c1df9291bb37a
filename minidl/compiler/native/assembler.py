"""A program as the table of integers that the machine reads: a row per instruction, with addresses and sizes."""

from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...kernels import products
from ...optim.flat import aligned
from ..program import Array, Buffer, Instruction, Program
from .addresses import blas, loop
from .jit import opcodes
from .sparse_layout import Lists
from .summation_order import Order
from .table import Row, address, halves, pair

_NO_TRANSPOSE, _TRANSPOSE, _ROWS, _COLUMNS = 111, 112, 101, 102  # CBLAS's own numbers
_ACTIVATIONS = {"relu": opcodes.RELU, "leaky_relu": opcodes.LEAKY_RELU, "tanh": opcodes.TANH,
                "sigmoid": opcodes.SIGMOID}  # fmt: skip


class Encoder:
    """Writes down a program's instructions, and keeps alive the arrays whose addresses are in them.

    `order`: products with the batch pass over its zeros, and are added up in this order.
    """

    def __init__(self, program: Program, inputs: Array, labels: Array, order: Order | None) -> None:
        self.kept: list[Array] = [inputs, labels]
        self._numbers: list[float] = []
        self.draws: list[Instruction] = []  # the dropout masks, in their order
        self._room = self.room(max(b.bytes for b in program.buffers("work")) // 4)
        x, own = program.buffers("batch")
        self._x, self._lists = x, Lists(x, inputs, order, self.kept) if order is not None else None
        rows = self._gather(x, own, inputs, labels)
        for step in program.instructions:
            if step.op != "update":
                rows += getattr(self, f"_{step.op}")(step, *step.out, *step.args, **step.options)
        self.rows = rows
        self.numbers = np.array([*self._numbers, 0.0], np.float32)

    def at(self, buffer: Buffer) -> int:
        """A buffer's address."""
        if buffer.dtype == np.float32 or buffer.name in ("labels", "right"):
            return address(buffer.array)
        raise UnsupportedError(f"the machine computes in float32, {buffer.name} is {buffer.dtype}")

    def room(self, count: int) -> int:
        """The address of room for so many floats, ones to begin with."""
        array = aligned(count, np.float32)
        array[...] = 1
        self.kept.append(array)
        return address(array)

    def number(self, value: float) -> int:
        """Where a float is kept."""
        self._numbers.append(value)
        return len(self._numbers) - 1

    def _gather(self, x: Buffer, own: Buffer, inputs: Array, labels: Array) -> list[Row]:
        count, width = x.shape
        lists = self._lists.gather(labels, self.at(own)) if self._lists else []
        if lists and count > 1:  # the outer product of a single sample wants it whole as well
            return lists
        return lists + halves(count, count * width, lambda first, last: [
            opcodes.GATHER, last - first, width, address(inputs), self.at(x) + 4 * first * width, address(labels),
            self.at(own) + 8 * first, inputs.dtype == np.uint8, first])  # fmt: skip

    def _product(self, m: int, n: int, k: int, a: tuple[int, int, bool], b: tuple[int, int, bool],
                 y: int) -> list[Row]:  # fmt: skip
        """A product (m, k) @ (k, n): of each operand the address, the length of its rows, whether it is transposed."""
        gemm = blas("sgemm")
        how = [_TRANSPOSE if transposed else _NO_TRANSPOSE for _, _, transposed in (a, b)]

        def part(rows: slice, columns: slice) -> Row:
            at_a = a[0] + 4 * rows.start * (1 if a[2] else a[1])
            at_b = b[0] + 4 * columns.start * (b[1] if b[2] else 1)
            at_y = y + 4 * (rows.start * n + columns.start)
            return [opcodes.GEMM, gemm, *how, rows.stop - rows.start, columns.stop - columns.start, k, at_a, a[1],
                    at_b, b[1], at_y, n]  # fmt: skip

        cut = products.cut(m, k, n)
        if cut is None:
            return [part(slice(0, m), slice(0, n))]
        side, at = cut
        if side == "rows":
            return pair(part(slice(0, at), slice(0, n)), part(slice(at, m), slice(0, n)))
        return pair(part(slice(0, m), slice(0, at)), part(slice(0, m), slice(at, n)))

    def _moved(self, source: Buffer, target: Buffer) -> list[Row]:
        """The machine works in place: where an instruction does not, its operand is copied first."""
        if self.at(source) == self.at(target):
            return []
        return [[opcodes.COPY, source.bytes // 4, self.at(source), self.at(target)]]

    def _matmul(self, step: Any, y: Buffer, a: Buffer, b: Buffer, transposed: bool = False) -> list[Row]:
        (m, k), n = a.shape, y.shape[1]
        if self._lists and a is self._x:
            return self._lists.matmul(n, self.at(b), self.at(y))
        if min(k, n) < 2:
            raise UnsupportedError(f"the machine leaves a product of {a.shape} and {b.shape} to NumPy")
        if m == 1:  # as NumPy calls it for a row and a matrix
            order = _COLUMNS if transposed else _ROWS
            return [[opcodes.GEMV, blas("sgemv"), order, k, n, self.at(b), b.shape[1], self.at(a), self.at(y)]]
        return self._product(m, n, k, (self.at(a), k, False), (self.at(b), b.shape[1], transposed), self.at(y))

    def _weight_gradient(self, step: Any, out: Buffer, x: Buffer, d: Buffer) -> list[Row]:
        (batch, m), n = x.shape, d.shape[1]
        if batch == 1:
            return [[opcodes.OUTER, m, n, self.at(x), self.at(d), self.at(out)]]
        if self._lists and x is self._x:
            return self._lists.gradient(n, self.at(d), self.at(out))
        return self._product(m, n, batch, (self.at(x), m, True), (self.at(d), n, False), self.at(out))

    def _sum_rows(self, step: Any, out: Buffer, d: Buffer) -> list[Row]:
        batch, n = d.shape
        if n < 2:
            raise UnsupportedError("the machine leaves layers of one output to NumPy")
        if batch == 1:
            return [[opcodes.COPY, n, self.at(d), self.at(out), 1]]  # a sum, of which -0 alone is 0
        return [[opcodes.GEMV, blas("sgemv"), _ROWS, batch, n, self.at(d), n, self.room(batch), self.at(out)]]

    def _add_bias(self, step: Any, out: Buffer, y: Buffer, bias: Buffer, kind: int = opcodes.NONE) -> list[Row]:
        rows, width = y.shape
        added = halves(rows, rows * width, lambda first, last: [
            opcodes.BIAS, last - first, width, self.at(out) + 4 * first * width, self.at(bias), kind])  # fmt: skip
        return [*self._moved(y, out), *added]

    def _bias_activate(self, step: Any, out: Buffer, y: Buffer, bias: Buffer, name: str) -> list[Row]:
        if name == "relu":
            return self._add_bias(step, out, y, bias, opcodes.RELU)
        return [*self._add_bias(step, out, y, bias), *self._activate(step, out, out, name)]

    def _activate(self, step: Any, out: Buffer, y: Buffer, name: str) -> list[Row]:
        if name not in _ACTIVATIONS:
            raise UnsupportedError(f"the machine knows no {name}")
        count = out.bytes // 4
        loops = (*loop(np.exp, "f->f"), *loop(np.tanh, "f->f"))
        return [*self._moved(y, out), [opcodes.ACTIVATE, count, self.at(out), _ACTIVATIONS[name], self._room, *loops]]

    def _activation_back(self, step: Any, out: Buffer, g: Buffer, y: Buffer, name: str) -> list[Row]:
        if name not in _ACTIVATIONS:
            raise UnsupportedError(f"the machine knows no {name}")
        count = out.bytes // 4
        rows = halves(count, count, lambda first, last: [
            opcodes.ACTIVATE_BACK, last - first, self.at(out) + 4 * first, self.at(y) + 4 * first,
            _ACTIVATIONS[name]])  # fmt: skip
        return [*self._moved(g, out), *rows]

    def _multiply(self, step: Any, out: Buffer, a: Buffer, b: Buffer) -> list[Row]:
        return [*self._moved(a, out), [opcodes.MULTIPLY, out.bytes // 4, self.at(out), self.at(b)]]

    def _softmax_cross_entropy(self, step: Any, loss: Buffer, right: Buffer, d: Buffer, logits: Buffer,
                               labels: Buffer) -> list[Row]:  # fmt: skip
        batch, classes = logits.shape
        return [[opcodes.SOFTMAX, batch, classes, self.at(logits), self.at(labels), self._room, self.room(3 * batch),
                 self.at(d), *loop(np.exp, "f->f"), *loop(np.log, "f->f"), blas("sdot"), self.room(batch)]]  # fmt: skip

    def _batch_norm(self, step: Any, y: Buffer, x_hat: Buffer, inverse: Buffer, mean: Buffer, squares: Buffer,
                    x: Buffer, gamma: Buffer, beta: Buffer, eps: float) -> list[Row]:  # fmt: skip
        rows, width = x.shape
        places = [self.at(b) for b in (x, y, gamma, beta, x_hat, inverse, mean, squares)]
        number = self.number(eps)

        def part(first: int, last: int) -> Row:
            here = [place + 4 * first for place in places]
            return [opcodes.NORM, rows, last - first, *here[:4], number, *here[4:], width]

        return halves(width, rows * width, part)

    def _follow(self, step: Any, running_mean: Buffer, running_var: Buffer, mean: Buffer, squares: Buffer,
                momentum: float, batch: int) -> list[Row]:  # fmt: skip
        places = [self.at(b) for b in (running_mean, running_var, mean, squares)]
        return [[opcodes.FOLLOW, mean.shape[0], *places, self.number(momentum), self.number(1 - momentum), batch - 1]]

    def _batch_norm_sums(self, step: Any, d_gamma: Buffer, d_beta: Buffer, g: Buffer,
                         x_hat: Buffer) -> list[Row]:  # fmt: skip
        (rows, width), places = g.shape, [self.at(b) for b in (g, x_hat, d_gamma, d_beta)]
        return halves(width, rows * width, lambda first, last: [
            opcodes.NORM_SUMS, rows, last - first, *[place + 4 * first for place in places], width])  # fmt: skip

    def _batch_norm_back(self, step: Any, dx: Buffer, g: Buffer, x_hat: Buffer, inverse: Buffer, gamma: Buffer,
                         d_gamma: Buffer, d_beta: Buffer) -> list[Row]:  # fmt: skip
        (rows, width), places = g.shape, [self.at(b) for b in (dx, x_hat, inverse, gamma, d_gamma, d_beta)]
        room = self.room(6 * width + 32)  # three rows for each of two threads
        made = halves(width, rows * width, lambda first, last: [
            opcodes.NORM_BACK, rows, last - first, *[place + 4 * first for place in places],
            room + (12 * width + 64 if first else 0), width])  # fmt: skip
        return [*self._moved(g, dx), *made]

    def _dropout_mask(self, step: Instruction, mask: Buffer, rate: float) -> list[Row]:
        self.draws.append(step)
        scale = self.number(1 / (1 - rate))
        return [[opcodes.DROPOUT, mask.bytes // 4, 0, 0, self.at(mask), self.number(rate), scale]]
