"""From the start of Python to its exit: importing, and the first training step."""

from importlib import import_module
from pathlib import Path
from typing import Any

from ..runner import Bench, shared_samples
from ..workloads import WORKLOADS, order

BASELINES = {"Python alone": "pass", "NumPy": "import numpy"}


def collect(bench: Bench) -> dict[str, Any]:
    """The seconds of a process that imports, and of one that makes one step of W1, its caches warm."""
    seconds: dict[str, dict[str, list[float]]] = {}
    skipped = {}

    def add(name: str, kind: str, found: dict[str, Any]) -> None:
        if "error" in found:
            skipped[name] = found["error"]
        else:
            seconds.setdefault(name, {}).setdefault(kind, []).append(found["seconds"])

    present = [contender for contender in bench.contenders if "startup" in contender.sections]
    for contender in present:  # once untimed: fills the caches, of the disk and of compilers
        bench.run(contender, "startup", variant=contender.best)
    for _ in range(bench.rounds):
        for name, program in BASELINES.items():
            add(name, "import", bench.time([bench.python("minidl"), "-c", program], None))
        for contender in present:
            python = bench.python(contender.environment)
            add(contender.name, "import", bench.time([python, "-c", f"import {contender.module}"], contender))
            add(contender.name, "first step", bench.run(contender, "startup", variant=contender.best))
    return {"seconds": seconds, "skipped": skipped}


def work(request: dict[str, Any]) -> dict[str, Any]:
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    workload = WORKLOADS["W1"]
    samples = shared_samples(Path(request["folder"]), "train", 1000)
    framework.start(workload, samples, request["variant"]).stretches([order(workload, 1000)[:1]])
    return {}
