"""Trainings for tests/parallel: each by name, made by one process or by all ranks: ``rank_cases.py FOLDER NAME...``."""

import sys
from pathlib import Path

import numpy as np
import pytest

import minidl
from minidl import nn, optim, parallel
from minidl.compiler.native.cache import background, stock, worth
from minidl.data import Dataset, Loader
from minidl.parallel import communicator
from minidl.parallel.communicator import Communicator
from minidl.parallel.direct import by_python
from minidl.train import Callback, fit
from minidl.train.engines import compiled

FEATURES, CLASSES, SAMPLES, BATCH = 12, 5, 250, 25  # epochs of so many steps that not each is checked by itself
RULES = "SGD Momentum Nesterov AdaGrad RMSProp RMSPropNesterov AdaDelta Adam NAdam AdamW".split()


def samples(dtype=np.float32, count=SAMPLES):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(count, FEATURES)).astype(dtype)
    return Dataset(x, (x[:, :CLASSES] + 0.3 * x[:, -CLASSES:]).argmax(axis=1), name="drawn")


def dense(*between, dtype=np.float32):
    layers = [nn.Dense(FEATURES, 16), *between, nn.ReLU(), nn.Dense(16, CLASSES)]
    model = nn.Sequential(*layers)
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.astype(dtype)
    return model


class Own(nn.Module):
    """A model of the user's, whose steps are eager."""

    def __init__(self):
        self.first, self.second = nn.Dense(FEATURES, 16), nn.Dense(16, CLASSES)

    def forward(self, x):
        return self.second(minidl.tanh(self.first(x)))


class Halving(Callback):
    """Changes gradients between backward and update."""

    def on_gradients(self, run):
        for p in run.optimizer.parameters:
            p.grad *= 0.5


def trained(model, data=None, rule="SGD", lr=0.05, epochs=5, batch=BATCH, **options):
    """Parameters, statistics and history of a training of 50 steps, if nothing else is said."""
    data = samples() if data is None else data
    rates = {} if rule == "AdaDelta" else {"lr": lr if rule in ("SGD", "Momentum", "Nesterov", "AdaGrad") else 0.003}
    optimizer = getattr(optim, rule)(model.parameters(), **rates)
    options = {"batch_size": batch} | options
    if isinstance(data, Loader):
        options.pop("batch_size")
    history = fit(model, data, optimizer=optimizer, epochs=epochs, progress=False, guards=False, **options)
    skipped = "seconds", "engine"
    numbers = [[v for k, v in row.items() if k not in skipped] for row in history.rows]
    engines = {row["engine"] for row in history.rows}
    return {**model.state_dict(), "history": np.array(numbers, np.float64)}, engines


def by_rule(rule):
    return lambda **o: trained(dense(), rule=rule, **o)


CASES = {rule: by_rule(rule) for rule in RULES} | {
    "eager": lambda **o: trained(dense(), compile=False, **o),
    "own model": lambda **o: trained(Own(), **o),
    "float64": lambda **o: trained(dense(dtype=np.float64), samples(np.float64), "Adam", **o),
    "small last batch": lambda **o: trained(dense(), samples(count=202), **o),
    "more ranks than samples": lambda **o: trained(
        dense(nn.BatchNorm(16), nn.Dropout(0.3), dtype=np.float64), samples(np.float64, 21), batch=3, **o
    ),
    "batch norm": lambda **o: trained(dense(nn.BatchNorm(16)), **o),
    "batch norm, eager": lambda **o: trained(dense(nn.BatchNorm(16)), compile=False, **o),
    "batch norm of each": lambda **o: trained(dense(nn.BatchNorm(16, sync=False)), **o),
    "dropout": lambda **o: trained(dense(nn.Dropout(0.4)), **o),
    "dropout, eager": lambda **o: trained(dense(nn.Dropout(0.4)), compile=False, **o),
    "clipped": lambda **o: trained(dense(), clip_norm=0.3, clip_value=0.1, **o),
    "accumulated": lambda **o: trained(dense(nn.BatchNorm(16)), batch=5, accumulate=5, **o),
    "schedule": lambda **o: trained(dense(), lr=optim.schedules.cosine(0.1, 50), **o),
    "validated": lambda **o: trained(dense(), validation=samples(count=2300), **o),
    "regression": lambda **o: trained(
        nn.Sequential(nn.Dense(FEATURES, 8), nn.Tanh(), nn.Dense(8, 1)), regression(), loss="mse", lr=0.01, **o
    ),
    "weighted": lambda **o: trained(dense(), class_weight="balanced", **o),
    "own metric": lambda **o: trained(dense(), metrics={"largest": lambda output, y: output.max(axis=1).mean()}, **o),
    "gradients changed": lambda **o: trained(dense(), callbacks=[Halving()], **o),
    "unshuffled loader": lambda **o: trained(dense(), Loader(samples(), BATCH, shuffle=False), **o),
    "streamed": lambda **o: trained(dense(), list(Loader(samples(), BATCH, shuffle=False)), batch=None, **o),
    "transformed": lambda **o: trained(dense(), samples().with_transform(jittered), epochs=3, **o),
    "one by one": lambda **o: trained(dense(), batch=1, epochs=1, **o),
}


def jittered(inputs, rng):
    """Other inputs in each epoch."""
    return inputs + rng.normal(0, 0.1, inputs.shape).astype(inputs.dtype)


def regression():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(203, FEATURES)).astype(np.float32)
    return Dataset(x, x[:, :1] - 2 * x[:, 1:2] + 3, name="line")


def made(name, **options):
    """What the training called `name` gives, and the engines that made its steps. Behind an @: by which of them."""
    minidl.seed(3)
    name, _, engine = name.partition("@")
    with pytest.MonkeyPatch.context() as patch:
        if engine == "callback":  # as where MPI's own function is not found
            patch.setattr(communicator, "all_reduce", by_python)
        if engine in ("callback", "hosts", "hosts, machine code"):  # as where ranks share no memory
            patch.setattr(Communicator, "vector", lambda *_: None)
        if engine in ("machine code", "callback", "hosts, machine code"):  # from the first step that can be
            background.compile_now([stock.sources()[name] for name in ("machine", "SGD", "Adam")])
            patch.setattr(worth, "LOADING", 0.0)
            patch.setattr(compiled, "WORTH_LOADING", 0.0)
        if engine in ("replay", "hosts"):
            patch.setattr(background, "ready", lambda *_: False)
        return CASES[name](**options)


class Counting:
    """Counts the sums that Python asks these ranks for, and notes whether gradients are in memory that they share."""

    def __init__(self, ranks):
        self.ranks, self.sums, self.shared = ranks, 0, False
        ranks._function = None  # found anew

    def __getattr__(self, name):
        return getattr(self.ranks, name)

    def vector(self, size, dtype):
        made = self.ranks.vector(size, dtype)
        self.shared = made is not None
        return made

    def sum_(self, vector):
        self.sums += 1
        self.ranks.sum_(vector)

    def sum(self, array):
        self.sums += 1
        return self.ranks.sum(array)


if __name__ == "__main__":
    folder, *names = sys.argv[1:]
    ranks = parallel.world(deadline=20)
    for name in names:
        counting = Counting(ranks)
        numbers, engines = made(name, parallel=counting)
        kept = Path(folder, f"{name}-{ranks.rank}.npz")
        np.savez(kept, engines=sorted(engines), sums=counting.sums, shared=counting.shared, **numbers)
