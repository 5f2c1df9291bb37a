"""minidl: `fit`, with nothing that looks on at single steps while it is timed; and loops of a user's own."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import minidl
from minidl import nn, optim
from minidl.compiler.native.cache.background import compile_now
from minidl.compiler.native.cache.objects import installed
from minidl.compiler.native.executor import needed
from minidl.data import Dataset, Loader
from minidl.train import Callback, evaluate, fit

from ..workloads import BETA, BETA1, BETA2, EPS, Recipe, Samples, Workload, initial
from . import Training, threads_of


def prescribed(samples: Samples, batches: np.ndarray) -> Loader:
    """A Loader whose first epoch, shuffled as any is, takes the samples `batches` (S, B) in just this order.

    It is minidl's own Loader, so that `fit` does what it always does: the data set is laid out such that the seed's
    shuffle brings it into order.
    """
    rows = batches.ravel()
    minidl.seed(0)
    shuffle = Loader(Dataset(*(part[rows] for part in samples)), 1).order()
    placed = np.empty_like(rows)
    placed[shuffle] = rows
    minidl.seed(0)
    return Loader(Dataset(*(part[placed] for part in samples), classes="0123456789"), batches.shape[1])


class Clock(Callback):
    """Reads the clock after the updates numbered `marks`."""

    def __init__(self, marks: Sequence[int]) -> None:
        self.marks = list(marks)
        self.times: list[float] = []

    def on_start(self, run: Any) -> None:
        self.times.append(time.perf_counter())

    def interval(self, run: Any) -> int:
        return min((mark - run.batch for mark in self.marks if mark > run.batch), default=1)

    def on_pause(self, run: Any) -> None:
        if run.batch in self.marks:
            self.times.append(time.perf_counter())
        if run.batch == self.marks[-1]:
            run.stop("all marks are reached")


class Losses(Callback):
    """Keeps the loss of every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_step(self, run: Any) -> None:
        self.values.append(run.loss.item())


class Fitting:
    """A `Training` by `fit`."""

    def __init__(self, model: nn.Module, optimizer: Any, samples: Samples, options: dict[str, Any]) -> None:
        self.model, self.optimizer, self.samples, self.options = model, optimizer, samples, options

    def _fit(self, batches: np.ndarray, watcher: Callback, epochs: int = 1) -> None:
        loader = prescribed(self.samples, batches)
        options = {"optimizer": self.optimizer, "callbacks": [watcher], "progress": False, **self.options}
        options["epochs"] = epochs
        fit(self.model, loader, **options)

    def losses(self, batches: np.ndarray) -> list[float]:
        """The loss of each step on `batches` (S, B)."""
        watcher = Losses()
        self._fit(batches, watcher)
        return watcher.values

    def stretches(self, parts: Sequence[np.ndarray]) -> list[float]:
        """All parts in one call of `fit`, as a user's epochs are; the seconds that each took.

        It is the begin of a long training, so that `fit` takes the means that it takes for one.
        What has to be compiled is compiled beforehand, as `fit` does by itself in a run of more than a few seconds:
        that is measured in the section job.
        """
        if self.options.get("compile") is not False:
            compile_code(self.optimizer)
        clock = Clock(np.cumsum([len(part) for part in parts]).tolist())
        self._fit(np.concatenate(parts), clock, epochs=100)
        return np.diff(clock.times).tolist()

    def weights(self) -> list[np.ndarray]:
        return weights_of(self.model)


def compile_code(optimizer: Any) -> None:
    """Compile what machine code an optimizer's steps need, if Numba is there, and wait for it."""
    if installed():
        compile_now(needed(optimizer))


def start(workload: Workload, samples: Samples, variant: str) -> Fitting | Training:
    """Variants "fit": as a user calls it; "eager": every step as it is written, nothing compiled; and `looping`'s."""
    model = network(workload)
    optimizer = rule(workload, model, workload.lr)
    if variant in ("own loop", "compiled step"):
        compile_code(optimizer)
        return looping(workload, samples, model, optimizer, variant == "compiled step")
    options: dict[str, Any] = {"threads": threads_of(variant)}
    if variant == "eager":
        options["compile"] = False
    return Fitting(model, optimizer, samples, options)


def looping(workload: Workload, samples: Samples, model: nn.Module, optimizer: Any, compiled: bool) -> Training:
    """A loop over a Loader's batches, each step as README has it, or one call of a compiled step."""
    loss_of = nn.mean_squared_error if workload.residual else nn.softmax_cross_entropy
    compiled_step = minidl.compile(model, loss_of, optimizer) if compiled else None

    def step(x: np.ndarray, y: np.ndarray) -> float:
        if compiled_step is not None:
            return float(compiled_step(x, y))
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def epoch(batches: np.ndarray) -> Callable[..., list[float]]:
        loader = prescribed(samples, batches)

        def train(losses: list[float] | None = None) -> list[float]:
            losses = [] if losses is None else losses
            minidl.seed(0)  # the shuffle for which `prescribed` has laid out the samples
            for x, y in loader:
                losses.append(step(x, y[:, None].astype(np.float32) / 10 if workload.residual else y))
            return losses

        return train

    return Training(epoch, lambda: weights_of(model))


def weights_of(model: nn.Module) -> list[np.ndarray]:
    """The weight matrices, (in, out)."""
    return [value.numpy() for name, value in model.named_parameters() if name.endswith("weight")]


class Residual(nn.Module):
    def __init__(self, first: nn.Module, second: nn.Module, last: nn.Module) -> None:
        self.first, self.second, self.last = first, second, last

    def forward(self, x: minidl.Tensor) -> minidl.Tensor:
        h = minidl.tanh(self.first(x))
        return self.last(h + minidl.tanh(self.second(h)))


def network(workload: Workload) -> nn.Module:
    layers: list[nn.Module] = []
    for weight in initial(workload):
        layers.append(nn.Dense(*weight.shape, weight_init=lambda shape, weight=weight: weight))
        layers += [nn.BatchNorm(weight.shape[1])] if workload.batch_norm else []
        layers.append(nn.ReLU())
    if workload.residual:
        return Residual(*layers[::2])
    return nn.Sequential(*layers[: -2 if workload.batch_norm else -1])


def rule(workload: Workload, model: nn.Module, lr: Any) -> Any:
    if workload.rule == "adam":
        return optim.Adam(model.parameters(), lr=lr, beta1=BETA1, beta2=BETA2, eps=EPS)
    if workload.rule == "momentum":
        return optim.Momentum(model.parameters(), lr=lr, beta=BETA)
    return optim.SGD(model.parameters(), lr=lr)


def job(recipe: Recipe, samples: Samples, test: Samples, variant: str) -> list[float]:
    """The whole job as a user writes it; the test accuracy after each epoch."""
    accuracies: list[float] = []

    def examine(run: Any) -> None:
        accuracies.append(evaluate(model, Dataset(*test))["accuracy"])
        if accuracies[-1] >= recipe.target:
            run.stop(f"{recipe.target:.0%} reached")

    minidl.seed(recipe.seed)
    model = network(recipe.workload)
    drop = recipe.every * recipe.workload.steps
    rate = optim.schedules.step(recipe.workload.lr, every=drop, factor=recipe.factor)
    loader = Loader(Dataset(*samples), recipe.workload.batch)
    optimizer = rule(recipe.workload, model, rate)
    compiled = False if variant == "eager" else None
    options = {"epochs": recipe.epochs, "callbacks": [examine], "progress": False, "compile": compiled}
    fit(model, loader, optimizer=optimizer, **options)
    return accuracies


def adds(count: int) -> Callable[[], None]:
    a, b = minidl.Tensor(1.0, requires_grad=True), minidl.Tensor(2.0, requires_grad=True)

    def both_ways() -> None:
        y = a
        for _ in range(count):
            y = y + b
        y.backward()
        a.grad = b.grad = None

    return both_ways
