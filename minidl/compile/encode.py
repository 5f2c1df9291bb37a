"""A program as the table of integers that the machine reads: a row per instruction, with addresses and sizes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from . import machine
from .addresses import blas, loop
from .program import Array, Buffer, Instruction, Program

WIDTH = 16  # integers in a row
_NO_TRANSPOSE, _TRANSPOSE, _ROWS, _COLUMNS = 111, 112, 101, 102  # CBLAS's own numbers
_ACTIVATIONS = {"relu": machine.RELU, "leaky_relu": machine.LEAKY_RELU, "tanh": machine.TANH,
                "sigmoid": machine.SIGMOID}  # fmt: skip


class Encoder:
    """Writes down a program's instructions, and keeps alive the arrays whose addresses are in them."""

    def __init__(self, program: Program, inputs: Array, labels: Array) -> None:
        self.kept: list[Array] = [inputs, labels]
        self._numbers: list[float] = []
        self.draws: list[Instruction] = []  # the dropout masks, in their order
        self._room = self.room(max(b.bytes for b in program.buffers("work")) // 4)
        x, own = program.buffers("batch")
        pixels = inputs.dtype == np.uint8
        rows = [[machine.GATHER, *x.shape, address(inputs), self.at(x), address(labels), self.at(own), pixels]]
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
        """The address of room for so many floats."""
        array = np.ones(count + 16, np.float32)
        self.kept.append(array)
        return -(-address(array) // 64) * 64

    def number(self, value: float) -> int:
        """Where a float is kept."""
        self._numbers.append(value)
        return len(self._numbers) - 1

    def _moved(self, source: Buffer, target: Buffer) -> list[list[int]]:
        """The machine works in place: where an instruction does not, its operand is copied first."""
        if self.at(source) == self.at(target):
            return []
        return [[machine.COPY, source.bytes // 4, self.at(source), self.at(target)]]

    def _matmul(self, step: Any, y: Buffer, a: Buffer, b: Buffer, transposed: bool = False) -> list[list[int]]:
        (m, k), n = a.shape, y.shape[1]
        if min(k, n) < 2:
            raise UnsupportedError(f"the machine leaves a product of {a.shape} and {b.shape} to NumPy")
        if m == 1:  # as NumPy calls it for a row and a matrix
            order = _COLUMNS if transposed else _ROWS
            return [[machine.GEMV, blas("sgemv"), order, k, n, self.at(b), b.shape[1], self.at(a), self.at(y)]]
        how = _TRANSPOSE if transposed else _NO_TRANSPOSE
        return [[machine.GEMM, blas("sgemm"), _NO_TRANSPOSE, how, m, n, k, self.at(a), k, self.at(b), b.shape[1],
                 self.at(y), n]]  # fmt: skip

    def _weight_gradient(self, step: Any, out: Buffer, x: Buffer, d: Buffer) -> list[list[int]]:
        (batch, m), n = x.shape, d.shape[1]
        if batch == 1:
            return [[machine.OUTER, m, n, self.at(x), self.at(d), self.at(out)]]
        return [[machine.GEMM, blas("sgemm"), _TRANSPOSE, _NO_TRANSPOSE, m, n, batch, self.at(x), m, self.at(d), n,
                 self.at(out), n]]  # fmt: skip

    def _sum_rows(self, step: Any, out: Buffer, d: Buffer) -> list[list[int]]:
        batch, n = d.shape
        if n < 2:
            raise UnsupportedError("the machine leaves layers of one output to NumPy")
        if batch == 1:
            return [[machine.COPY, n, self.at(d), self.at(out)]]
        return [[machine.GEMV, blas("sgemv"), _ROWS, batch, n, self.at(d), n, self.room(batch), self.at(out)]]

    def _add_bias(self, step: Any, out: Buffer, y: Buffer, bias: Buffer) -> list[list[int]]:
        return [*self._moved(y, out), [machine.BIAS, *y.shape, self.at(out), self.at(bias), machine.NONE]]

    def _bias_activate(self, step: Any, out: Buffer, y: Buffer, bias: Buffer, name: str) -> list[list[int]]:
        if name == "relu":
            return [*self._moved(y, out), [machine.BIAS, *y.shape, self.at(out), self.at(bias), machine.RELU]]
        return [*self._add_bias(step, out, y, bias), *self._activate(step, out, out, name)]

    def _activate(self, step: Any, out: Buffer, y: Buffer, name: str) -> list[list[int]]:
        if name not in _ACTIVATIONS:
            raise UnsupportedError(f"the machine knows no {name}")
        count = out.bytes // 4
        loops = (*loop(np.exp, "f->f"), *loop(np.tanh, "f->f"))
        return [*self._moved(y, out), [machine.ACTIVATE, count, self.at(out), _ACTIVATIONS[name], self._room, *loops]]

    def _activation_back(self, step: Any, out: Buffer, g: Buffer, y: Buffer, name: str) -> list[list[int]]:
        if name not in _ACTIVATIONS:
            raise UnsupportedError(f"the machine knows no {name}")
        row = [machine.ACTIVATE_BACK, out.bytes // 4, self.at(out), self.at(y), _ACTIVATIONS[name]]
        return [*self._moved(g, out), row]

    def _multiply(self, step: Any, out: Buffer, a: Buffer, b: Buffer) -> list[list[int]]:
        return [*self._moved(a, out), [machine.MULTIPLY, out.bytes // 4, self.at(out), self.at(b)]]

    def _softmax_cross_entropy(self, step: Any, loss: Buffer, right: Buffer, d: Buffer, logits: Buffer,
                               labels: Buffer) -> list[list[int]]:  # fmt: skip
        batch, classes = logits.shape
        return [[machine.SOFTMAX, batch, classes, self.at(logits), self.at(labels), self._room, self.room(3 * batch),
                 self.at(d), *loop(np.exp, "f->f"), *loop(np.log, "f->f"), blas("sdot"), self.room(batch)]]  # fmt: skip

    def _batch_norm(self, step: Any, y: Buffer, x_hat: Buffer, inverse: Buffer, mean: Buffer, squares: Buffer,
                    x: Buffer, gamma: Buffer, beta: Buffer, eps: float) -> list[list[int]]:  # fmt: skip
        small = [self.at(b) for b in (x_hat, inverse, mean, squares)]
        places = [self.at(b) for b in (x, y, gamma, beta)]
        return [[machine.NORM, *x.shape, *places, self.number(eps), *small]]

    def _follow(self, step: Any, running_mean: Buffer, running_var: Buffer, mean: Buffer, squares: Buffer,
                momentum: float, batch: int) -> list[list[int]]:  # fmt: skip
        places = [self.at(b) for b in (running_mean, running_var, mean, squares)]
        return [[machine.FOLLOW, mean.shape[0], *places, self.number(momentum), self.number(1 - momentum), batch - 1]]

    def _batch_norm_sums(self, step: Any, d_gamma: Buffer, d_beta: Buffer, g: Buffer,
                         x_hat: Buffer) -> list[list[int]]:  # fmt: skip
        return [[machine.NORM_SUMS, *g.shape, *(self.at(b) for b in (g, x_hat, d_gamma, d_beta))]]

    def _batch_norm_back(self, step: Any, dx: Buffer, g: Buffer, x_hat: Buffer, inverse: Buffer, gamma: Buffer,
                         d_gamma: Buffer, d_beta: Buffer) -> list[list[int]]:  # fmt: skip
        places = [self.at(b) for b in (dx, x_hat, inverse, gamma, d_gamma, d_beta)]
        return [*self._moved(g, dx), [machine.NORM_BACK, *g.shape, *places, self.room(3 * g.shape[1])]]

    def _dropout_mask(self, step: Instruction, mask: Buffer, rate: float) -> list[list[int]]:
        self.draws.append(step)
        scale = self.number(1 / (1 - rate))
        return [[machine.DROPOUT, mask.bytes // 4, 0, 0, self.at(mask), self.number(rate), scale]]


def address(array: Array) -> int:
    """Where an array's first element is."""
    return int(array.ctypes.data)


def table(rows: Sequence[Sequence[int]]) -> Array:
    """Rows as one array, the short ones filled up with zeros."""
    filled = np.zeros((max(len(rows), 1), WIDTH), np.int64)
    for i, row in enumerate(rows):
        filled[i, : len(row)] = row
    return filled
