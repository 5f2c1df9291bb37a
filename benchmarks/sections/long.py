"""Whether a long run slows down: momentum that has decayed below the smallest normal number is slow to compute with."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ..runner import Bench, shared_samples
from ..workloads import WORKLOADS, order

STEPS, STRETCH, WARM = 3000, 200, 20


def collect(bench: Bench) -> dict[str, Any]:
    """The microseconds a step of W1, in each stretch of 200 steps, by everyone's best variant, and by own loops."""
    us: dict[str, list[list[float]]] = {}
    skipped = {}
    stretch = STRETCH // 20 if bench.smoke else STRETCH
    for _, contender in bench.in_turn("long"):
        own = [variant for variant in contender.loops if variant == "own loop"]
        for variant in [contender.best, *own]:
            name = f"{contender.name}, {variant}"
            found = bench.run(contender, "long", variant=variant, stretch=stretch)
            if "error" in found:
                skipped[name] = found["error"]
            else:
                us.setdefault(name, []).append(found["us"])
    return {"us": us, "stretch": stretch, "skipped": skipped}


def work(request: dict[str, Any]) -> dict[str, Any]:
    """Another training before, and 20 steps of this one, warm up: what has to be loaded is loaded."""
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    stretch = request["stretch"]
    workload = replace(WORKLOADS["W1"], steps=WARM + STEPS // STRETCH * stretch)
    samples = shared_samples(Path(request["folder"]), "train")
    batches = order(workload, len(samples.labels))
    parts = [batches[:WARM], *(batches[i : i + stretch] for i in range(WARM, len(batches), stretch))]
    framework.start(workload, samples, request["variant"]).stretches([batches[: 2 * stretch]])
    seconds = framework.start(workload, samples, request["variant"]).stretches(parts)[1:]
    return {"us": [1e6 * s / stretch for s in seconds]}
