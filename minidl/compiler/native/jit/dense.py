"""What lies between the updates of a training step: batches, products, activations, the loss.

Each function executes one instruction (instruction_set.py), here called `i`. It is written out
operation by operation as in kernels/primitives.py, so that the results are the same bits. `scratch`
holds the arguments of a call of a ufunc.
"""

from typing import Any

import numpy as np

from .memory import (
    call,
    call_float32,
    call_ufunc,
    float32_at,
    int64_at,
    native,
    prefetch,
    uint8_at,
)
from .opcodes import CACHE_LINE, LEAKY_RELU, RELU, ROW_MAJOR, SIGMOID, TANH, TRANSPOSE

F = np.float32
PIXEL = F(1 / 255)  # data.loader.PIXEL: what Numba compiles imports from this folder alone
ZERO, ONE, SLOPE = np.float32(0), np.float32(1), np.float32(0.01)


@native
def gather(i: Any, samples: Any) -> Any:
    """Copy samples and labels into the batch; pixels are scaled to [0, 1]."""
    x = float32_at(i.x, i.rows * i.width)
    all_labels, labels = int64_at(i.all_labels, 1 << 40), int64_at(i.labels, i.rows)
    size = i.width * (1 if i.pixels else 4)
    for b in range(i.rows):
        prefetch_sample(i.inputs, samples, i.first + b + 1, i.first + i.rows, size)
        sample = samples[i.first + b]
        labels[b] = all_labels[sample]
        out = x[b * i.width : (b + 1) * i.width]
        if i.pixels:
            pixels = uint8_at(i.inputs + sample * size, i.width)
            for j in range(i.width):
                out[j] = F(pixels[j]) * PIXEL
        else:
            values = float32_at(i.inputs + sample * size, i.width)
            for j in range(i.width):
                out[j] = values[j]


@native
def prefetch_sample(inputs: Any, samples: Any, number: Any, last: Any, size: Any) -> Any:
    """Prefetch a sample of `size` bytes: in a random order the processor cannot guess the next."""
    if number < last:
        sample = inputs + samples[number] * size
        for line in range(sample, sample + size, CACHE_LINE):
            prefetch(line)


@native
def gemm(i: Any) -> Any:
    """A matrix product, by CBLAS."""
    shape = (ROW_MAJOR, i.transpose_a, i.transpose_b, i.m, i.n, i.k)
    call(i.function, shape + (ONE, i.a, i.lda, i.b, i.ldb, ZERO, i.y, i.ldy))


@native
def gemv(i: Any) -> Any:
    """A vector times a matrix, by CBLAS."""
    shape = (i.order, TRANSPOSE, i.rows, i.columns)
    call(i.function, shape + (ONE, i.a, i.lda, i.x, 1, ZERO, i.y, 1))


@native
def dot(i: Any) -> Any:
    """The scalar product of two vectors, by CBLAS."""
    y = float32_at(i.y, 1)
    y[0] = call_float32(i.function, (i.size, i.a, i.step_a, i.b, i.step_b))


@native
def bias(i: Any) -> Any:
    """Add a bias to each row of y, and take the ReLU of the sum if asked to."""
    # Here and below a ReLU is `0 if v <= 0 else v`: NaN stays, -0 becomes 0, as in np.maximum.
    bias = float32_at(i.bias, i.width)
    for row in range(i.rows):
        y = float32_at(i.y + row * i.width * 4, i.width)
        if i.activation == RELU:
            for j in range(i.width):
                v = y[j] + bias[j]
                y[j] = ZERO if v <= ZERO else v
        else:
            for j in range(i.width):
                y[j] = y[j] + bias[j]


@native
def activate(i: Any, scratch: Any) -> Any:
    """An activation, in place."""
    y = float32_at(i.y, i.size)
    if i.activation == RELU:
        for j in range(i.size):
            v = y[j]
            y[j] = ZERO if v <= ZERO else v
    elif i.activation == LEAKY_RELU:
        for j in range(i.size):
            v = y[j]
            y[j] = v if v > ZERO else v * SLOPE
    elif i.activation == TANH:
        call_ufunc(i.tanh, i.tanh_data, i.size, scratch, i.y, i.y)
    elif i.activation == SIGMOID:
        # e^-|y| cannot overflow: the result is 1 / (1 + e) for y >= 0, and e / (1 + e) below.
        e = float32_at(i.scratch, i.size)
        for j in range(i.size):
            e[j] = -abs(y[j])
        call_ufunc(i.exp, i.exp_data, i.size, scratch, i.scratch, i.scratch)
        for j in range(i.size):
            y[j] = (ONE if y[j] >= ZERO else e[j]) / (ONE + e[j])


@native
def activate_back(i: Any) -> Any:
    """The gradient of an activation's input, in place of that of its result y."""
    g, y = float32_at(i.g, i.size), float32_at(i.y, i.size)
    if i.activation == RELU:  # a product, as in the eager step: infinity times zero is NaN
        for j in range(i.size):
            g[j] = g[j] * (ONE if y[j] > ZERO else ZERO)
    elif i.activation == LEAKY_RELU:
        for j in range(i.size):
            g[j] = g[j] * (ONE if y[j] > ZERO else SLOPE)
    elif i.activation == TANH:
        for j in range(i.size):
            g[j] = g[j] * (ONE - y[j] * y[j])
    elif i.activation == SIGMOID:
        for j in range(i.size):
            g[j] = g[j] * (y[j] * (ONE - y[j]))


@native
def multiply(i: Any) -> Any:
    """The product of two arrays, in place of the first."""
    a, b = float32_at(i.a, i.size), float32_at(i.b, i.size)
    for j in range(i.size):
        a[j] = a[j] * b[j]


@native
def copy(i: Any) -> Any:
    """Copy an array."""
    source, target = float32_at(i.source, i.size), float32_at(i.target, i.size)
    for j in range(i.size):
        target[j] = source[j] + ZERO if i.plus_zero else source[j]


@native
def dropout(i: Any, constants: Any, k: Any) -> Any:
    """A dropout mask of step `k`: 0, or the scale."""
    draws = float32_at(i.draws + k * i.stride * 4, i.size)
    mask = float32_at(i.mask, i.size)
    rate, scale = constants[i.rate], constants[i.scale]
    for j in range(i.size):
        mask[j] = (ONE if draws[j] >= rate else ZERO) * scale
