"""The machine that carries out a compiled program: one function, compiled by Numba once, for all models.

A program reaches it as a table of integers: a row per instruction, with addresses and sizes (encode.py says what is
where). Products and ufuncs are called where NumPy has them (addresses.py); what lies between is written out here,
operation by operation as in kernels/primitives.py, so that the results are the same bits. It needs no interpreter
while it runs, and holds no lock.
"""

from typing import Any

import numpy as np
from numba import carray, njit

from .atomics import claimed, increase, load, pause, store
from .calls import call, call_float, floats, loop, pointer

(GATHER, GEMM, GEMV, OUTER, BIAS, ACTIVATE, ACTIVATE_BACK, MULTIPLY, SUM_ROWS, SOFTMAX, NORM, FOLLOW, NORM_SUMS,
 NORM_BACK, DROPOUT, COPY, UPDATE, UPDATE_OUTER) = range(18)  # fmt: skip
NONE, RELU, LEAKY_RELU, TANH, SIGMOID = range(5)
PAIRED = 15  # the column that says whether this instruction and the next may be carried out at the same time

F = np.float32
ZERO, ONE, SLOPE = np.float32(0), np.float32(1), np.float32(0.01)


@njit(nogil=True, error_model="numpy")
def _gather(row: Any, rows: Any) -> Any:
    """Samples into a batch: pixels (1 byte each) are scaled to [0, 1], floats copied; and their labels."""
    count, width, source, target = row[1], row[2], row[3], row[4]
    labels_from, labels_to, pixels, first = row[5], row[6], row[7], row[8]
    target = floats(target, count * width)
    labels = carray(pointer(labels_from), (1 << 40,), np.int64)
    own = carray(pointer(labels_to), (count,), np.int64)
    scale = F(1 / 255)
    for i in range(count):
        sample = rows[first + i]
        own[i] = labels[sample]
        out = target[i * width : (i + 1) * width]
        if pixels:
            image = carray(pointer(source + sample * width), (width,), np.uint8)
            for j in range(width):
                out[j] = F(image[j]) * scale
        else:
            values = floats(source + sample * width * 4, width)
            for j in range(width):
                out[j] = values[j]


@njit(nogil=True, error_model="numpy")
def _bias(row: Any, places: Any) -> Any:
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


@njit(nogil=True, error_model="numpy")
def _activate(row: Any, places: Any) -> Any:
    """An activation, in place."""
    count, y, kind, room, exp, exp_data, tanh, tanh_data = (
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
    )
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
        loop(tanh, tanh_data, count, places, y, y)
    elif kind == SIGMOID:
        e = floats(room, count)
        for i in range(count):
            e[i] = -abs(out[i])
        loop(exp, exp_data, count, places, room, room)
        for i in range(count):
            out[i] = (ONE if out[i] >= ZERO else e[i]) / (ONE + e[i])


@njit(nogil=True, error_model="numpy")
def _activate_back(row: Any) -> Any:
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


@njit(nogil=True, error_model="numpy")
def _softmax(row: Any, places: Any) -> Any:
    """Softmax cross-entropy: the batch's mean loss, how many are right, and the gradient of the logits."""
    batch, classes, logits, labels, room, small, target, exp, exp_data, log, log_data, dot, ones = (
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        row[11],
        row[12],
        row[13],
    )
    logits, e = floats(logits, batch * classes), floats(room, batch * classes)
    labels = carray(pointer(labels), (batch,), np.int64)
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
    loop(exp, exp_data, batch * classes, places, room, room)
    for i in range(batch):
        total[i] = e[i]
    for c in range(1, classes):
        for i in range(batch):
            total[i] += e[c * batch + i]
    loop(log, log_data, batch, places, small + 4 * batch, small)
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


@njit(nogil=True, error_model="numpy")
def _norm(row: Any, numbers: Any) -> Any:
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


@njit(nogil=True, error_model="numpy")
def _follow(row: Any, numbers: Any) -> Any:
    """The running mean and variance."""
    width, mean, variance, batch_mean, squares, momentum, rest, degrees = (
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        row[8],
    )
    mean, variance = floats(mean, width), floats(variance, width)
    batch_mean, squares = floats(batch_mean, width), floats(squares, width)
    momentum, rest = numbers[momentum], numbers[rest]
    for j in range(width):
        mean[j] = momentum * mean[j] + rest * batch_mean[j]
        variance[j] = momentum * variance[j] + rest * (squares[j] / F(degrees))


@njit(nogil=True, error_model="numpy")
def _norm_sums(row: Any) -> Any:
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


@njit(nogil=True, error_model="numpy")
def _norm_back(row: Any) -> Any:
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


@njit(nogil=True, error_model="numpy")
def _dropout(row: Any, numbers: Any, k: Any) -> Any:
    """A mask from uniform numbers drawn beforehand, `stride` of them a step: 0, or the scale."""
    count, draws, stride, target, rate, scale = row[1], row[2], row[3], row[4], row[5], row[6]
    draws, out = floats(draws + k * stride * 4, count), floats(target, count)
    rate, scale = numbers[rate], numbers[scale]
    for i in range(count):
        out[i] = (ONE if draws[i] >= rate else ZERO) * scale


@njit(nogil=True, error_model="numpy")
def _update(row: Any, k: Any) -> Any:
    """An optimizer's update of the elements from `start` to `stop` of its vectors, by the loop made from its rule."""
    address, vectors, start, stop, scalars, stride = row[1], row[2], row[3], row[4], row[5], row[6]
    call(address, (vectors, start, stop, scalars + k * stride))


@njit(nogil=True, error_model="numpy")
def _update_outer(row: Any, k: Any) -> Any:
    """The update of a weight whose gradient is an outer product (a batch of one), row by row while it is in the cache.

    Where the rule leaves a weight alone that has no gradient, the rows of inputs that are zero are passed over.
    """
    address, vectors, start, scalars, inputs, outputs = row[1], row[2], row[3], row[5] + k * row[6], row[7], row[8]
    x, d, gradients, idle = floats(row[9], inputs), floats(row[10], outputs), row[11], row[12]
    for i in range(inputs):
        if idle and x[i] == ZERO:
            continue
        first = start + i * outputs
        gradient, factor = floats(gradients + 4 * first, outputs), x[i]
        for j in range(outputs):
            gradient[j] = factor * d[j]
        call(address, (vectors, first, first + outputs, scalars))


@njit(nogil=True, error_model="numpy")
def _carry_out(row: Any, numbers: Any, rows: Any, losses: Any, rights: Any, k: Any, places: Any) -> Any:
    """One instruction, for the batch number `k`."""
    op = row[0]
    if op == GATHER:
        _gather(row, rows[k])
    elif op == GEMM:
        call(row[1], (101, row[2], row[3], row[4], row[5], row[6], ONE, row[7], row[8], row[9], row[10], ZERO, row[11],
                      row[12]))  # fmt: skip
    elif op == GEMV:
        call(row[1], (row[2], 112, row[3], row[4], ONE, row[5], row[6], row[7], 1, ZERO, row[8], 1))
    elif op == OUTER:
        x, d, out = floats(row[3], row[1]), floats(row[4], row[2]), floats(row[5], row[1] * row[2])
        for i in range(row[1]):
            for j in range(row[2]):
                out[i * row[2] + j] = x[i] * d[j]
    elif op == BIAS:
        _bias(row, places)
    elif op == ACTIVATE:
        _activate(row, places)
    elif op == ACTIVATE_BACK:
        _activate_back(row)
    elif op == MULTIPLY:
        a, b = floats(row[2], row[1]), floats(row[3], row[1])
        for i in range(row[1]):
            a[i] = a[i] * b[i]
    elif op == SOFTMAX:
        losses[k], rights[k] = _softmax(row, places)
    elif op == NORM:
        _norm(row, numbers)
    elif op == FOLLOW:
        _follow(row, numbers)
    elif op == NORM_SUMS:
        _norm_sums(row)
    elif op == NORM_BACK:
        _norm_back(row)
    elif op == DROPOUT:
        _dropout(row, numbers, k)
    elif op == COPY:
        a, b = floats(row[2], row[1]), floats(row[3], row[1])
        for i in range(row[1]):
            b[i] = a[i]
    elif op == UPDATE:
        _update(row, k)
    elif op == UPDATE_OUTER:
        _update_outer(row, k)


@njit(nogil=True, cache=True, error_model="numpy")
def run(code: Any, numbers: Any, rows: Any, losses: Any, rights: Any, board: Any, rest: Any) -> Any:
    """Carry out the program once for each batch, a row of `rows`; notes each loss, and how many were right.

    With a `board`, pairs of instructions are shared with another thread, which is in `assist`: their number is put on
    the board, and whoever is free claims one of the two. `rest` is the address of the function that lets others have
    the processor.
    """
    places, length = np.zeros(8, np.int64), len(code)
    ticket, done, end = board.ctypes.data, board.ctypes.data + 64, board.ctypes.data + 128
    for k in range(len(rows)):
        n = 0
        while n < length:
            if len(board) == 0 or code[n, PAIRED] == 0:
                _carry_out(code[n], numbers, rows, losses, rights, k, places)
                n += 1
                continue
            store(done, 0)
            open_ticket = (k * length + n + 1) * 4
            store(ticket, open_ticket)
            for part in range(2):
                if claimed(ticket, open_ticket + part):
                    _carry_out(code[n + part], numbers, rows, losses, rights, k, places)
                    increase(done)
            waited = 0
            while load(done) < 2:
                waited = _wait(waited, rest)
            n += 2
    if len(board):
        store(end, 1)


@njit(nogil=True, cache=True, error_model="numpy")
def assist(code: Any, numbers: Any, rows: Any, losses: Any, rights: Any, board: Any, rest: Any) -> Any:
    """Help a thread that is in `run` with the same arguments, until that has finished."""
    places, length = np.zeros(8, np.int64), len(code)
    ticket, done, end = board.ctypes.data, board.ctypes.data + 64, board.ctypes.data + 128
    waited = 0
    while load(end) == 0:
        seen = load(ticket)
        number, part = seen // 4 - 1, seen % 4
        if number >= 0 and part < 2 and claimed(ticket, seen):
            _carry_out(code[number % length + part], numbers, rows, losses, rights, number // length, places)
            increase(done)
            waited = 0
        else:
            waited = _wait(waited, rest)


@njit(nogil=True, error_model="numpy")
def _wait(waited: Any, rest: Any) -> Any:
    """A moment; after some thousand, the processor is offered to others."""
    pause()
    if waited > 4000 and rest:
        call(rest, (0,))
        return 0
    return waited + 1
