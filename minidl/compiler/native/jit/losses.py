"""Softmax cross-entropy, of a batch or of each sample: its values, and the logits' gradient.

Operation by operation as in kernels/primitives.py, so that the results are the same bits. Labels
that are no class give wrong numbers, and have to be found beforehand.
"""

from typing import Any

import numpy as np

from .memory import call_float32, call_ufunc, float32_at, int64_at, native

F = np.float32
ONE = np.float32(1)


@native
def softmax(i: Any, constants: Any, scratch: Any) -> Any:
    """Softmax cross-entropy: the mean loss, how many are correct, and the logits' gradient."""
    # Three vectors, one behind the other.
    losses, total, picked = i.sums, i.sums + 4 * i.batch, i.sums + 8 * i.batch
    correct = _cross_entropies(i, i.scratch, total, picked, losses, scratch)
    # The sum is OpenBLAS's, as in the eager step, so that it is rounded alike.
    loss = call_float32(i.dot, (i.batch, losses, 1, i.ones, 1)) / F(i.batch)
    float32_at(picked, 1)[0] = constants[i.share] / F(i.batch)
    _back(i, i.scratch, total, picked, 0)
    return loss, correct


@native
def cross_entropies(i: Any, scratch: Any) -> Any:
    """The cross-entropy of each sample."""
    _cross_entropies(i, i.e, i.total, i.picked, i.losses, scratch)


@native
def back(i: Any) -> Any:
    """The gradient of the logits, from those of the samples' losses."""
    _back(i, i.e, i.total, i.g, i.step_g)


@native
def _cross_entropies(
    i: Any, e_at: Any, total_at: Any, picked_at: Any, losses_at: Any, scratch: Any
) -> Any:
    """Each sample's e^(logit - largest), their sums, and log Σ - (logit - largest) of its label.

    Returns how many labels have the largest logit.
    """
    batch, classes = i.batch, i.classes
    logits, labels = float32_at(i.logits, batch * classes), int64_at(i.labels, batch)
    e = float32_at(e_at, batch * classes)  # classes first, as NumPy is faster then
    losses, total = float32_at(losses_at, batch), float32_at(total_at, batch)
    picked = float32_at(picked_at, batch)
    correct = 0
    # The answer is the first of the largest logits, as for argmax. It is subtracted from all, so
    # that no exponential overflows.
    for b in range(batch):
        best = 0
        for c in range(classes):
            if logits[b * classes + c] > logits[b * classes + best]:
                best = c
        correct += best == labels[b]
        top = logits[b * classes + best]
        for c in range(classes):
            e[c * batch + b] = logits[b * classes + c] - top
        picked[b] = e[labels[b] * batch + b]
    call_ufunc(i.exp, i.exp_data, batch * classes, scratch, e_at, e_at)
    for b in range(batch):
        total[b] = e[b]
    for c in range(1, classes):
        for b in range(batch):
            total[b] += e[c * batch + b]
    call_ufunc(i.log, i.log_data, batch, scratch, total_at, losses_at)
    for b in range(batch):
        losses[b] -= picked[b]
    return correct


@native
def _back(i: Any, e_at: Any, total_at: Any, g_at: Any, step_g: Any) -> Any:
    """d = (softmax - one-hot) g, with a number g for each sample, or one for all (step 0)."""
    batch, classes = i.batch, i.classes
    labels, e = int64_at(i.labels, batch), float32_at(e_at, batch * classes)
    total, d = float32_at(total_at, batch), float32_at(i.d, batch * classes)
    g = float32_at(g_at, batch)
    for b in range(batch):
        factor = g[b * step_g // 4]
        for c in range(classes):
            p = e[c * batch + b] / total[b]
            if c == labels[b]:
                p -= ONE
            d[b * classes + c] = p * factor
