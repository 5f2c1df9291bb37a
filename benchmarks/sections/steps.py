"""Whole training steps, and whether everyone computes the same."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..contenders import FLOOR, REFERENCE
from ..runner import Bench, shared_samples
from ..workloads import WORKLOADS, Workload, initial, order

COMPARED, BATCH_NORM_COMPARED = 20, 5  # so many first losses; with BatchNorm correct float32 runs soon drift apart
LOSSES, BATCH_NORM_LOSSES = 1e-4, 1e-3  # the largest relative difference that passes
WEIGHTS, ADAM_WEIGHTS = 0.01, 0.3  # ... of the weights, as a share of the way they went; Adam enlarges rounding


def collect(bench: Bench, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """For each workload: the microseconds a step, and how far losses and weights are from float64's."""
    return {name: _workload(bench, WORKLOADS[name]) for name in names or WORKLOADS}


def _workload(bench: Bench, workload: Workload) -> dict[str, Any]:
    if bench.smoke:
        workload = replace(workload, steps=24, batch=min(workload.batch, 16))
    truths = _run(bench, REFERENCE, workload, True)
    timings: dict[str, dict[str, list[float]]] = {}
    apart: dict[str, dict[str, dict[str, float]]] = {}
    skipped: dict[str, str] = {}
    for number, contender in bench.in_turn("steps"):
        if len(timings.get(FLOOR.name, {}).get(FLOOR.best, ())) == number:  # once a round
            _add(timings, FLOOR.name, _run(bench, FLOOR, workload, False))
        found = _run(bench, contender, workload, number == 0)
        if "error" in found:
            skipped[contender.name] = found["error"]
            continue
        _add(timings, contender.name, found)
        for variant, one in found.items():
            if "losses" in one:
                truth = truths["eps hat" if contender.eps_hat else "eps"]
                apart.setdefault(contender.name, {})[variant] = compare(workload, one, truth, contender.share == 1)
    return {"describe": workload.describe(), "us": timings, "apart": apart, "skipped": skipped}


def _run(bench: Bench, contender: Any, workload: Workload, check: bool) -> dict[str, Any]:
    fields = {"workload": vars(workload), "variants": contender.variants, "share": contender.share, "check": check}
    found = {k: v for k, v in bench.run(contender, "steps", **fields).items() if k != "seconds"}
    if contender in (FLOOR, REFERENCE) and "error" in found:
        raise RuntimeError(f"{contender.name}, without which nothing can be judged: {found['error']}")
    return found


def _add(timings: dict[str, dict[str, list[float]]], name: str, found: dict[str, Any]) -> None:
    for variant, one in found.items():
        timings.setdefault(name, {}).setdefault(variant, []).append(one["us"])


def compare(workload: Workload, one: dict[str, Any], truth: dict[str, Any], whole: bool) -> dict[str, float]:
    """The largest relative difference of the first losses; the weights' distance, as a share of the way they went."""
    count = BATCH_NORM_COMPARED if workload.batch_norm else COMPARED
    expected, got = np.array(truth["losses"][:count]), np.array(one["losses"][:count])
    result = {"losses": float(np.max(np.abs(got - expected) / expected))}
    if whole:
        flat = lambda arrays: np.concatenate([a.ravel() for a in arrays])
        start, end = flat(initial(workload)), flat(np.load(truth["weights"]).values())
        distance = np.linalg.norm(flat(np.load(one["weights"]).values()) - end)
        result["weights"] = float(distance / np.linalg.norm(end - start))
    return result


def differs(name: str, apart: dict[str, float]) -> bool:
    """Whether these differences on workload `name` are too large for the same training in float32."""
    losses = BATCH_NORM_LOSSES if WORKLOADS[name].batch_norm else LOSSES
    weights = ADAM_WEIGHTS if WORKLOADS[name].rule == "adam" else WEIGHTS
    return not (apart["losses"] <= losses and apart.get("weights", 0.0) <= weights)


def work(request: dict[str, Any]) -> dict[str, Any]:
    """Every variant: a sixth of the steps to warm up, the others timed; in a run of its own the first losses."""
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    workload, folder = Workload(**request["workload"]), Path(request["folder"])
    samples = shared_samples(folder, "train", workload.steps * workload.batch)
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
            one["weights"] = str(folder / f"{request['module']}-{workload.name}-{number}.npz")
            np.savez(one["weights"], *training.weights())
            one["losses"] = framework.start(workload, samples, variant).losses(batches[:COMPARED])
    return found
