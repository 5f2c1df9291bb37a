"""The floor: a step's matrix products alone, into buffers, and the optimizer's bytes at copying speed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minidl.hardware.threads import use_blas_threads

from ..workloads import Samples, Workload
from . import threads_of

PASSES = {"sgd": 3, "momentum": 5, "adam": 7}  # vectors that the update reads or writes: g; θ and each state twice


def start(workload: Workload, samples: Samples, variant: str) -> "Floor":
    """Forward, weight gradients, and input gradients but for the first layer's.

    With batch 1 a weight gradient is an outer product, which can go straight into the weights: no product is counted
    for it, and the update reads and writes the weights alone.
    """
    rng = np.random.default_rng(0)
    new = lambda *shape: rng.standard_normal(shape, np.float32)
    B, one = workload.batch, workload.batch == 1
    products = []
    for i, (m, n) in enumerate(zip(workload.sizes, workload.sizes[1:], strict=False)):
        x, w, d = new(B, m), new(m, n), new(B, n)
        products.append((x, w, new(B, n)))
        products += [] if one else [(x.T, d, new(m, n))]
        products += [(d, w.T, new(B, m))] if i else []
    size = sum(m * n + n for m, n in zip(workload.sizes, workload.sizes[1:], strict=False))
    traffic = (2 if one else PASSES[workload.rule]) * 4 * size
    return Floor(products, traffic / _bandwidth(size), threads_of(variant))


@dataclass
class Floor:
    """A `Training` of which only the time is real; `update` is the seconds that one update takes."""

    products: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    update: float
    threads: int | None

    def stretches(self, parts: Sequence[np.ndarray]) -> list[float]:
        seconds = []
        with use_blas_threads(self.threads):
            for part in parts:
                start = time.perf_counter()
                for _ in part:
                    for a, b, out in self.products:
                        np.matmul(a, b, out=out)
                seconds.append(time.perf_counter() - start + len(part) * self.update)
        return seconds


def _bandwidth(size: int) -> float:
    """Bytes read and written a second, by copying a vector of `size` float32: the best of several."""
    a, b = np.ones(size, np.float32), np.empty(size, np.float32)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        np.copyto(b, a)
        seconds.append(time.perf_counter() - start)
    return 2 * 4 * size / min(seconds)
