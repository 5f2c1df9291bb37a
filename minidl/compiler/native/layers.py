"""The interpreter's instructions for what networks consist of, with addresses and sizes."""

from typing import Any

import numpy as np

from ...backend import Array
from ...errors import UnsupportedError
from ...optim.flat import aligned
from ..program import Buffer, Instruction
from .addresses import blas, ufunc_loop
from .cblas import Matrix, gemm, gemv
from .jit import instruction_set as isa
from .jit import opcodes
from .table import Code, address, halves

_ACTIVATIONS = {
    "relu": opcodes.RELU,
    "leaky_relu": opcodes.LEAKY_RELU,
    "tanh": opcodes.TANH,
    "sigmoid": opcodes.SIGMOID,
}
_INTEGERS = "labels", "right"  # the buffers that are int64; all others are float32


class Layers:
    """Assembles the instructions of a program one by one, on buffers that have their arrays.

    `largest`: bytes of the largest buffer. The arrays whose addresses are in the instructions live
    as long as this does.
    """

    def __init__(self, largest: int) -> None:
        self._keep_alive: list[Array] = []
        self._constants: list[float] = []
        # No instruction needs more scratch than the largest buffer, and none leaves anything in it.
        self._scratch = self._ones(max(largest // 4, 1))

    def keep(self, array: Array) -> None:
        """Keep an array alive as long as this."""
        self._keep_alive.append(array)

    @property
    def constants(self) -> Array:
        """The numbers that instructions name by their index."""
        return np.array([*self._constants, 0.0], np.float32)

    def assembled(self, step: Instruction) -> Code:
        """The interpreter's instructions for one of a program's.

        Raises `UnsupportedError` for what the interpreter lacks.
        """
        assemble = getattr(self, f"_{step.op}")
        return list(assemble(*step.out, *step.args, **step.options))

    # Operands

    def _at(self, buffer: Buffer, element: int = 0) -> int:
        """The address of a buffer's `element`, counted as if it were flattened."""
        if buffer.name in _INTEGERS:
            return address(buffer.array) + 8 * element
        if buffer.dtype == np.float32:
            return address(buffer.array) + 4 * element
        raise UnsupportedError(f"machine code computes in float32, {buffer.name} is {buffer.dtype}")

    def _ones(self, count: int) -> int:
        """The address of a new array of `count` ones: a factor of sums, or a scratch buffer."""
        array = aligned(count, np.float32)
        array[...] = 1
        self._keep_alive.append(array)
        return address(array)

    def _constant(self, value: float) -> int:
        """The index of a constant."""
        self._constants.append(value)
        return len(self._constants) - 1

    # Products

    def _matmul(self, y: Buffer, a: Buffer, b: Buffer, transposed: bool = False) -> Code:
        (m, k), n = a.shape, y.shape[1]
        # NumPy does not hand such a product to gemm, so gemm need not give the same bits.
        if min(k, n) < 2:
            shapes = f"{a.shape} and {b.shape}"
            raise UnsupportedError(f"machine code leaves a product of {shapes} to NumPy")
        weight = Matrix(self._at(b), b.shape[1], transposed)
        if m > 1:
            return [gemm(m, n, k, Matrix(self._at(a), k), weight, self._at(y))]
        # NumPy calls gemv for a row and a matrix.
        order = opcodes.COLUMN_MAJOR if transposed else opcodes.ROW_MAJOR
        return [gemv(order, k, n, weight, self._at(a), self._at(y))]

    def _weight_gradient(self, out: Buffer, x: Buffer, d: Buffer) -> Code:
        (batch, m), n = x.shape, d.shape[1]
        x_at, d_at, out_at = self._at(x), self._at(d), self._at(out)
        if batch == 1:
            return [isa.Outer(inputs=m, outputs=n, x=x_at, d=d_at, out=out_at)]
        return [gemm(m, n, batch, Matrix(x_at, m, transposed=True), Matrix(d_at, n), out_at)]

    def _sum_rows(self, out: Buffer, d: Buffer) -> Code:
        batch, n = d.shape
        d_at, out_at = self._at(d), self._at(out)
        if n < 2:
            raise UnsupportedError("machine code leaves layers of one output to NumPy")
        if batch == 1:
            # The eager step's sum is a product with ones: it begins with 0, which makes +0 of -0.
            return [isa.Copy(size=n, source=d_at, target=out_at, plus_zero=True)]
        ones = self._ones(batch)  # the product with it is NumPy's fastest sum
        return [gemv(opcodes.ROW_MAJOR, batch, n, Matrix(d_at, n), ones, out_at)]

    # Element by element

    def _in_place(self, source: Buffer, target: Buffer) -> Code:
        """The interpreter works in place: where a program does not, its operand is copied first."""
        source_at, target_at = self._at(source), self._at(target)
        if source_at == target_at:
            return []
        size = source.bytes // 4
        return [isa.Copy(size=size, source=source_at, target=target_at, plus_zero=False)]

    def _add_bias(
        self, out: Buffer, y: Buffer, bias: Buffer, activation: int = opcodes.NONE
    ) -> Code:
        rows, width = y.shape

        def part(first: int, last: int) -> isa.Bias:
            return isa.Bias(
                rows=last - first,
                width=width,
                y=self._at(out, first * width),
                bias=self._at(bias),
                activation=activation,
            )

        return [*self._in_place(y, out), halves(rows, rows * width, part)]

    def _bias_activate(self, out: Buffer, y: Buffer, bias: Buffer, name: str) -> Code:
        # Only a ReLU fits into the loop that adds: the others call NumPy's own loops.
        if name == "relu":
            return self._add_bias(out, y, bias, opcodes.RELU)
        return [*self._add_bias(out, y, bias), *self._activate(out, out, name)]

    def _activate(self, out: Buffer, y: Buffer, name: str) -> Code:
        exp, exp_data = ufunc_loop(np.exp, "f->f")
        tanh, tanh_data = ufunc_loop(np.tanh, "f->f")
        activated = isa.Activate(
            size=out.bytes // 4,
            y=self._at(out),
            activation=_activation(name),
            scratch=self._scratch,
            exp=exp,
            exp_data=exp_data,
            tanh=tanh,
            tanh_data=tanh_data,
        )
        return [*self._in_place(y, out), activated]

    def _activation_back(self, out: Buffer, g: Buffer, y: Buffer, name: str) -> Code:
        size, activation = out.bytes // 4, _activation(name)

        def part(first: int, last: int) -> isa.ActivateBack:
            return isa.ActivateBack(
                size=last - first,
                g=self._at(out, first),
                y=self._at(y, first),
                activation=activation,
            )

        return [*self._in_place(g, out), halves(size, size, part)]

    def _multiply(self, out: Buffer, a: Buffer, b: Buffer) -> Code:
        multiplied = isa.Multiply(size=out.bytes // 4, a=self._at(out), b=self._at(b))
        return [*self._in_place(a, out), multiplied]

    def _copy(self, out: Buffer, source: Buffer) -> Code:
        return self._in_place(source, out)

    def _dropout_mask(self, mask: Buffer, rate: float, shared: Any = None) -> Code:
        # Where the draws are is known when there is a place for them: see executor.py.
        return [
            isa.Dropout(
                size=mask.bytes // 4,
                draws=0,
                stride=0,
                mask=self._at(mask),
                rate=self._constant(rate),
                scale=self._constant(1 / (1 - rate)),
            )
        ]

    # The loss

    def _softmax_cross_entropy(
        self,
        loss: Buffer,
        right: Buffer,
        d: Buffer,
        logits: Buffer,
        labels: Buffer,
        share: float = 1.0,
    ) -> Code:
        batch, classes = logits.shape
        return [
            isa.Softmax(
                batch=batch,
                classes=classes,
                logits=self._at(logits),
                labels=self._at(labels),
                d=self._at(d),
                scratch=self._scratch,
                sums=self._ones(3 * batch),
                ones=self._ones(batch),
                dot=blas("sdot"),
                **exp_and_log(),
                share=self._constant(share),
            )
        ]

    # BatchNorm: two threads take half of the features each, so that every sum is made by one

    def _batch_norm(
        self,
        y: Buffer,
        x_hat: Buffer,
        inverse: Buffer,
        mean: Buffer,
        squares: Buffer,
        x: Buffer,
        gamma: Buffer,
        beta: Buffer,
        eps: float,
    ) -> Code:
        rows, width = x.shape
        eps_index = self._constant(eps)

        def part(first: int, last: int) -> isa.BatchNorm:
            return isa.BatchNorm(
                rows=rows,
                width=last - first,
                stride=width,
                eps=eps_index,
                x=self._at(x, first),
                y=self._at(y, first),
                gamma=self._at(gamma, first),
                beta=self._at(beta, first),
                x_hat=self._at(x_hat, first),
                inverse=self._at(inverse, first),
                mean=self._at(mean, first),
                squares=self._at(squares, first),
            )

        return [halves(width, rows * width, part)]

    def _running_statistics(
        self,
        running_mean: Buffer,
        running_var: Buffer,
        mean: Buffer,
        squares: Buffer,
        momentum: float,
        batch: int,
    ) -> Code:
        return [
            isa.RunningStatistics(
                width=mean.shape[0],
                running_mean=self._at(running_mean),
                running_var=self._at(running_var),
                mean=self._at(mean),
                squares=self._at(squares),
                momentum=self._constant(momentum),
                complement=self._constant(1 - momentum),
                degrees=batch - 1,
            )
        ]

    def _batch_norm_sums(self, d_gamma: Buffer, d_beta: Buffer, g: Buffer, x_hat: Buffer) -> Code:
        rows, width = g.shape

        def part(first: int, last: int) -> isa.BatchNormSums:
            return isa.BatchNormSums(
                rows=rows,
                width=last - first,
                stride=width,
                g=self._at(g, first),
                x_hat=self._at(x_hat, first),
                d_gamma=self._at(d_gamma, first),
                d_beta=self._at(d_beta, first),
            )

        return [halves(width, rows * width, part)]

    def _batch_norm_back(
        self,
        dx: Buffer,
        g: Buffer,
        x_hat: Buffer,
        inverse: Buffer,
        gamma: Buffer,
        d_gamma: Buffer,
        d_beta: Buffer,
    ) -> Code:
        addresses = self._at(d_gamma), self._at(d_beta)
        return self._norm_back(dx, g, x_hat, inverse, gamma, *addresses, g.shape[0])

    def _norm_back(
        self,
        dx: Buffer,
        g: Buffer,
        x_hat: Buffer,
        inverse: Buffer,
        gamma: Buffer,
        d_gamma: int,
        d_beta: int,
        total: int,
    ) -> Code:
        rows, width = g.shape
        each = 3 * width + 16  # floats of scratch for a thread, and a cache line between the two
        scratch = self._ones(2 * each)

        def part(first: int, last: int) -> isa.BatchNormBack:
            return isa.BatchNormBack(
                rows=rows,
                width=last - first,
                stride=width,
                total=total,
                g=self._at(dx, first),
                x_hat=self._at(x_hat, first),
                inverse=self._at(inverse, first),
                gamma=self._at(gamma, first),
                d_gamma=d_gamma + 4 * first,
                d_beta=d_beta + 4 * first,
                scratch=scratch + (4 * each if first else 0),
            )

        return [*self._in_place(g, dx), halves(width, rows * width, part)]


def exp_and_log() -> dict[str, int]:
    """NumPy's loops for the exponential and the logarithm, as operands."""
    exp, exp_data = ufunc_loop(np.exp, "f->f")
    log, log_data = ufunc_loop(np.log, "f->f")
    return {"exp": exp, "exp_data": exp_data, "log": log, "log_data": log_data}


def _activation(name: str) -> int:
    """An activation's number. Raises `UnsupportedError` if there is none."""
    if name not in _ACTIVATIONS:
        raise UnsupportedError(f"machine code has no activation {name!r}")
    return _ACTIVATIONS[name]
