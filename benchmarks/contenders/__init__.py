"""Who takes part, and how each is run: the rows of CONTENDERS, and what a framework's file must define.

Each framework has one file here. It defines what the sections that its rows name ask for:

    start(workload, samples, variant) -> Training    a model and its optimizer: for all sections but ops
    adds(count) -> Callable[[], None]                a chain of additions, forward and backward: for ops
    job(recipe, samples, test, variant) -> list[float]    the accuracies of a whole job, where it is not the general one

`variant` is one of the row's; where it ends in "1 thread" or "2 threads", it asks for them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Training:
    """A model with its optimizer, ready to train.

    ``epoch(batches)`` prepares, untimed, to train on the samples `batches` (S, B); calling what it returns makes the S
    updates, waits until they are done, and returns the loss of each; where it does not, ``losses_of(batches)`` does.
    What trains batch by batch takes a list to append each loss to, as its step is made.
    ``weights()`` are the weight matrices, (in, out). For a whole job: ``set_lr(lr)``, and ``predict(images)``, the
    classes (N,).
    """

    epoch: Callable[[np.ndarray], Callable[..., Any]]
    weights: Callable[[], list[np.ndarray]]
    set_lr: Callable[[float], None] | None = None
    predict: Callable[[np.ndarray], np.ndarray] | None = None
    losses_of: Callable[[np.ndarray], list[float]] | None = None

    def losses(self, batches: np.ndarray) -> list[float]:
        """The loss of each step on `batches` (S, B)."""
        losses = self.losses_of(batches) if self.losses_of else self.epoch(batches)()
        return [float(loss) for loss in losses]

    def stretches(self, parts: Sequence[np.ndarray]) -> list[float]:
        """Train on each part (S, B) in turn; the seconds that each took."""
        seconds = []
        for train in [self.epoch(part) for part in parts]:
            start = time.perf_counter()
            train()
            seconds.append(time.perf_counter() - start)
        return seconds


@dataclass(frozen=True)
class Contender:
    """A row of the tables: one process a round, for all of its variants in turn.

    `environment` is where it runs (see runner.py), `packages` what must be installed there, `without` what must not
    be found. In the `sections` but "steps" only its variant `best` is run; `loops` are those variants that Python calls
    once a batch, as a loop of a user's own does: for the sections in LOOPS. A slow one takes part in at most `rounds`
    rounds, and makes 1 / `share` of the steps. `settings` are environment variables. `eps_hat`: its Adam adds ε before
    the bias correction, as section 2 of Kingma & Ba has it at its end, and not after, as their Algorithm 1 does.
    """

    name: str
    module: str
    environment: str
    packages: tuple[str, ...]
    variants: tuple[str, ...]
    best: str
    sections: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()
    rounds: int = 1000
    share: int = 1
    without: str = ""
    eps_hat: bool = False
    loops: tuple[str, ...] = ()


def _on_threads(*variants: str) -> tuple[str, ...]:
    return tuple(f"{v}, {threads}" for v in variants for threads in ("1 thread", "2 threads"))


STEPS = ("steps",)
LOOPS = ("loops", "models", "busy")
ALL = ("steps", "growth", "ops", "startup", "job", "memory", "long", *LOOPS)
OWN = ("own loop", "compiled step")
EAGER = _on_threads("default", "foreach", "fused")
ONE_THREAD = ("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false"), ("NPROC", "1")
ON_JAX, ON_TORCH = (("KERAS_BACKEND", "jax"),), (("KERAS_BACKEND", "torch"),)

CONTENDERS = [
    Contender("minidl", "minidl", "minidl", ("minidl",), ("fit", "fit, 2 threads", "eager"), "fit", ALL,
              without="numba", loops=OWN),
    Contender("minidl[fast]", "minidl", "minidl-fast", ("minidl", "numba"), ("fit", "fit, 2 threads"), "fit", ALL,
              loops=OWN),
    Contender("minidl (eager)", "minidl", "minidl", ("minidl",), ("eager",), "eager", ("job",), without="numba"),
    Contender("PyTorch", "torch", "others", ("torch",), EAGER, "fused, 2 threads", ALL, loops=EAGER),
    Contender("PyTorch (1 thread)", "torch", "others", ("torch",), EAGER, "fused, 1 thread", ("growth", "job")),
    Contender("torch.compile", "torch", "others", ("torch",), _on_threads("compile"), "compile, 1 thread",
              ("steps", "loops", "models"), rounds=3, loops=_on_threads("compile")),
    Contender("JAX", "jax", "others", ("jax",), ("step", "scan"), "scan",
              tuple(s for s in ALL if s != "busy"), loops=("step",)),
    Contender("JAX (1 thread)", "jax", "others", ("jax",), ("step", "scan"), "scan", STEPS, ONE_THREAD, rounds=3),
    Contender("Keras on JAX", "keras", "others", ("keras", "jax"), ("train_on_batch", "fit"), "fit",
              ("steps", "startup"), ON_JAX, rounds=1, eps_hat=True),
    Contender("Keras on PyTorch", "keras", "others", ("keras", "torch"), _on_threads("fit"), "fit, 1 thread", STEPS,
              ON_TORCH, rounds=1, share=4, eps_hat=True),
    Contender("scikit-learn", "sklearn", "others", ("scikit-learn",), _on_threads("partial_fit"),
              "partial_fit, 2 threads", ("steps", "startup", "job"), rounds=2, eps_hat=True),
    Contender("HIPS autograd", "autograd", "others", ("autograd",), _on_threads("grad"), "grad, 1 thread",
              ("steps", "ops", "startup"), rounds=1, share=4),
    Contender("tinygrad", "tinygrad", "others", ("tinygrad",), ("TinyJit",), "TinyJit", ("steps", "ops", "startup"),
              rounds=1, share=6),
]  # fmt: skip
FLOOR = Contender("floor", "floor", "minidl", ("minidl",), ("1 thread", "2 threads"), "1 thread", STEPS)
REFERENCE = Contender("float64", "reference", "minidl", ("numpy",), ("eps", "eps hat"), "eps", STEPS,
                      (("OPENBLAS_NUM_THREADS", "1"),))  # fmt: skip


def threads_of(variant: str) -> int | None:
    """The number of threads that a variant asks for; None if it leaves that to the framework."""
    last = variant.rpartition(", ")[2].split()
    return int(last[0]) if len(last) == 2 and last[1].startswith("thread") else None
