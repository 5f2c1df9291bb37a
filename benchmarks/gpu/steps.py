"""The time of a training step on a GPU, minidl's beside others': ``python -m benchmarks.gpu.steps``.

One process, in rounds that take turns. All train in float32 without TF32, from the same weights, on the same batches,
which are cut out of uint8 pictures in the GPU's memory. A contender that is not installed, or fails, is noted and left
out. For comparison: cuBLAS' own time for the matrix products of a step, and the least that the rule's memory traffic
takes. The figures go to the file that the environment variable RESULT names. `--cpu` tries the script itself.
"""

import json
import os
import statistics
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of the GPU's memory for itself

import click
import numpy as np

from benchmarks.workloads import WORKLOADS, Samples, Workload

from .contenders import CONTENDERS, GPU_ONLY

ROUNDS, SECONDS = 7, 0.12  # of each contender and workload; of one round, about
SLOW_TO_START = {"PyTorch, torch.compile", "PyTorch, torch.compile, CUDA graph"}  # left out for the large workloads
LARGE = [
    Workload("L1", (784, 1024, 1024, 10), 1024, "adam", 1e-3, False, 58),
    Workload("L2", (784, 4096, 4096, 10), 4096, "adam", 1e-3, False, 14),
    Workload("L3", (784, 8192, 8192, 10), 16384, "adam", 1e-3, False, 6),
]
VECTORS = {"sgd": 3, "momentum": 5, "adam": 7}  # of the parameters' size, that the rule reads or writes


def pictures(count: int = 60000) -> Samples:
    """Random pictures, four fifths of them black, as MNIST's are: the time of a step does not depend on them."""
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (count, 784), dtype=np.uint8) * (rng.random((count, 784)) < 0.2)
    return Samples(images.astype(np.uint8), rng.integers(0, 10, count))


def bandwidth() -> float:
    """Bytes a second that a copy within this GPU's memory reads and writes."""
    import cupy

    source, target = cupy.zeros(1 << 28, cupy.float32), cupy.empty(1 << 28, cupy.float32)
    return 2 * source.nbytes / _seconds(lambda: cupy.copyto(target, source))


def products(workload: Workload) -> float:
    """Seconds that cuBLAS takes for the matrix products of a step, as one CUDA graph without anything else."""
    import cupy

    from minidl.kernels.cupy_gemm import Products

    shapes = list(zip(workload.sizes, workload.sizes[1:], strict=False))
    operands = [
        [cupy.random.standard_normal(s, dtype=cupy.float32) for s in ((workload.batch, m), (m, n), (workload.batch, n))]
        for m, n in shapes
    ]
    stream, repeats = cupy.cuda.Stream(non_blocking=True), 20 if workload.batch < 4096 else 1
    with stream:
        by_cublas = Products(stream, stream)
        stream.synchronize()
        stream.begin_capture()
        kept = []
        for _ in range(repeats):
            for i, (x, w, d) in enumerate(operands):
                kept += [by_cublas.matmul(x, w), by_cublas.matmul(x.T, d)]
                kept += [by_cublas.matmul(d, w.T)] if i else []
            kept.clear()
        graph = stream.end_capture()
        seconds = _seconds(graph.launch)
        stream.synchronize()
    return seconds / repeats


def traffic(workload: Workload, bytes_per_second: float) -> float:
    """Seconds that reading and writing the parameters, gradients and state of the rule's update takes."""
    pairs = list(zip(workload.sizes, workload.sizes[1:], strict=False))
    return 4 * VECTORS[workload.rule] * sum(a * b + b for a, b in pairs) / bytes_per_second


def _seconds(work: Any) -> float:
    """The shortest of some runs of `work` on the current stream, which has run before."""
    import cupy

    work()
    times = []
    for _ in range(7):
        start, stop = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        work()
        stop.record()
        stop.synchronize()
        times.append(cupy.cuda.get_elapsed_time(start, stop) / 1e3)
    return min(times)


def compared(
    workload: Workload, samples: Samples, device: str, deadline: float, quick: bool, without: tuple[str, ...]
) -> dict[str, Any]:
    """Each contender's seconds a step, one figure a round, and its loss after the steps that all have made."""
    ready, found = {}, {}
    for name, make in CONTENDERS.items():
        if (name in GPU_ONLY and device == "cpu") or (name in SLOW_TO_START and workload in LARGE) or name in without:
            continue
        if time.perf_counter() > deadline:
            found[name] = {"left_out": "no time left"}
            continue
        start = time.perf_counter()
        try:
            contender = make(workload, samples, device)
            contender.run(0, 3)
            contender.wait()
            found[name] = {
                "seconds_to_first_steps": time.perf_counter() - start,
                "loss": contender.loss(),
                "rounds": [],
            }
            ready[name] = contender
        except Exception as error:
            print(f"{workload.name}: {name} is left out:\n{traceback.format_exc()}", flush=True)
            found[name] = {"left_out": f"{type(error).__name__}: {error}"[:300]}
    few = 2 if quick or workload.batch > 4096 else 40
    done, steps = dict.fromkeys(ready, 3 + 2 * few), {}
    for name, contender in ready.items():
        _timed(contender, 3, few)  # what is compiled or recorded later on, is now
        each = _timed(contender, 3 + few, few)
        steps[name] = max(2, min(20_000, int((0.02 if quick else SECONDS) / each)))
    for _ in range(2 if quick else ROUNDS):
        for name, contender in ready.items():
            if time.perf_counter() < deadline + 15 and "failed" not in found[name]:
                try:
                    found[name]["rounds"].append(_timed(contender, done[name], steps[name]))
                except Exception as error:
                    found[name]["failed"] = f"{type(error).__name__}: {error}"[:300]
                done[name] += steps[name]
    return found


def _timed(contender: Any, first: int, steps: int) -> float:
    """Seconds a step."""
    start = time.perf_counter()
    contender.run(first, first + steps)
    contender.wait()
    return (time.perf_counter() - start) / steps


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("names", nargs=-1)
@click.option("--without", multiple=True, help="A contender to leave out; may be given again.")
@click.option("--minutes", default=3.0, show_default=True, help="After which no further measurement is begun.")
@click.option("--cpu", is_flag=True, help="On the CPU, two short rounds: to try the script, not to measure.")
def main(names: tuple[str, ...], without: tuple[str, ...], minutes: float, cpu: bool) -> None:
    deadline = time.perf_counter() + 60 * minutes
    device = "cpu" if cpu else "cuda"
    samples = pictures(2000 if cpu else 60000)
    found: dict[str, Any] = {"bytes_per_second": None if cpu else bandwidth(), "workloads": {}}
    workloads = ([] if cpu else LARGE) + [WORKLOADS[name] for name in ("W1", "W2", "W3")]
    for workload in [w for w in workloads if not names or w.name in names]:
        if time.perf_counter() > deadline:
            print(f"{workload.name}: no time left", flush=True)
            break
        print(f"{workload.name}: {workload.describe()}", flush=True)
        row: dict[str, Any] = {"what": workload.describe()}
        if not cpu:
            row |= {"products": products(workload), "traffic": traffic(workload, found["bytes_per_second"])}
            print(f"    {'cuBLAS alone':36} {1e6 * row['products']:10.1f} us", flush=True)
            print(f"    {'memory traffic alone':36} {1e6 * row['traffic']:10.1f} us", flush=True)
        row["contenders"] = compared(workload, samples, device, deadline, cpu, without)
        found["workloads"][workload.name] = row
        for name, measured in row["contenders"].items():
            if measured.get("rounds"):
                times = [1e6 * t for t in measured["rounds"]]
                spread = f"{min(times):.1f} to {max(times):.1f}"
                loss = f"loss {measured['loss']:.6f}"
                print(f"    {name:36} {statistics.median(times):10.1f} us ({spread})   {loss}", flush=True)
        if "RESULT" in os.environ:  # what is done is kept
            Path(os.environ["RESULT"]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
