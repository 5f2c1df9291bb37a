"""What one operation costs beside its arithmetic: additions of single numbers, forward and backward."""

import time
from importlib import import_module
from typing import Any

from ..runner import Bench

CHAIN = 100
SECONDS = 4.0  # the speed of a shared machine may stay at its half for longer than one; the shortest time counts


def collect(bench: Bench) -> dict[str, Any]:
    """The microseconds of a single addition, and per addition in a chain; as floats and as tiny Tensors cost alike."""
    us: dict[str, dict[str, list[float]]] = {}
    skipped = {}
    for _, contender in bench.in_turn("ops"):
        found = bench.run(contender, "ops", seconds=SECONDS / 20 if bench.smoke else SECONDS)
        if "error" in found:
            skipped[contender.name] = found["error"]
            continue
        for kind in ("single", "chain"):
            us.setdefault(contender.name, {}).setdefault(kind, []).append(found[kind])
    return {"us": us, "skipped": skipped}


def work(request: dict[str, Any]) -> dict[str, Any]:
    framework = import_module(f"benchmarks.contenders.{request['module']}")
    seconds = request["seconds"]
    return {
        "single": 1e6 * _fastest(framework.adds(1), seconds),
        "chain": 1e6 * _fastest(framework.adds(CHAIN), seconds) / CHAIN,
    }


def _fastest(function: Any, seconds: float) -> float:
    """The shortest mean of some hundred stretches of calls."""
    function()
    start = time.perf_counter()
    function()
    calls = max(1, int(seconds / 100 / (time.perf_counter() - start)))
    means = []
    end = time.perf_counter() + seconds
    while not means or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        means.append((time.perf_counter() - start) / calls)
    return min(means)
