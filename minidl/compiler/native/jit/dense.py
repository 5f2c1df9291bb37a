"""What lies between the products of a training step, as loops for the machine (machine.py): compiled by Numba.

Each is written out operation by operation as in kernels/primitives.py, so that the results are the same bits. `row` is
the instruction, as encode.py wrote it; `places` is room for the arguments of a ufunc.
"""

from typing import Any

import numpy as np

from .memory import call, call_float, expect, floats, integers, integers32, native, octets, put, ufunc
from .opcodes import LEAKY_RELU, OUTER_ROOM, RELU, SIGMOID, TANH

F = np.float32
ZERO, ONE, SLOPE = np.float32(0), np.float32(1), np.float32(0.01)
EXPONENT = np.int32(0x7F800000)


@native
def gather(row: Any, rows: Any) -> Any:
    """Samples into a batch: pixels (1 byte each) are scaled to [0, 1], floats copied; and their labels."""
    count, width, source, target = row[1], row[2], row[3], row[4]
    labels_from, labels_to, pixels, first = row[5], row[6], row[7], row[8]
    target = floats(target, count * width)
    labels = integers(labels_from, 1 << 40)
    own = integers(labels_to, count)
    scale, size = F(1 / 255), 1 if pixels else 4
    for i in range(count):
        expect_sample(source, rows, first + i + 1, first + count, size * width)
        sample = rows[first + i]
        own[i] = labels[sample]
        out = target[i * width : (i + 1) * width]
        if pixels:
            image = octets(source + sample * width, width)
            for j in range(width):
                out[j] = F(image[j]) * scale
        else:
            values = floats(source + sample * width * 4, width)
            for j in range(width):
                out[j] = values[j]


@native
def expect_sample(source: Any, rows: Any, number: Any, last: Any, size: Any) -> Any:
    """Have a sample of so many bytes brought near: they are taken from all over a large memory, in no order."""
    if number < last:
        sample = source + rows[number] * size
        for line in range(sample, sample + size, 64):
            expect(line)


@native
def bias(row: Any) -> Any:
    """A bias added to each row of y, in place, and the activation of the sum."""
    rows, width, y, bias, kind = row[1], row[2], row[3], row[4], row[5]
    bias = floats(bias, width)
    for i in range(rows):
        out = floats(y + i * width * 4, width)
        if kind == RELU:
            for j in range(width):
                v = out[j] + bias[j]
                out[j] = ZERO if v < ZERO else v
        else:
            for j in range(width):
                out[j] = out[j] + bias[j]


@native
def activate(row: Any, places: Any) -> Any:
    """An activation, in place."""
    count, y, kind, room = row[1], row[2], row[3], row[4]
    exp, exp_data, tanh, tanh_data = row[5], row[6], row[7], row[8]
    out = floats(y, count)
    if kind == RELU:
        for i in range(count):
            v = out[i]
            out[i] = ZERO if v < ZERO else v
    elif kind == LEAKY_RELU:
        for i in range(count):
            v = out[i]
            out[i] = v if v > ZERO else v * SLOPE
    elif kind == TANH:
        ufunc(tanh, tanh_data, count, places, y, y)
    elif kind == SIGMOID:
        e = floats(room, count)
        for i in range(count):
            e[i] = -abs(out[i])
        ufunc(exp, exp_data, count, places, room, room)
        for i in range(count):
            out[i] = (ONE if out[i] >= ZERO else e[i]) / (ONE + e[i])


@native
def activate_back(row: Any) -> Any:
    """The gradient before an activation, in place of that behind it."""
    count, g, y, kind = row[1], row[2], row[3], row[4]
    g, y = floats(g, count), floats(y, count)
    if kind == RELU:
        for i in range(count):
            g[i] = g[i] * (ONE if y[i] > ZERO else ZERO)
    elif kind == LEAKY_RELU:
        for i in range(count):
            g[i] = g[i] * (ONE if y[i] > ZERO else SLOPE)
    elif kind == TANH:
        for i in range(count):
            g[i] = g[i] * (ONE - y[i] * y[i])
    elif kind == SIGMOID:
        for i in range(count):
            g[i] = g[i] * (y[i] * (ONE - y[i]))


@native
def softmax(row: Any, places: Any) -> Any:
    """Softmax cross-entropy: the batch's mean loss, how many are right, and the gradient of the logits."""
    batch, classes, logits, labels, room, small, target = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
    exp, exp_data, log, log_data, dot, ones = row[8], row[9], row[10], row[11], row[12], row[13]
    logits, e = floats(logits, batch * classes), floats(room, batch * classes)
    labels = integers(labels, batch)
    losses, total, picked = floats(small, batch), floats(small + 4 * batch, batch), floats(small + 8 * batch, batch)
    right = 0
    for i in range(batch):
        best = 0
        for c in range(classes):
            if logits[i * classes + c] > logits[i * classes + best]:
                best = c
        right += best == labels[i]
        top = logits[i * classes + best]
        for c in range(classes):
            e[c * batch + i] = logits[i * classes + c] - top
        picked[i] = e[labels[i] * batch + i]
    ufunc(exp, exp_data, batch * classes, places, room, room)
    for i in range(batch):
        total[i] = e[i]
    for c in range(1, classes):
        for i in range(batch):
            total[i] += e[c * batch + i]
    ufunc(log, log_data, batch, places, small + 4 * batch, small)
    for i in range(batch):
        losses[i] -= picked[i]
    loss = call_float(dot, (batch, small, 1, ones, 1)) / F(batch)
    d, share = floats(target, batch * classes), ONE / F(batch)
    for i in range(batch):
        for c in range(classes):
            p = e[c * batch + i] / total[i]
            if c == labels[i]:
                p -= ONE
            d[i * classes + c] = p * share
    return loss, right


@native
def norm(row: Any, numbers: Any) -> Any:
    """BatchNorm: y, x̂, 1/√(σ² + eps), the mean, and the sum of the squares."""
    rows, width, x, y, gamma, beta, eps = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
    x_hat, inverse, mean, squares, stride = row[8], row[9], row[10], row[11], row[12]
    count, eps = F(rows), numbers[eps]
    gamma, beta = floats(gamma, width), floats(beta, width)
    inverse, mean, squares = floats(inverse, width), floats(mean, width), floats(squares, width)
    for j in range(width):
        mean[j] = ZERO
        squares[j] = ZERO
    top = floats(x, width)
    for i in range(rows):
        line, hat = floats(x + i * stride * 4, width), floats(x_hat + i * stride * 4, width)
        for j in range(width):
            v = line[j] - top[j]
            hat[j] = v
            mean[j] += v
    for j in range(width):
        mean[j] = mean[j] / count
    for i in range(rows):
        hat = floats(x_hat + i * stride * 4, width)
        for j in range(width):
            v = hat[j] - mean[j]
            hat[j] = v
            squares[j] += v * v
    for j in range(width):
        mean[j] += top[j]
        inverse[j] = ONE / np.sqrt(squares[j] / count + eps)
    for i in range(rows):
        out, hat = floats(y + i * stride * 4, width), floats(x_hat + i * stride * 4, width)
        for j in range(width):
            v = hat[j] * inverse[j]
            hat[j] = v
            out[j] = v * gamma[j] + beta[j]


@native
def follow(row: Any, numbers: Any) -> Any:
    """The running mean and variance."""
    width, mean, variance, batch_mean = row[1], row[2], row[3], row[4]
    squares, momentum, rest, degrees = row[5], row[6], row[7], row[8]
    mean, variance = floats(mean, width), floats(variance, width)
    batch_mean, squares = floats(batch_mean, width), floats(squares, width)
    momentum, rest = numbers[momentum], numbers[rest]
    for j in range(width):
        mean[j] = momentum * mean[j] + rest * batch_mean[j]
        variance[j] = momentum * variance[j] + rest * (squares[j] / F(degrees))


@native
def norm_sums(row: Any) -> Any:
    """The gradients of gamma and beta."""
    rows, width, g, x_hat, d_gamma, d_beta, stride = row[1], row[2], row[3], row[4], row[5], row[6], row[7]
    d_gamma, d_beta = floats(d_gamma, width), floats(d_beta, width)
    for j in range(width):
        d_gamma[j] = ZERO
        d_beta[j] = ZERO
    for i in range(rows):
        line, hat = floats(g + i * stride * 4, width), floats(x_hat + i * stride * 4, width)
        for j in range(width):
            d_gamma[j] += line[j] * hat[j]
        for j in range(width):
            d_beta[j] += line[j]


@native
def norm_back(row: Any) -> Any:
    """The gradient of BatchNorm's input, in place of that of its result."""
    rows, width, g, x_hat, inverse, gamma = row[1], row[2], row[3], row[4], row[5], row[6]
    d_gamma, d_beta, room, stride = row[7], row[8], row[9], row[10]
    inverse, gamma = floats(inverse, width), floats(gamma, width)
    d_gamma, d_beta = floats(d_gamma, width), floats(d_beta, width)
    slope, shift, scale = floats(room, width), floats(room + 4 * width, width), floats(room + 8 * width, width)
    for j in range(width):
        slope[j] = d_gamma[j] / -F(rows)
        shift[j] = d_beta[j] / F(rows)
        scale[j] = gamma[j] * inverse[j]
    for i in range(rows):
        line, hat = floats(g + i * stride * 4, width), floats(x_hat + i * stride * 4, width)
        for j in range(width):
            line[j] = ((hat[j] * slope[j] + line[j]) - shift[j]) * scale[j]


@native
def dropout(row: Any, numbers: Any, k: Any) -> Any:
    """A mask from uniform numbers drawn beforehand, `stride` of them a step: 0, or the scale."""
    count, draws, stride, target, rate, scale = row[1], row[2], row[3], row[4], row[5], row[6]
    draws, out = floats(draws + k * stride * 4, count), floats(target, count)
    rate, scale = numbers[rate], numbers[scale]
    for i in range(count):
        out[i] = (ONE if draws[i] >= rate else ZERO) * scale


@native
def outer(row: Any) -> Any:
    """The gradient of a weight from a batch of one: an outer product."""
    _outer(floats(row[3], row[1]), floats(row[4], row[2]), floats(row[5], row[1] * row[2]))


@native
def _outer(x: Any, d: Any, out: Any) -> Any:
    for i in range(len(x)):
        for j in range(len(d)):
            out[i * len(d) + j] = x[i] * d[j]


@native
def check(row: Any) -> Any:
    """Whether any of the numbers is infinite or NaN: those alone have all bits of the exponent set."""
    count, numbers, found = row[1], row[2], row[3]
    numbers, worst = integers32(numbers, count), np.int32(0)
    for i in range(count):
        worst = max(worst, numbers[i] & EXPONENT)
    put(found, np.int64(worst == EXPONENT))


@native
def any_found(row: Any) -> Any:
    """Whether a `check` has found anything, wherever they note it."""
    found = integers(row[2], row[1])
    worst = found[0]
    for i in range(1, row[1]):
        worst |= found[i]
    return worst != 0


@native
def update(row: Any, k: Any) -> Any:
    """An optimizer's update of the elements from `start` to `stop` of its vectors, by the loop made from its rule."""
    address, vectors, start, stop, scalars, stride = row[1], row[2], row[3], row[4], row[5], row[6]
    call(address, (vectors, start, stop, scalars + k * stride))


@native
def update_outer(row: Any, k: Any, keep: Any) -> Any:
    """The update of a weight whose gradient is an outer product (a batch of one), some rows after the other.

    So many at a time as fit in `room`, which stays in the first cache. Where zeros may be passed over (`skips`), the
    rows of inputs that are zero are. To `keep` the gradient, it is made whole beforehand.
    """
    address, vectors, start, scalars, inputs, outputs = row[1], row[2], row[3], row[5] + k * row[6], row[7], row[8]
    x, d, room, skips = floats(row[9], inputs), floats(row[10], outputs), row[11], row[12]
    places, most = integers(vectors, 2), max(1, OUTER_ROOM // outputs)
    if keep:
        _outer(x, d, floats(row[13], inputs * outputs))
    i = 0
    while i < inputs:
        first = i
        while i < min(inputs, first + most) and not (skips and x[i] == ZERO):
            gradient, factor = floats(room + 4 * (i - first) * outputs, outputs), x[i]
            for j in range(outputs):
                gradient[j] = factor * d[j]
            i += 1
        if i == first:
            i += 1
            continue
        begin = start + first * outputs
        places[1] = room - 4 * begin  # where a whole gradient would begin that has these rows there
        call(address, (vectors, begin, start + i * outputs, scalars))
