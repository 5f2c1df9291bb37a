"""Whether products with a batch pass over its zeros: if that pays, and gives the dense bits."""

import functools

import numpy as np

from ...arrays import PIXEL
from ...backend import Array
from ...hardware.threads import use_blas_threads
from ...kernels import products
from ..program import Buffer, Instruction, Program
from .assembler import Assembler
from .snippet import Snippet
from .sparse_layout import FEW, few_read_a_row, first_product
from .summation_order import Order, likely_order

_NUMBERS_TRIED = 2**25  # products of two numbers, in all tries of one shape together
_TRIES = (4, 64)  # at least, at most


def order_without_zeros(program: Program, inputs: Array) -> Order | None:
    """The order in which machine code has to add if it passes over zeros of `inputs`.

    None if it had better not. Raises `OSError` if the machine code cannot be loaded.
    """
    outputs = first_product(program, inputs)
    if outputs is None:
        return None
    batch, width = program.buffers("batch")[0].shape
    few = few_read_a_row(batch, inputs)
    # One thread, as in a training: more of them would cut the dense products elsewhere.
    with use_blas_threads(1):
        return _tried(batch, width, outputs, inputs.dtype, few, 1)


def order_of(x: Array, weight: Array, threads: int) -> Order | None:
    """The order of x @ weight and of x's part in the weight's gradient, without the zeros of `x`.

    `threads` is how many the dense products use. None if machine code does not give their bits.
    """
    few = few_read_a_row(len(x), x)
    with use_blas_threads(threads):
        return _tried(*x.shape, weight.shape[1], x.dtype, few, threads)


@functools.cache
def _tried(
    batch: int, width: int, outputs: int, dtype: np.dtype, few: bool, threads: int
) -> Order | None:
    """The likely order, if machine code then gives the bits of dense products of random numbers.

    A number that is summed in another order has the same bits now and then, and may be the only
    one of its kind (the last column of 65), so small products are tried more often.
    """
    order = likely_order(batch, width, outputs)
    rng = np.random.default_rng(0)
    # A share of non-zeros on the right side of FEW, so that the same code is tried.
    samples = FEW / 2 if few and batch > 1 else 1.5 * FEW
    share = samples / max(batch, 2 * FEW)
    tries = np.clip(_NUMBERS_TRIED // (batch * width * outputs), *_TRIES)
    for _ in range(tries):
        nonzero = rng.random((batch, width), np.float32) < share
        if dtype == np.uint8:
            numbers = rng.integers(1, 256, nonzero.shape, dtype)
        else:
            numbers = rng.random(nonzero.shape, dtype)
        weight = rng.random((width, outputs), np.float32) - np.float32(0.5)
        if not _gives_dense_bits(numbers * nonzero, weight, order):
            return None
    return order


def _gives_dense_bits(inputs: Array, weight: Array, order: Order) -> bool:
    """Whether machine code that passes over zeros gives the bits of the dense products."""
    x, y, gradient = _sparse(inputs, weight, order)
    dense, dense_gradient = np.empty_like(y), np.empty_like(gradient)
    products.alone(x, weight, dense)()
    if len(x) > 1:
        products.alone(x.T, y, dense_gradient)()
    else:
        np.multiply(x.T, y, dense_gradient)
    return dense.tobytes() == y.tobytes() and dense_gradient.tobytes() == gradient.tobytes()


def _sparse(inputs: Array, weight: Array, order: Order) -> tuple[Array, Array, Array]:
    """The batch x, x @ weight, and xᵀ @ (x @ weight), by machine code that passes over zeros."""
    y = np.empty((len(inputs), weight.shape[1]), np.float32)
    gradient = np.empty_like(weight)
    assembler = assembled(inputs, weight, y, y, gradient, order)
    Snippet(assembler.code, [], assembler, len(inputs))()
    pixels = inputs.dtype == np.uint8
    return inputs * PIXEL if pixels else inputs, y, gradient


def assembled(
    inputs: Array, weight: Array, y: Array, d: Array, gradient: Array, order: Order
) -> Assembler:
    """The instructions of y = x @ weight and gradient = xᵀ @ d, for the batch x of all `inputs`."""
    batch, f32, labels = len(inputs), np.dtype(np.float32), np.zeros(len(inputs), np.int64)
    x = Buffer("x", inputs.shape, f32, "batch", np.zeros(inputs.shape, f32))
    batch_labels = Buffer("labels", (batch,), labels.dtype, "batch", labels)  # to themselves
    w = Buffer("w", weight.shape, f32, "parameter", weight)
    y_buffer, d_buffer = (Buffer("y", y.shape, f32, "work", array) for array in (y, d))
    d_w = Buffer("d_w", weight.shape, f32, "work", gradient)
    program = Program(
        [
            Instruction("update", (), (x, batch_labels)),  # names the batch's buffers
            Instruction("matmul", (y_buffer,), (x, w)),
            Instruction("weight_gradient", (d_w,), (x, d_buffer)),
        ]
    )
    return Assembler(program, inputs, labels, order)
