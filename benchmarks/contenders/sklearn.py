"""scikit-learn's MLPClassifier, which has no BatchNorm."""

from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from ..workloads import BETA, BETA1, BETA2, EPS, Samples, Workload, initial
from . import Training, threads_of


def start(workload: Workload, samples: Samples, variant: str) -> Training:
    """All the samples of an epoch are handed over in one call, in their order; it makes the batches."""
    if workload.batch_norm:
        raise NotImplementedError("no BatchNorm")
    threadpool_limits(threads_of(variant))
    model = MLPClassifier(
        workload.sizes[1:-1], solver="adam" if workload.rule == "adam" else "sgd", alpha=0.0,
        batch_size=workload.batch, learning_rate_init=workload.lr, shuffle=False, nesterovs_momentum=False,
        momentum=BETA if workload.rule == "momentum" else 0.0, beta_1=BETA1, beta_2=BETA2, epsilon=EPS,
    )  # fmt: skip

    def part(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = samples.images[rows].astype(np.float32)
        x *= np.float32(1 / 255)
        return x, samples.labels[rows]

    model.partial_fit(*part(np.arange(workload.batch)), classes=np.arange(10))  # makes the arrays
    for there, weight in zip(model.coefs_, initial(workload), strict=True):
        there[...] = weight
    for bias in model.intercepts_:
        bias[...] = 0
    del model._optimizer  # the next call makes a new one

    def epoch(batches: np.ndarray) -> Callable[[], None]:
        return lambda: model.partial_fit(*part(batches.ravel()))

    def losses(batches: np.ndarray) -> list[float]:
        return [model.partial_fit(*part(rows)).loss_ for rows in batches]

    def set_lr(lr: float) -> None:
        model.learning_rate_init = lr
        if hasattr(model, "_optimizer"):
            model._optimizer.learning_rate_init = lr

    def predict(pictures: np.ndarray) -> np.ndarray:
        return model.predict(pictures.astype(np.float32) * np.float32(1 / 255))

    return Training(epoch, lambda: list(model.coefs_), set_lr, predict, losses)
