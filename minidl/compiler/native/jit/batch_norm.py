"""BatchNorm: each function executes one instruction, `i`, for `width` of the `stride` features.

Operation by operation as in kernels/primitives.py, so that the results are the same bits.
"""

from typing import Any

import numpy as np

from .memory import float32_at, native

F = np.float32
ZERO, ONE = np.float32(0), np.float32(1)


@native
def _row(i: Any, at: Any, number: Any) -> Any:
    """The instruction's part of row `number` of an array (rows, stride)."""
    return float32_at(at + 4 * number * i.stride, i.width)


@native
def _center(i: Any, mean: Any, squares: Any) -> Any:
    """x - mean, in x̂'s place; the mean of the rows, and the sum of the squares of what is left."""
    width, count = i.width, F(i.rows)
    for j in range(width):
        mean[j] = ZERO
        squares[j] = ZERO
    # The mean of x - x[0]: close to zero, so that it keeps its digits whatever x's offset.
    first = float32_at(i.x, width)
    for row in range(i.rows):
        x, x_hat = _row(i, i.x, row), _row(i, i.x_hat, row)
        for j in range(width):
            v = x[j] - first[j]
            x_hat[j] = v
            mean[j] += v
    for j in range(width):
        mean[j] = mean[j] / count
    for row in range(i.rows):
        x_hat = _row(i, i.x_hat, row)
        for j in range(width):
            v = x_hat[j] - mean[j]
            x_hat[j] = v
            squares[j] += v * v
    for j in range(width):
        mean[j] += first[j]


@native
def forward(i: Any, constants: Any) -> Any:
    """y = gamma x̂ + beta; x̂, 1/√(σ² + eps), the mean, and the sum of squares are kept."""
    width = i.width
    gamma, beta = float32_at(i.gamma, width), float32_at(i.beta, width)
    mean, squares = float32_at(i.mean, width), float32_at(i.squares, width)
    inverse = float32_at(i.inverse, width)
    count, eps = F(i.rows), constants[i.eps]
    _center(i, mean, squares)
    for j in range(width):
        inverse[j] = ONE / np.sqrt(squares[j] / count + eps)
    for row in range(i.rows):
        y, x_hat = _row(i, i.y, row), _row(i, i.x_hat, row)
        for j in range(width):
            v = x_hat[j] * inverse[j]
            x_hat[j] = v
            y[j] = v * gamma[j] + beta[j]


@native
def running_statistics(i: Any, constants: Any) -> Any:
    """running = momentum · running + (1 - momentum) · batch, for mean and variance."""
    running_mean = float32_at(i.running_mean, i.width)
    running_var = float32_at(i.running_var, i.width)
    mean, squares = float32_at(i.mean, i.width), float32_at(i.squares, i.width)
    momentum, complement = constants[i.momentum], constants[i.complement]
    for j in range(i.width):
        running_mean[j] = momentum * running_mean[j] + complement * mean[j]
        var = squares[j] / F(i.degrees)
        running_var[j] = momentum * running_var[j] + complement * var


@native
def sums(i: Any) -> Any:
    """The gradients of gamma and beta: sums of g · x̂ and of g over the batch."""
    width = i.width
    d_gamma, d_beta = float32_at(i.d_gamma, width), float32_at(i.d_beta, width)
    for j in range(width):
        d_gamma[j] = ZERO
        d_beta[j] = ZERO
    for row in range(i.rows):
        g, x_hat = _row(i, i.g, row), _row(i, i.x_hat, row)
        for j in range(width):
            d_gamma[j] += g[j] * x_hat[j]
        for j in range(width):
            d_beta[j] += g[j]


@native
def back(i: Any) -> Any:
    """The input's gradient in closed form (Ioffe & Szegedy 2015, section 3), in place of g."""
    width = i.width
    inverse, gamma = float32_at(i.inverse, width), float32_at(i.gamma, width)
    d_gamma, d_beta = float32_at(i.d_gamma, width), float32_at(i.d_beta, width)
    # dx = gamma/σ · (g - x̂ · d_gamma/B - d_beta/B), with the sums over the batch from `sums`.
    slope = float32_at(i.scratch, width)
    shift = float32_at(i.scratch + 4 * width, width)
    scale = float32_at(i.scratch + 8 * width, width)
    for j in range(width):
        slope[j] = d_gamma[j] / -F(i.total)
        shift[j] = d_beta[j] / F(i.total)
        scale[j] = gamma[j] * inverse[j]
    for row in range(i.rows):
        g, x_hat = _row(i, i.g, row), _row(i, i.x_hat, row)
        for j in range(width):
            g[j] = ((x_hat[j] * slope[j] + g[j]) - shift[j]) * scale[j]


@native
def shared_parts(i: Any) -> Any:
    """x - mean of this process's rows; their mean and sum of squares, among zeros."""
    width = i.width
    for part in range(2 * i.processes):
        empty = _row(i, i.parts, part)
        for j in range(width):
            empty[j] = ZERO
    _center(i, _row(i, i.own, 0), _row(i, i.own, 1))


@native
def shared(i: Any) -> Any:
    """y = gamma x̂ + beta, by the mean and the squares of the rows of all processes."""
    width = i.width
    gamma, beta = float32_at(i.gamma, width), float32_at(i.beta, width)
    mean, squares = float32_at(i.mean, width), float32_at(i.squares, width)
    inverse = float32_at(i.inverse, width)
    numbers = float32_at(i.numbers, 2 + 2 * i.processes)
    first, own = _row(i, i.parts, 0), _row(i, i.own, 0)
    for j in range(width):
        mean[j] = ZERO
        squares[j] = ZERO
    for part in range(1, i.processes):
        of_part, share = _row(i, i.parts, 2 * part), numbers[2 + 2 * part]
        for j in range(width):
            mean[j] += (of_part[j] - first[j]) * share
    for j in range(width):
        mean[j] += first[j]
    for part in range(i.processes):
        of_part, about = _row(i, i.parts, 2 * part), _row(i, i.parts, 2 * part + 1)
        count = numbers[3 + 2 * part]
        for j in range(width):
            apart = of_part[j] - mean[j]
            squares[j] += about[j] + (apart * apart) * count
    for j in range(width):
        inverse[j] = ONE / np.sqrt(squares[j] / numbers[0] + numbers[1])
        own[j] = own[j] - mean[j]  # which nobody reads any more
    for row in range(i.rows):
        y, x_hat = _row(i, i.y, row), _row(i, i.x_hat, row)
        for j in range(width):
            v = (x_hat[j] + own[j]) * inverse[j]
            x_hat[j] = v
            y[j] = v * gamma[j] + beta[j]
