"""The networks that are trained: sizes, batch, rule; everyone's initial weights and order of samples.

A step is the gather of a batch with its scaling from uint8 to [0, 1], forward, softmax cross-entropy, backward,
update. All contenders start from the same weights and see the same batches.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

BETA, BETA1, BETA2, EPS = 0.9, 0.9, 0.999, 1e-8  # of momentum, and of Adam
BATCH_NORM_EPS = 1e-5


@dataclass(frozen=True)
class Workload:
    """`sizes` are the layers' widths, input to output; `rule` is "sgd", "momentum" or "adam"."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    rule: str
    lr: float
    batch_norm: bool  # Dense, BatchNorm, ReLU; the last layer is Dense alone
    steps: int
    residual: bool = False  # three layers: h = tanh(a(x)), h + tanh(b(h)), c; the square of its distance to label / 10

    def describe(self) -> str:
        """The workload in a few words."""
        if self.residual:
            return f"{'-'.join(map(str, self.sizes))}, tanh, residual, squared error, batch {self.batch}, {self.rule}"
        norm = " + BatchNorm" if self.batch_norm else ""
        return f"{'-'.join(map(str, self.sizes))}{norm}, batch {self.batch}, {self.rule}"


WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", (784, 128, 10), 32, "momentum", 0.05, False, 480),
        Workload("W2", (784, 256, 128, 10), 128, "adam", 1e-3, False, 180),
        Workload("W3", (784, 512, 512, 10), 256, "adam", 1e-3, True, 60),
        Workload("W4", (784, 256, 128, 10), 1, "sgd", 0.01, False, 900),
    )
}
RESIDUAL = Workload("residual", (784, 128, 128, 1), 64, "adam", 1e-3, False, 200, residual=True)


class Samples(NamedTuple):
    """The pictures: (N, 784) uint8, and their labels: (N,) int64."""

    images: np.ndarray
    labels: np.ndarray


class Recipe(NamedTuple):
    """A whole job: `workload.steps` updates an epoch, at most `epochs` of them, until the test accuracy is `target`.

    The learning rate is multiplied by `factor` after every `every` epochs. `seed` is that of the order of the samples.
    """

    workload: Workload
    epochs: int
    every: int
    factor: float
    target: float
    seed: int


RECIPE = Recipe(Workload("job", (784, 256, 128, 10), 100, "adam", 3e-3, False, 600), 6, 3, 0.1, 0.98, 1)


def initial(workload: Workload) -> list[np.ndarray]:
    """The weights that everyone starts from, (in, out) float32, He's way; biases start at zero."""
    rng = np.random.default_rng(1)
    pairs = zip(workload.sizes, workload.sizes[1:], strict=False)
    return [(rng.standard_normal(pair) * np.sqrt(2 / pair[0])).astype(np.float32) for pair in pairs]


def order(workload: Workload, samples: int) -> np.ndarray:
    """The samples of each step, (steps, batch)."""
    rng = np.random.default_rng(2)
    needed = workload.steps * workload.batch
    rounds = [rng.permutation(samples) for _ in range(-(-needed // samples))]
    return np.concatenate(rounds)[:needed].reshape(workload.steps, workload.batch)
