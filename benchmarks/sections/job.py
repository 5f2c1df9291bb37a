"""A whole job: the seconds from starting Python to its exit, having trained until 98 % of the test images are right.

Everyone reads the same arrays, starts from the same weights, takes the samples in the same order with the same rule,
rate and batch, and looks at the test accuracy after each epoch. Once with all compilers' caches empty, then again,
when whatever the first run has left compiling is done.
"""

import fcntl
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ..runner import Bench, shared_samples
from ..workloads import RECIPE, Recipe

SMOKE = {"target": 0.5, "epochs": 1}


def collect(bench: Bench) -> dict[str, Any]:
    """The seconds of the first and the second run, and the accuracy after each epoch."""
    recipe = RECIPE._replace(**SMOKE) if bench.smoke else RECIPE
    np.save(bench.folder / "order.npy", _order(bench, recipe))
    seconds: dict[str, dict[str, list[float]]] = {}
    accuracies, skipped = {}, {}
    for _, contender in bench.in_turn("job"):
        with TemporaryDirectory() as caches:
            for kind in ("first run", "second run"):
                fields = {"variant": contender.best, "target": recipe.target, "epochs": recipe.epochs}
                found = bench.run(contender, "job", Path(caches), **fields)
                if "error" in found:
                    skipped[contender.name] = found["error"]
                    break
                seconds.setdefault(contender.name, {}).setdefault(kind, []).append(found["seconds"])
                accuracies[contender.name] = found["accuracies"]
                _compiled(Path(caches))
    workload = recipe.workload
    described = f"{workload.describe()}, lr {workload.lr:g}, times {recipe.factor:g} after {recipe.every} epochs"
    return {"describe": described, "target": recipe.target, "seconds": seconds, "accuracies": accuracies,
            "skipped": skipped}  # fmt: skip


def _compiled(caches: Path) -> None:
    """Wait for minidl's compiler, which goes on after its run has ended, and holds a lock as long as it works."""
    for lock in caches.glob("minidl/compiling.lock"):
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)


def _order(bench: Bench, recipe: Recipe) -> np.ndarray:
    """The order in which minidl's own shuffle takes the samples, (epochs, steps, batch), for the others to follow."""
    import minidl
    from minidl.data import Dataset, Loader

    minidl.seed(recipe.seed)
    train = shared_samples(bench.folder, "train")
    loader = Loader(Dataset(*train), recipe.workload.batch)
    return np.stack([loader.order().reshape(-1, recipe.workload.batch) for _ in range(recipe.epochs)])


def work(request: dict[str, Any]) -> dict[str, Any]:
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    folder = Path(request["folder"])
    train, test = shared_samples(folder, "train"), shared_samples(folder, "test")
    recipe = RECIPE._replace(target=request["target"], epochs=request["epochs"])
    if hasattr(framework, "job"):
        return {"accuracies": framework.job(recipe, train, test, request["variant"])}
    training = framework.start(recipe.workload, train, request["variant"])
    accuracies: list[float] = []
    for epoch, batches in enumerate(np.load(folder / "order.npy")):
        training.set_lr(recipe.workload.lr * recipe.factor ** (epoch // recipe.every))
        training.epoch(batches)()
        accuracies.append(float(np.mean(training.predict(test.images) == test.labels)))
        if accuracies[-1] >= recipe.target:
            break
    return {"accuracies": accuracies}
