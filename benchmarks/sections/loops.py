"""Loops that a user writes, and compiled steps that Python calls once a batch."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ..runner import Bench, shared_samples
from ..workloads import WORKLOADS, Workload, order
from .steps import keep_weights, measure

STEPS = {"W1": 2000, "W2": 1000, "W3": 200, "W4": 3000}  # the first half warms up: denormals, loading of machine code


def collect(bench: Bench, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """As the section steps does, of more steps, by the variants that make one step a call."""
    return {
        name: measure(bench, "loops", WORKLOADS[name], steps=24 if bench.smoke else STEPS[name])
        for name in names or WORKLOADS
    }


def work(request: dict[str, Any]) -> dict[str, Any]:
    """Every variant: the second half of the steps timed; then, whatever had to be loaded being there, once checked."""
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    workload, folder = Workload(**request["workload"]), Path(request["folder"])
    timed = replace(workload, steps=request["steps"])
    samples, few = (shared_samples(folder, "train", w.steps * w.batch) for w in (timed, workload))
    batches = order(timed, len(samples.labels))
    half = len(batches) // 2
    found = {}
    for number, variant in enumerate(request["variants"]):
        seconds = framework.start(timed, samples, variant).stretches([batches[:half], batches[half:]])[1]
        found[variant] = one = {"us": 1e6 * seconds / (len(batches) - half)}
        if request["check"]:
            training = framework.start(workload, few, variant)
            one["losses"] = training.losses(order(workload, len(few.labels)))
            one["weights"] = keep_weights(request, number, training)
    return found
