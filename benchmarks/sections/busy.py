"""What a loop takes beside others' work: the median step of W1 with a busy loop for each core, and without."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ..runner import Bench, shared_samples
from ..workloads import WORKLOADS, order

STEPS, WARM = 600, 1000
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # not longer than who started it


class Stamps(list[Any]):
    """A list that reads the clock whenever something is appended."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, value: Any) -> None:
        super().append(value)
        self.times.append(time.perf_counter())


def collect(bench: Bench) -> dict[str, Any]:
    """The microseconds of a median step, "quiet" and "busy", of each variant that makes one step a call."""
    us: dict[str, dict[str, dict[str, list[float]]]] = {}
    skipped = {}
    steps, warm = (24, 24) if bench.smoke else (STEPS, WARM)
    for _, contender in bench.in_turn("busy"):
        found = bench.run(contender, "busy", variants=contender.loops, steps=steps, warm=warm)
        if "error" in found:
            skipped[contender.name] = found["error"]
            continue
        for variant in contender.loops:
            for kind, value in found[variant].items():
                us.setdefault(contender.name, {}).setdefault(variant, {}).setdefault(kind, []).append(value)
    return {"us": us, "skipped": skipped}


def work(request: dict[str, Any]) -> dict[str, Any]:
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    steps, warm = request["steps"], request["warm"]
    workload = replace(WORKLOADS["W1"], steps=warm + 2 * steps)
    samples = shared_samples(Path(request["folder"]), "train")
    first, quiet, busy = np.split(order(workload, len(samples.labels)), [warm, warm + steps])
    found = {}
    for variant in request["variants"]:
        training = framework.start(workload, samples, variant)
        training.stretches([first])
        found[variant] = {"quiet": _median_step(training, quiet)}
        with _busy_loops():
            found[variant]["busy"] = _median_step(training, busy)
    return found


def _median_step(training: Any, batches: np.ndarray) -> float:
    """The microseconds of the median step of a loop over these batches."""
    stamps = Stamps()
    training.epoch(batches)(stamps)
    return 1e6 * median(np.diff(stamps.times).tolist())


@contextmanager
def _busy_loops() -> Iterator[list[subprocess.Popen[bytes]]]:
    """A process that does nothing but to spin for each core that is ours."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(cores)]
    try:
        time.sleep(0.1)  # until they spin
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
