"""tinygrad: the whole step in a TinyJit. On a CPU it needs clang."""

from collections.abc import Callable

import numpy as np
from tinygrad import Context, Tensor, TinyJit
from tinygrad.nn import BatchNorm, Linear
from tinygrad.nn.optim import SGD, Adam, Optimizer

from ..workloads import BATCH_NORM_EPS, BETA, BETA1, BETA2, EPS, Samples, Workload, initial
from . import Training


def start(workload: Workload, samples: Samples, variant: str) -> Training:
    layers = [Linear(*weight.shape) for weight in initial(workload)]
    for layer, weight in zip(layers, initial(workload), strict=True):
        layer.weight.assign(Tensor(np.ascontiguousarray(weight.T))).realize()
        layer.bias.assign(Tensor.zeros(weight.shape[1])).realize()
    norms = [BatchNorm(width, BATCH_NORM_EPS) for width in workload.sizes[1:-1]] if workload.batch_norm else []
    parameters = [p for layer in layers for p in (layer.weight, layer.bias)]
    parameters += [p for norm in norms for p in (norm.weight, norm.bias)]
    optimizer = rule(workload, parameters)

    def forward(x: Tensor) -> Tensor:
        for i, layer in enumerate(layers[:-1]):
            x = layer(x)
            x = (norms[i](x) if norms else x).relu()
        return layers[-1](x)

    @TinyJit
    def step(pixels: Tensor, labels: Tensor) -> Tensor:
        with Context(TRAINING=1):
            optimizer.zero_grad()
            loss = forward(pixels.float() * (1 / 255)).sparse_categorical_crossentropy(labels).backward()
            return loss.realize(*optimizer.schedule_step())

    def epoch(batches: np.ndarray) -> Callable[[], list[float]]:
        def train() -> list[float]:
            return [step(Tensor(samples.images[rows]), Tensor(samples.labels[rows])).item() for rows in batches]

        return train

    return Training(epoch, lambda: [layer.weight.numpy().T for layer in layers])


def rule(workload: Workload, parameters: list[Tensor]) -> Optimizer:
    if workload.rule == "adam":
        return Adam(parameters, lr=workload.lr, b1=BETA1, b2=BETA2, eps=EPS)
    return SGD(parameters, lr=workload.lr, momentum=BETA if workload.rule == "momentum" else 0.0)


def adds(count: int) -> Callable[[], None]:
    """Not compiled as one: built, scheduled and run anew each time."""
    a, b = (Tensor(np.array(value, np.float32)) for value in (1, 2))

    def both_ways() -> None:
        y = a
        for _ in range(count):
            y = y + b
        Tensor.realize(y, *y.gradient(a, b))

    return both_ways
