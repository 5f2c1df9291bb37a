"""Keras 3, on the backend that KERAS_BACKEND names."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ..workloads import BATCH_NORM_EPS, BETA, BETA1, BETA2, EPS, Samples, Workload, initial
from . import Training, threads_of


class Losses(keras.callbacks.Callback):
    """The loss of every batch: Keras reports the mean since the epoch began."""

    def __init__(self) -> None:
        super().__init__()
        self.means: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.means.append(logs["loss"])

    def values(self) -> list[float]:
        return np.diff(np.arange(1, len(self.means) + 1) * self.means, prepend=0.0).tolist()


def start(workload: Workload, samples: Samples, variant: str) -> Training:
    """Variants "train_on_batch", and "fit" over samples that were gathered beforehand."""
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads_of(variant) or torch.get_num_threads())
    model = network(workload)
    model.compile(optimizer=rule(workload), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for layer, weight in zip(dense, initial(workload), strict=True):
        layer.set_weights([weight, np.zeros(weight.shape[1], np.float32)])
    images, labels = samples

    def epoch(batches: np.ndarray) -> Callable[[], None]:
        if variant.startswith("fit"):
            rows = batches.ravel()
            x, y = images[rows], labels[rows]
            return lambda: model.fit(x, y, batch_size=workload.batch, shuffle=False, verbose=0)

        def train() -> None:
            for rows in batches:
                model.train_on_batch(images[rows], labels[rows])

        return train

    def losses(batches: np.ndarray) -> list[float]:
        rows, watch = batches.ravel(), Losses()
        model.fit(images[rows], labels[rows], batch_size=workload.batch, shuffle=False, verbose=0, callbacks=[watch])
        return watch.values()

    return Training(epoch, lambda: [layer.get_weights()[0] for layer in dense], losses_of=losses)


def network(workload: Workload) -> keras.Sequential:
    layers: list[Any] = [keras.Input((workload.sizes[0],), dtype="uint8"), keras.layers.Rescaling(1 / 255)]
    for width in workload.sizes[1:-1]:
        layers.append(keras.layers.Dense(width))
        layers += [keras.layers.BatchNormalization(momentum=0.9, epsilon=BATCH_NORM_EPS)] if workload.batch_norm else []
        layers.append(keras.layers.ReLU())
    return keras.Sequential([*layers, keras.layers.Dense(workload.sizes[-1])])


def rule(workload: Workload) -> Any:
    if workload.rule == "adam":
        return keras.optimizers.Adam(workload.lr, beta_1=BETA1, beta_2=BETA2, epsilon=EPS)
    return keras.optimizers.SGD(workload.lr, momentum=BETA if workload.rule == "momentum" else 0.0)
