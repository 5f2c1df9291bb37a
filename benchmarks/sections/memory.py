"""The most memory that a process held: after importing the framework, and while it trained."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ..runner import Bench, shared_samples
from ..workloads import WORKLOADS, Workload, order

STEPS = 40
WORKLOAD = "W3"


def collect(bench: Bench) -> dict[str, Any]:
    """Megabytes of resident memory, in one process each."""
    workload = replace(WORKLOADS[WORKLOAD], steps=4 if bench.smoke else STEPS)
    megabytes, skipped = {}, {}
    for number, contender in bench.in_turn("memory"):
        if number == 0:
            found = bench.run(contender, "memory", workload=vars(workload), variant=contender.best)
            if "error" in found:
                skipped[contender.name] = found["error"]
            else:
                megabytes[contender.name] = {kind: found[kind] for kind in ("imported", "trained")}
    return {"describe": workload.describe(), "megabytes": megabytes, "skipped": skipped}


def work(request: dict[str, Any]) -> dict[str, Any]:
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    imported = _peak()
    workload = Workload(**request["workload"])
    samples = shared_samples(Path(request["folder"]), "train", workload.steps * workload.batch)
    training = framework.start(workload, samples, request["variant"])
    training.stretches([order(workload, len(samples.labels))])
    return {"imported": imported, "trained": _peak()}


def _peak() -> float:
    """The most megabytes that this process has held (Linux; ru_maxrss would count its parent's, too)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
