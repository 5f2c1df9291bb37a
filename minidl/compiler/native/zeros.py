"""Whether products with a batch pass over its zeros: if that pays, and gives the very bits of the dense products."""

import functools

import numpy as np

from ...hardware.threads import use_blas_threads
from ...kernels import products
from ..program import Array, Buffer, Instruction, Program
from .assembler import Encoder
from .cache.objects import MACHINE, function
from .sparse_layout import FEW, first_product, share
from .summation_order import Order, likely_order
from .table import address, table
from .task import new_board, written_task


def order_without_zeros(program: Program, inputs: Array) -> Order | None:
    """The order in which a program's machine code is to add if it passes over the zeros of `inputs`; None if it is not.

    Raises `OSError` if the machine cannot be loaded.
    """
    outputs = first_product(program, inputs)
    if outputs is None:
        return None
    batch, width = program.buffers("batch")[0].shape
    few = batch == 1 or batch * share(inputs) < FEW
    with use_blas_threads(1):
        return _tried(batch, width, outputs, inputs.dtype, few)


@functools.cache
def _tried(batch: int, width: int, outputs: int, dtype: np.dtype, few: bool) -> Order | None:
    """The likely order, if the machine then makes the bits of the dense products of numbers drawn at random."""
    order = likely_order(batch, width, outputs)
    rng = np.random.default_rng(0)
    kept = (FEW / 2 if few and batch > 1 else 1.5 * FEW) / max(batch, 2 * FEW)  # the share that is not zero
    there = rng.random((batch, width), np.float32) < kept
    numbers = rng.integers(1, 256, there.shape, dtype) if dtype == np.uint8 else rng.random(there.shape, dtype)
    inputs = numbers * there
    weight = rng.random((width, outputs), np.float32) - np.float32(0.5)
    x, y, gradient = _by_machine(inputs, weight, order)
    dense, dense_gradient = np.empty_like(y), np.empty_like(gradient)
    products.alone(x, weight, dense)()
    if batch > 1:
        products.alone(x.T, y, dense_gradient)()
    else:
        np.multiply(x.T, y, dense_gradient)
    same = dense.tobytes() == y.tobytes() and dense_gradient.tobytes() == gradient.tobytes()
    return order if same else None


def _by_machine(inputs: Array, weight: Array, order: Order) -> tuple[Array, Array, Array]:
    """The batch x, x @ weight, and x.T @ (x @ weight), where the machine passes over the zeros of `inputs`."""
    (batch, width), outputs = inputs.shape, weight.shape[1]
    labels = np.zeros(batch, np.int64)
    x = Buffer("x", (batch, width), np.dtype(np.float32), "batch", np.zeros((batch, width), np.float32))
    own = Buffer("labels", (batch,), np.dtype(np.int64), "batch", labels.copy())
    w = Buffer("w", weight.shape, weight.dtype, "parameter", weight)
    y = Buffer("y", (batch, outputs), weight.dtype, "work", np.empty((batch, outputs), np.float32))
    found = Buffer("d_w", weight.shape, weight.dtype, "work", np.empty_like(weight))
    steps = [Instruction("matmul", (y,), (x, w)), Instruction("weight_gradient", (found,), (x, y))]
    encoder = Encoder(Program([Instruction("update", (), (x, own)), *steps]), inputs, labels, order)
    code, rows, nothing = table(encoder.rows), np.arange(batch), np.zeros(1, np.int64)
    task = written_task(code, encoder.numbers, rows, 1, batch, nothing, nothing, new_board(), shared=False)
    function(MACHINE)(address(task), 0)
    pixels = inputs.dtype == np.uint8
    return inputs * np.float32(1 / 255) if pixels else inputs, y.array, found.array
