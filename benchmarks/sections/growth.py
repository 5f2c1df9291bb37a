"""How the time per example grows with the width, the depth and the batch."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..runner import Bench, shared_samples
from ..workloads import Workload

POINTS = {
    "width": [64, 128, 256, 512, 1024, 2048, 4096],
    "depth": [1, 2, 4, 8, 16, 32],
    "batch": [1, 4, 16, 64, 256, 1024, 4096],
}
SMOKE_POINTS = {"width": [64, 128], "batch": [1, 16]}
SECONDS = 0.25  # for which one point is timed, and at least three steps


def network(axis: str, value: int) -> Workload:
    """Two hidden layers of that width, so many of 128, or 256 and 128 with that batch; Adam."""
    hidden = {"width": (value, value), "depth": (128,) * value, "batch": (256, 128)}[axis]
    return Workload(f"{axis} {value}", (784, *hidden, 10), value if axis == "batch" else 128, "adam", 1e-4, False, 0)


def collect(bench: Bench) -> dict[str, Any]:
    """For each axis: the microseconds per example of every contender at every point."""
    result: dict[str, Any] = {}
    for axis, points in (SMOKE_POINTS if bench.smoke else POINTS).items():
        curves: dict[str, list[list[float]]] = {}
        skipped = {}
        request = {"axis": axis, "points": points, "seconds": SECONDS / 10 if bench.smoke else SECONDS}
        for _, contender in bench.in_turn("growth"):
            found = bench.run(contender, "growth", **request, variant=contender.best)
            if "error" in found:
                skipped[contender.name] = found["error"]
            else:
                curves.setdefault(contender.name, []).append(found["us"])
        result[axis] = {"points": points, "us": curves, "skipped": skipped}
    return result


def work(request: dict[str, Any]) -> dict[str, Any]:
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    samples = shared_samples(Path(request["folder"]), "train")
    rng = np.random.default_rng(2)
    us = []
    for point in request["points"]:
        workload = network(request["axis"], point)
        batches = lambda steps, size=workload.batch: rng.integers(len(samples.labels), size=(steps, size))
        training = framework.start(workload, samples, request["variant"])
        a_step = training.stretches([batches(2), batches(2)])[1] / 2
        steps = int(np.clip(request["seconds"] / a_step, 3, 500))
        us.append(1e6 * training.stretches([batches(2), batches(steps)])[1] / steps / workload.batch)
    return {"us": us}
