"""Whether a long run slows down: momentum that has decayed below the smallest normal number is slow to compute with."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ..runner import Bench, shared_samples
from ..workloads import WORKLOADS, order

STEPS, STRETCH = 2000, 200


def collect(bench: Bench) -> dict[str, Any]:
    """The microseconds a step of W1, in each of ten stretches of 200 steps."""
    us: dict[str, list[list[float]]] = {}
    skipped = {}
    stretch = STRETCH // 20 if bench.smoke else STRETCH
    for _, contender in bench.in_turn("long"):
        found = bench.run(contender, "long", variant=contender.best, stretch=stretch)
        if "error" in found:
            skipped[contender.name] = found["error"]
        else:
            us.setdefault(contender.name, []).append(found["us"])
    return {"us": us, "stretch": stretch, "skipped": skipped}


def work(request: dict[str, Any]) -> dict[str, Any]:
    """A run of 20 steps before them warms up."""
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    stretch, warm = request["stretch"], 20
    workload = replace(WORKLOADS["W1"], steps=warm + STEPS // STRETCH * stretch)
    samples = shared_samples(Path(request["folder"]), "train")
    batches = order(workload, len(samples.labels))
    parts = [batches[:warm], *(batches[i : i + stretch] for i in range(warm, len(batches), stretch))]
    seconds = framework.start(workload, samples, request["variant"]).stretches(parts)[1:]
    return {"us": [1e6 * s / stretch for s in seconds]}
