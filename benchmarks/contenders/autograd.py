"""HIPS autograd: a gradient function, and the update in place."""

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import grad, value_and_grad
from threadpoolctl import threadpool_limits

from ..workloads import BATCH_NORM_EPS, BETA, BETA1, BETA2, EPS, Samples, Workload, initial
from . import Training, threads_of


def start(workload: Workload, samples: Samples, variant: str) -> Training:
    threadpool_limits(threads_of(variant))
    layers = [(weight, np.zeros(weight.shape[1], np.float32)) for weight in initial(workload)]
    if workload.batch_norm:
        norms = [(np.ones_like(b), np.zeros_like(b)) for _, b in layers[:-1]]
        layers = [(*layer, *norm) for layer, norm in zip(layers, [*norms, ()], strict=True)]
    parameters = [p for layer in layers for p in layer]
    kept = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    differentiate = value_and_grad(loss_of)
    steps = 0

    def step(rows: np.ndarray) -> float:
        nonlocal steps
        steps += 1
        x = samples.images[rows].astype(np.float32)
        x *= np.float32(1 / 255)
        loss, gradients = differentiate(layers, x, samples.labels[rows])
        for p, (v, r), g in zip(parameters, kept, (g for layer in gradients for g in layer), strict=True):
            update(workload, steps, p, v, r, g)
        return loss

    def epoch(batches: np.ndarray) -> Callable[[], list[float]]:
        return lambda: [step(rows) for rows in batches]

    return Training(epoch, lambda: [layer[0] for layer in layers])


def loss_of(layers: Any, x: Any, labels: np.ndarray) -> Any:
    for weight, bias, *norm in layers[:-1]:
        x = anp.dot(x, weight) + bias
        if norm:
            centred = x - anp.mean(x, axis=0)
            x = norm[0] * centred / anp.sqrt(anp.mean(centred * centred, axis=0) + BATCH_NORM_EPS) + norm[1]
        x = anp.maximum(x, 0)
    logits = anp.dot(x, layers[-1][0]) + layers[-1][1]
    shifted = logits - anp.max(logits, axis=1, keepdims=True)
    log_p = shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True))
    return -anp.mean(log_p[np.arange(len(labels)), labels])


def update(workload: Workload, t: int, p: np.ndarray, v: np.ndarray, r: np.ndarray, g: np.ndarray) -> None:
    if workload.rule == "adam":
        v *= BETA1
        v += (1 - BETA1) * g
        r *= BETA2
        r += (1 - BETA2) * g * g
        p -= workload.lr / (1 - BETA1**t) * v / (np.sqrt(r / (1 - BETA2**t)) + EPS)
    elif workload.rule == "momentum":
        v *= BETA
        v += g
        p -= workload.lr * v
    else:
        p -= workload.lr * g


def adds(count: int) -> Callable[[], None]:
    def chain(a: Any, b: Any) -> Any:
        for _ in range(count):
            a = a + b
        return a

    gradient = grad(chain, argnum=(0, 1))
    a, b = np.array(1.0), np.array(2.0)
    return lambda: gradient(a, b)
