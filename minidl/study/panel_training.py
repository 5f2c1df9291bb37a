"""The trainings of the four panels: data split by hash, one network, a curve of each."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from .. import optim
from ..backend import seed as start_seed
from ..data import Dataset, Loader
from ..data.by_name import find_dataset
from ..errors import NonFiniteError, OptionError
from ..nn._mlp import mlp
from ..optim.by_name import find_rule
from ..train import Callback, Run
from ..train.loop import evaluate, fit
from .panels import hyperparameters

BATCH = 128
HELD_OUT = 5000  # samples to tune by, and as many others to report by, at most
POINTS = 10  # of the curve, an epoch of all samples
TWIN = "-5000"  # the end of a workload's name that has so many samples only, and as many more epochs
_DIGITS = 5  # significant ones that a curve keeps


def data_of(workload: str) -> str:
    """The name of its data set."""
    return workload.removesuffix(TWIN)


@cache
def parts(name: str) -> dict[str, Dataset]:
    """A data set in "training", "tuning" and "reporting", and its "test" set.

    The training set is dealt out in the order of its samples' SHA-256, so whoever has the same samples has the same
    parts. Raises `DataError`, `OptionError`.
    """
    import hashlib

    train, test = find_dataset(name)
    if len(train) < 4 * HELD_OUT:
        raise OptionError(f"{train.name} has {len(train)} samples: four panels take at least {4 * HELD_OUT:,}")
    order = sorted(range(len(train)), key=lambda i: hashlib.sha256(train.inputs[i].tobytes()).digest())
    ends = HELD_OUT, 2 * HELD_OUT
    tuning, reporting, training = (train[np.array(some)] for some in np.split(order, ends))
    return {"training": training, "tuning": tuning, "reporting": reporting, "test": test}


def sha256_of(name: str) -> str:
    """The SHA-256 of a data set's samples and labels, training part first."""
    import hashlib

    found = hashlib.sha256()
    for part in parts(name).values():
        found.update(part.inputs.tobytes() + part.labels.tobytes())
    return found.hexdigest()


class _Watch(Callback):
    """Keeps loss and error on `data` at evenly spaced updates."""

    def __init__(self, data: Dataset, points: int) -> None:
        self.data, self.points = data, points
        self.loss: list[float] = []
        self.error: list[float] = []

    def on_start(self, run: Run) -> None:
        """Measure before the first update."""
        total = run.epochs * run.steps
        self.at = sorted({round(total * i / self.points) for i in range(1, self.points + 1)} - {0})
        self.initial = evaluate(run.model, self.data)["loss"]

    def interval(self, run: Run) -> int | None:
        """Up to the next point."""
        return next((step - run.step for step in self.at if step > run.step), None)

    def on_pause(self, run: Run) -> None:
        """Measure, if this is one."""
        if run.step in self.at[len(self.loss) : len(self.loss) + 1]:
            run.verify()
            measured = evaluate(run.model, self.data)
            self.loss.append(_short(measured["loss"]))
            self.error.append(_short(1 - measured["accuracy"]))


def _short(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")


def train_panel(config: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """One training; `config` has a rule, its settings, a workload, a tier's sizes, and the "part" to measure on.

    "loss" and "error" are those on the whole part at the end, none if the training has diverged: not finite, or in
    the end worse than at the start. The curve is of 10 points an epoch, on some of the part.
    """
    found = parts(data_of(config["workload"]))
    train, part = found["training"][: config["samples"]], found[config["part"]]
    part = part if config["part"] == "test" else part[: config["measured"]]
    start_seed(seed)
    model = mlp(train.inputs.shape[1], config["hidden"], len(train.classes))
    loader = Loader(train, BATCH)
    updates = config["epochs"] * len(loader)
    lr = config["lr"]
    if "decay" in config:
        lr = optim.schedules.linear(lr, lr * config["decay"], max(1, round(updates * config["length"])))
    optimizer = find_rule(config["rule"])(model.parameters(), lr=lr, **hyperparameters(config))
    watch = _Watch(part[: config["watched"]], config["points"])
    ended: dict[str, float] = {"loss": math.nan, "accuracy": math.nan}
    try:
        fit(
            model, loader, optimizer=optimizer, epochs=config["epochs"], callbacks=[watch], progress=False,
            guards=False, threads=1,
        )  # fmt: skip
        if watch.loss[-1] <= watch.initial:
            ended = evaluate(model, part)
    except NonFiniteError:
        pass  # it has diverged; the curve shows when
    curve = {"curve_loss": watch.loss, "curve_error": watch.error}
    return {"loss": ended["loss"], "error": 1 - ended["accuracy"], "updates": updates} | curve
