"""What is looked at on a GPU, but for tests and speed: ``python -m benchmarks.gpu.checks [--cpu] PART``.

Each part prints what it finds, and leaves it as JSON in the file that the environment variable RESULT names.
"""

import json
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

import minidl
from benchmarks.workloads import RECIPE
from minidl import nn, optim, train
from minidl.data import Dataset, Loader

PACKAGES = "minidl", "numpy", "cupy-cuda13x", "cupy-cuda12x", "torch", "jax", "pytest", "rich", "click", "safetensors"


def versions(backend: str) -> dict[str, Any]:
    """What is there."""
    found: dict[str, Any] = {"python": platform.python_version(), "processor": _processor(), "cores": os.cpu_count()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    if backend == "cupy":
        smi = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.sm", "--format=csv,noheader"]
        found["gpu"] = subprocess.run(smi, capture_output=True, text=True).stdout.strip()
        import cupy

        found["cuda"] = cupy.cuda.runtime.runtimeGetVersion(), cupy.cuda.runtime.driverGetVersion()
    return found


def first(backend: str) -> dict[str, Any]:
    """The switch, an op, a step, a fit."""
    a = minidl.Tensor([[1, 2], [3, 4]])
    print((a @ a).tolist(), minidl.exp(a).sum().item(), nn.softmax_cross_entropy(a, [0, 1]).item(), flush=True)
    model = nn.Sequential(nn.Dense(784, 32), nn.ReLU(), nn.Dense(32, 10))
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    data = _pictures(2000)
    x, y = next(iter(Loader(data, 100)))
    loss = nn.softmax_cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print("a step:", loss.item(), flush=True)
    found = {}
    for compile in (False, None) if backend == "numpy" else (False, True):
        history = train.fit(
            model, data, optimizer=optimizer, epochs=2, batch_size=100, progress=False, compile=compile
        )  # fmt: skip
        found[f"compile={compile}"] = {"engine": history["engine"], "loss": history["loss"], "reason": history.reason}
        print(found, flush=True)
    return found


def curves(backend: str) -> dict[str, Any]:
    """The same seed on NumPy, eager and recorded: the losses of an epoch, and how far apart they are."""
    found: dict[str, Any] = {}
    for name, rule, rate, norm in (
        ("momentum", optim.Momentum, 0.05, False),
        ("adam", optim.Adam, 1e-3, False),
        ("adam, BatchNorm", optim.Adam, 1e-3, True),
    ):
        losses = {}
        for way in (("numpy", False), (backend, False), (backend, True)):
            minidl.seed(1)
            with minidl.use_backend(way[0]):
                norms = [nn.BatchNorm(64)] if norm else []
                model = nn.Sequential(nn.Dense(784, 64), *norms, nn.ReLU(), nn.Dense(64, 10))
                history = train.fit(
                    model, _mnist()[0], optimizer=rule(model.parameters(), lr=rate), epochs=2, batch_size=64,
                    progress=False, compile=way[1], guards=False,
                )  # fmt: skip
            losses[f"{way[0]}, {'recorded' if way[1] else 'eager'}"] = history["loss"]
        expected = losses["numpy, eager"]
        apart = {
            way: max(abs(a / b - 1) for a, b in zip(curve, expected, strict=True)) for way, curve in losses.items()
        }
        found[name] = {"losses": losses, "relative_difference": apart}
        print(name, found[name], flush=True)
    return found


def profile(backend: str) -> dict[str, Any]:
    """The kernels of recorded steps: how often each runs in a step, and how long it takes."""
    if backend == "numpy":
        return {"left_out": "needs a GPU"}
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from benchmarks.workloads import WORKLOADS

    from .contenders import MinidlGraph
    from .steps import LARGE, pictures

    found: dict[str, Any] = {}
    samples = pictures()
    for workload in (*(WORKLOADS[name] for name in ("W1", "W2", "W3")), LARGE[0]):
        graph = MinidlGraph(workload, samples, "cuda")
        count = 48
        graph.run(0, 40)
        graph.wait()
        with profiler(activities=[ProfilerActivity.CUDA]) as seen:
            graph.run(40, 40 + count)
            graph.wait()
        events = [e for e in seen.events() if e.device_type.name == "CUDA"]
        kernels: dict[str, list[float]] = {}
        for event in events:
            kernels.setdefault(event.name, []).append(event.time_range.elapsed_us())
        rows = {
            name[:90]: {"in_a_step": len(times) / count, "microseconds": sum(times) / len(times)}
            for name, times in sorted(kernels.items(), key=lambda item: -sum(item[1]))
        }
        spans = [e.time_range for e in events]
        whole = (max(s.end for s in spans) - min(s.start for s in spans)) / count if spans else None
        found[workload.name] = {"microseconds_a_step": whole, "kernels": rows}
        print(f"{workload.name}: {whole} us a step")
        for name, row in rows.items():
            print(f"    {row['in_a_step']:6.2f} x {row['microseconds']:8.2f} us  {name}")
    return found


def memory(backend: str) -> dict[str, Any]:
    """The most memory that a step takes: eager and recorded."""
    if backend == "numpy":
        return {"left_out": "needs a GPU"}
    import cupy

    from benchmarks.workloads import WORKLOADS

    from .contenders import Minidl, MinidlGraph
    from .steps import LARGE, pictures

    found: dict[str, Any] = {}
    samples = pictures()
    for workload in (WORKLOADS["W3"], *LARGE[:2]):
        for kind in (Minidl, MinidlGraph):
            cupy.get_default_memory_pool().free_all_blocks()
            before = cupy.cuda.runtime.memGetInfo()[0]
            contender = kind(workload, samples, "cuda")
            contender.run(0, 20)
            contender.wait()
            used = (before - cupy.cuda.runtime.memGetInfo()[0]) / 2**20
            parameters = sum(p.size for p in contender.model.parameters()) * 4 / 2**20
            found[f"{workload.name} {kind.__name__}"] = {"MiB": used, "parameters_MiB": parameters}
            print(workload.name, kind.__name__, f"{used:.0f} MiB; parameters: {parameters:.1f} MiB", flush=True)
            del contender
    return found


def mnist(backend: str, seeds: tuple[int, ...] = (1, 1, 2, 3)) -> dict[str, Any]:
    """Seconds of a fit until MNIST's test accuracy is 98 %; the first fit of a process compiles kernels."""
    data, test = _mnist()
    runs: list[dict[str, Any]] = []
    for seed in seeds if backend == "cupy" else (1,):
        minidl.seed(seed)
        start = time.perf_counter()
        model = nn.Sequential(nn.Dense(784, 256), nn.ReLU(), nn.Dense(256, 128), nn.ReLU(), nn.Dense(128, 10))
        rate = optim.schedules.step(RECIPE.workload.lr, RECIPE.every * RECIPE.workload.steps, RECIPE.factor)
        history = train.fit(
            model, data, optimizer=optim.Adam(model.parameters(), lr=rate), epochs=6, batch_size=100, progress=False,
            validation=test, callbacks=[train.Target("validation_accuracy", 0.98)],
        )  # fmt: skip
        runs.append(
            {
                "seconds": time.perf_counter() - start,
                "accuracy": history["validation_accuracy"],
                "seconds_by_epoch": history["seconds"],
                "engine": history["engine"],
                "reason": history.reason,
            }
        )
        print(runs[-1], flush=True)
    return {"runs": runs}


def cold(backend: str) -> dict[str, Any]:
    """Seconds of the first fit ever, on a machine that has none of the kernels compiled yet."""
    if backend == "numpy":
        return {"left_out": "needs a GPU"}
    with TemporaryDirectory() as folder:
        os.environ["CUPY_CACHE_DIR"] = folder
        minidl.use_backend("cupy")
        found = mnist(backend, seeds=(1,))
        found["kernels"] = len(list(Path(folder).iterdir()))
    print(found)
    return found


def _mnist() -> tuple[Dataset, Dataset]:
    try:
        return minidl.data.mnist()
    except minidl.errors.MinidlError as error:
        print(f"random pictures, as MNIST is not there: {error}")
        return _pictures(6000), _pictures(1000)


def _pictures(count: int) -> Dataset:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, count)
    means = rng.integers(0, 200, (10, 784))
    return Dataset((means[labels] + rng.integers(0, 56, (count, 784))).astype(np.uint8), labels)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


PARTS = {f.__name__: f for f in (versions, first, curves, profile, memory, mnist, cold)}


@click.command()
@click.argument("part", type=click.Choice([*PARTS]))
@click.option("--cpu", is_flag=True)
def main(part: str, cpu: bool) -> None:
    backend = "numpy" if cpu else "cupy"
    if part not in ("versions", "cold"):  # which imports CuPy itself
        minidl.use_backend(backend)  # type: ignore[arg-type]
    found = PARTS[part](backend)
    print(json.dumps(found)[:2000])
    if "RESULT" in os.environ:
        Path(os.environ["RESULT"]).write_text(json.dumps(found))


if __name__ == "__main__":
    sys.exit(main())
