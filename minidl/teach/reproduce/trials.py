"""Many small trainings, run on all cores."""

import math
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np

from ... import nn, optim
from ...backend import seed
from ...data import Dataset, mnist
from ...data._cifar10 import cifar10
from ...data._imdb import imdb
from ...hardware.threads import use_blas_threads
from ...nn._mlp import mlp
from ...optim import schedules
from ...train import Callback, Run, evaluate, fit
from .sets_in_kind import pictures, texts

RULES = ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam", "NAdam")
PLOTTED = ("SGD", "Momentum", "Nesterov", "RMSProp", "Adam", "NAdam")  # what note B's plots compare
ANOTHER_WORKLOAD = "the note does not say which data, network and budget its picture is of; this is another workload."
STARTS: dict[str, Callable[..., np.ndarray]] = {
    "zeros": nn.init.zeros,
    "σ = 0.01": partial(nn.init.normal, std=0.01),
    "He": nn.init.he_normal,
    "σ = 1": partial(nn.init.normal, std=1.0),
}
_DEEP = [32] * 6
_PLACES = ("none", "before", "after")  # of batch normalisation: before or after the activation
digits = cache(mnist)  # reading it takes a second: once is enough
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Trial:
    """One training: which data and network, which rule and numbers, how many updates, from which seed."""

    workload: str
    rule: str
    lr: float
    updates: int
    seed: int = 0
    hyper: tuple[tuple[str, float], ...] = ()
    decay: float | None = None  # the share of lr that is left at the end of a straight fall; None: constant
    fresh: bool = False  # measured on data that have chosen nothing, instead of those by which numbers are chosen
    every: int = 20  # updates between two measurements


@dataclass(frozen=True)
class Curve:
    """The result of a trial: the validation loss and error after so many updates each."""

    steps: tuple[int, ...]
    loss: tuple[float, ...]
    error: tuple[float, ...]

    @property
    def final(self) -> float:
        """The last validation loss; infinity if the trial diverged."""
        return self.loss[-1]


class Watch(Callback):
    """Measures on `validation` every so many updates; ends the training at its last one, or once it has diverged."""

    def __init__(self, updates: int, every: int, validation: Dataset) -> None:
        self.steps = list(range(every, updates + 1, every))
        self.validation = validation
        self.loss: list[float] = []
        self.error: list[float] = []

    def on_step(self, run: Run) -> None:
        """After each update."""
        if run.step in self.steps:
            measured = evaluate(run.model, self.validation)
            if measured["loss"] < 1e3:
                self.loss.append(measured["loss"])
                self.error.append(1 - measured["accuracy"])
            else:
                run.stop("diverged")
        if run.step == self.steps[-1]:
            run.stop("done")

    def curve(self) -> Curve:
        """What was measured; after a run has diverged, an infinite loss and an error of 1."""
        lost = len(self.steps) - len(self.loss)
        return Curve(tuple(self.steps), (*self.loss, *[math.inf] * lost), (*self.error, *[1.0] * lost))


class Parts(NamedTuple):
    """Parts of a training set: to train on, to choose numbers by, and to measure on what was chosen."""

    train: Dataset
    choosing: Dataset
    fresh: Dataset


def _deep(inputs: int, classes: int, init: Callable[..., np.ndarray]) -> nn.Module:
    """The deep network of ReLUs with all its weights drawn by `init`."""
    layers: list[nn.Module] = []
    for into, out in pairwise([inputs, *_DEEP, classes]):
        layers += [nn.Dense(into, out, weight_init=init), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def workload(name: str) -> tuple[Parts, Callable[[], nn.Module], int]:
    """The parts of the data, a function that makes the network, and the batch size."""
    parts = datasets(name.partition("/")[0])
    train = parts.train
    inputs, classes = train.inputs.shape[1], len(train.classes)
    networks: dict[str, Callable[[], nn.Module]] = {
        "linear": lambda: mlp(inputs, [], classes),
        "mlp": lambda: mlp(inputs, [64], classes),
        "deep tanh": lambda: mlp(inputs, [32] * 5, classes, activation="tanh"),
        "words": lambda: mlp(inputs, [16], classes),
        **{f"deep, BN {place}": partial(mlp, inputs, _DEEP, classes, batch_norm=place) for place in _PLACES},
        **{f"deep from {start}": partial(_deep, inputs, classes, init) for start, init in STARTS.items()},
    }
    return parts, networks[name.partition("/")[2]], 64


@cache
def datasets(name: str) -> Parts:
    """The parts of the training set of that name; its test set, if it has one, is left alone.

    Raises `DataError` if the data set is not there.
    """
    if name in ("pictures", "texts"):
        train = pictures() if name == "pictures" else texts()
    elif name == "imdb":
        train, _ = imdb()
        train = train[
            np.random.default_rng(0).permutation(len(train))[:8000]
        ]  # in the files all negative ones come first
    else:
        train, _ = digits() if name == "mnist" else cifar10()
    cut = min(6000, len(train) * 3 // 5)
    left = min(2000, (len(train) - cut) // 2)
    return Parts(train[:cut], train[cut : cut + left], train[cut + left : cut + 2 * left])


def run(trial: Trial) -> Curve:
    """Run one trial."""
    seed(trial.seed)
    (train, choosing, fresh), network, batch = workload(trial.workload)
    model = network()
    falling = schedules.linear(trial.lr, trial.lr * (trial.decay or 0), trial.updates)
    lr = trial.lr if trial.decay is None else falling
    optimizer = getattr(optim, trial.rule)(model.parameters(), lr=lr, **dict(trial.hyper))
    watch = Watch(trial.updates, trial.every, fresh if trial.fresh else choosing)
    epochs = -(-trial.updates // (len(train) // batch))
    with np.errstate(all="ignore"):
        fit(
            model, train, optimizer=optimizer, epochs=epochs, batch_size=batch, callbacks=[watch], progress=False,
            on_nonfinite="continue", guards=False,  # some rates are meant to be far too large
        )  # fmt: skip
    return watch.curve()


_done: dict[Trial, Curve] = {}


def run_all(trials: Iterable[Trial]) -> dict[Trial, Curve]:
    """The curves of `trials`, each of which is run once and remembered."""
    trials = list(trials)
    fresh = [trial for trial in dict.fromkeys(trials) if trial not in _done]
    _done.update(zip(fresh, in_processes(run, fresh), strict=True))
    return {trial: _done[trial] for trial in trials}


def in_processes(function: Callable[[In], Out], arguments: list[In]) -> list[Out]:
    """``[function(a) for a in arguments]`` by one process per core, each with a single thread for its products.

    Networks this small are not worth two threads, and threads that wait for each other slow everything down.
    """
    return list(_pool().map(partial(_with_one_thread, function), arguments))


def _with_one_thread(function: Callable[[In], Out], argument: In) -> Out:
    with use_blas_threads(1):
        return function(argument)


@cache
def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(min(os.cpu_count() or 1, 8), mp_context=multiprocessing.get_context("spawn"))
