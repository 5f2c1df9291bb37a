"""The four workloads: whole training steps on MNIST, as small networks are trained.

A step is the gather of a batch with its scaling from uint8 to [0, 1], forward, softmax cross-entropy, backward,
update. All contenders start from the same weights and see the same batches.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Workload:
    """`sizes` are the layers' widths, input to output; every learning rate is `lr`."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    rule: str
    lr: float
    batch_norm: bool
    steps: int

    def describe(self) -> str:
        """The workload in a few words."""
        norm = " + BatchNorm" if self.batch_norm else ""
        return f"{'-'.join(map(str, self.sizes))}{norm}, batch {self.batch}, {self.rule}"


WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", (784, 128, 10), 32, "momentum", 0.05, False, 600),
        Workload("W2", (784, 256, 128, 10), 128, "adam", 1e-3, False, 300),
        Workload("W3", (784, 512, 512, 10), 256, "adam", 1e-3, True, 100),
        Workload("W4", (784, 256, 128, 10), 1, "sgd", 0.01, False, 600),
    )
}


def initial(workload: Workload) -> list[np.ndarray]:
    """The weights that everyone starts from, He's way; biases start at zero."""
    rng = np.random.default_rng(1)
    pairs = zip(workload.sizes, workload.sizes[1:], strict=False)
    return [(rng.standard_normal(pair) * np.sqrt(2 / pair[0])).astype(np.float32) for pair in pairs]


def order(workload: Workload, samples: int) -> np.ndarray:
    """The samples of each step, (steps, batch)."""
    rng = np.random.default_rng(2)
    needed = workload.steps * workload.batch
    rounds = [rng.permutation(samples) for _ in range(-(-needed // samples))]
    return np.concatenate(rounds)[:needed].reshape(workload.steps, workload.batch)
