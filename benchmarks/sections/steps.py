"""Whole training steps, and whether everyone computes the same."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..contenders import FLOOR, REFERENCE, Contender
from ..judgement import COMPARED, compare
from ..runner import Bench, shared_samples
from ..workloads import WORKLOADS, Workload, order


def collect(bench: Bench, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """For each workload: the microseconds a step, and how far losses and weights are from float64's."""
    return {name: measure(bench, "steps", WORKLOADS[name]) for name in names or WORKLOADS}


def measure(bench: Bench, section: str, workload: Workload, **fields: Any) -> dict[str, Any]:
    """One workload by all who take part in `section`, whose `work` is sent the `fields`; for steps beside the floor."""
    if bench.smoke:
        workload = replace(workload, steps=24, batch=min(workload.batch, 16))
    truths = _run(bench, "steps", REFERENCE, workload, True)
    timings: dict[str, dict[str, list[float]]] = {}
    apart: dict[str, dict[str, dict[str, float]]] = {}
    skipped: dict[str, str] = {}
    for number, contender in bench.in_turn(section):
        if section == "steps" and len(timings.get(FLOOR.name, {}).get(FLOOR.best, ())) == number:  # once a round
            _add(timings, FLOOR.name, _run(bench, section, FLOOR, workload, False))
        found = _run(bench, section, contender, workload, number == 0, **fields)
        if "error" in found:
            skipped[contender.name] = found["error"]
            continue
        _add(timings, contender.name, found)
        for variant, one in found.items():
            if "losses" in one:
                apart.setdefault(contender.name, {})[variant] = compare(bench.folder, workload, contender, one, truths)
    return {"describe": workload.describe(), "us": timings, "apart": apart, "skipped": skipped}


def _run(
    bench: Bench, section: str, contender: Contender, workload: Workload, check: bool, **fields: Any
) -> dict[str, Any]:
    variants = contender.variants if section == "steps" else contender.loops
    fields |= {"workload": vars(workload), "variants": variants, "share": contender.share, "check": check}
    found = {k: v for k, v in bench.run(contender, section, **fields).items() if k != "seconds"}
    if contender in (FLOOR, REFERENCE) and "error" in found:
        raise RuntimeError(f"{contender.name}, without which nothing can be judged: {found['error']}")
    return found


def _add(timings: dict[str, dict[str, list[float]]], name: str, found: dict[str, Any]) -> None:
    for variant, one in found.items():
        timings.setdefault(name, {}).setdefault(variant, []).append(one["us"])


def keep_weights(request: dict[str, Any], number: int, training: Any) -> str:
    """The file in which a variant's weights are, for `compare`."""
    file = Path(request["folder"]) / f"{request['module']}-{request['workload']['name']}-{number}.npz"
    np.savez(file, *training.weights())
    return str(file)


def work(request: dict[str, Any]) -> dict[str, Any]:
    """Every variant: a sixth of the steps to warm up, the others timed; in a run of its own the first losses."""
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    workload = Workload(**request["workload"])
    samples = shared_samples(Path(request["folder"]), "train", workload.steps * workload.batch)
    batches = order(workload, len(samples.labels))[: max(workload.steps // request["share"], COMPARED + 4)]
    warm = len(batches) // 6
    found = {}
    for number, variant in enumerate(request["variants"]):
        try:
            training = framework.start(workload, samples, variant)
        except NotImplementedError as error:
            return found or {"error": str(error)}
        seconds = training.stretches([batches[:warm], batches[warm:]])[1]
        found[variant] = one = {"us": 1e6 * seconds / (len(batches) - warm)}
        if request["check"]:
            one["weights"] = keep_weights(request, number, training)
            one["losses"] = framework.start(workload, samples, variant).losses(batches[:COMPARED])
    return found
