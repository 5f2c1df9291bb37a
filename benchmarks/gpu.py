"""Everything that is to be measured on a GPU, in one go: ``python benchmarks/gpu.py --output FOLDER``.

One process, one GPU, within `--minutes`: copy bandwidth and matrix-product rate; the time of a training step for
every workload and contender, in rounds that take turns; seconds to 98 % on MNIST, if its files are there. Leaves
``gpu.json`` and ``gpu.log``. All train in float32 without TF32, from the same weights, on the same batches, which
are cut out of uint8 pictures in the GPU's memory. A contender that is not installed, or fails, is noted and left out.
`--cpu` and `--quick` try the script itself where there is no GPU; their figures mean nothing.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
import traceback
from pathlib import Path

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of the GPU's memory for itself
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.gpu_contenders import CONTENDERS, GPU_ONLY
from benchmarks.workloads import WORKLOADS, Samples, Workload

ROUNDS, SECONDS = 5, 0.3  # of each contender and workload; of one round, about
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


def roofline() -> dict[str, float]:
    """What this GPU does at its best: bytes a second of a copy, operations a second of a product (float32; TF32)."""
    import cupy

    from minidl.backend import tf32

    def seconds(work) -> float:
        work()
        times = []
        for _ in range(5):
            start, stop = cupy.cuda.Event(), cupy.cuda.Event()
            start.record()
            work()
            stop.record()
            stop.synchronize()
            times.append(cupy.cuda.get_elapsed_time(start, stop) / 1e3)
        return min(times)

    source, target = cupy.zeros(1 << 28, cupy.float32), cupy.empty(1 << 28, cupy.float32)
    rates = {"bytes_per_second": 2 * source.nbytes / seconds(lambda: cupy.copyto(target, source))}
    a, b = (cupy.random.standard_normal((8192, 8192), dtype=cupy.float32) for _ in range(2))
    rates["float32_per_second"] = 2 * 8192**3 / seconds(lambda: a @ b)
    tf32(True)
    rates["tf32_per_second"] = 2 * 8192**3 / seconds(lambda: a @ b)
    tf32(False)
    return rates


def least(workload: Workload, rates: dict[str, float]) -> float:
    """Seconds of a step's matrix products and of its rule's memory traffic, each at the measured rate."""
    pairs = list(zip(workload.sizes, workload.sizes[1:], strict=False))
    weights = sum(a * b for a, b in pairs)
    products = 6 * workload.batch * weights - 2 * workload.batch * pairs[0][0] * pairs[0][1]  # none back to the input
    traffic = 4 * VECTORS[workload.rule] * (weights + sum(workload.sizes[1:]))
    return products / rates["float32_per_second"] + traffic / rates["bytes_per_second"]


def compared(workload: Workload, samples: Samples, device: str, deadline: float, quick: bool, log) -> dict:
    """Each contender's seconds a step, one figure a round, and its loss after the steps that all have made."""
    ready, found = {}, {}
    for name, make in CONTENDERS.items():
        if name in GPU_ONLY and device == "cpu":
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
            log(f"{workload.name}: {name} is left out: {type(error).__name__}: {error}")
            log(traceback.format_exc())
            found[name] = {"left_out": f"{type(error).__name__}: {error}"[:300]}
    done, steps = dict.fromkeys(ready, 3), {}
    for name, contender in ready.items():  # how many steps fill a round
        start = time.perf_counter()
        contender.run(3, 3 + (2 if quick else 20))
        contender.wait()
        done[name] += 2 if quick else 20
        each = (time.perf_counter() - start) / (2 if quick else 20)
        steps[name] = max(2, min(20_000, int((0.02 if quick else SECONDS) / each)))
    for _ in range(2 if quick else ROUNDS):
        for name, contender in ready.items():
            if time.perf_counter() > deadline + 20:
                break
            start = time.perf_counter()
            contender.run(done[name], done[name] + steps[name])
            contender.wait()
            found[name]["rounds"].append((time.perf_counter() - start) / steps[name])
            done[name] += steps[name]
    return found


def seconds_to_98(device: str, log) -> dict:
    """MNIST by ``fit``: seconds until the test accuracy is 98 %, with and without the first call's compiling."""
    import minidl
    from minidl import nn, optim, train

    try:
        data, test = minidl.data.mnist()
    except minidl.errors.MinidlError as error:
        return {"left_out": f"MNIST is not there: {error}"[:300]}
    runs = []
    with minidl.use_backend("cupy" if device == "cuda" else "numpy"):
        for seed in (1, 2):  # the first compiles
            minidl.seed(seed)
            start = time.perf_counter()
            model = nn.Sequential(nn.Dense(784, 256), nn.ReLU(), nn.Dense(256, 128), nn.ReLU(), nn.Dense(128, 10))
            rate = optim.schedules.exponential(2e-3, 600, 0.4)
            history = train.fit(
                model, data, optimizer=optim.Adam(model.parameters(), lr=rate), epochs=6, batch_size=100,
                validation=test, callbacks=[train.Target("validation_accuracy", 0.98)], progress=False,
            )  # fmt: skip
            runs.append({"seconds": time.perf_counter() - start, "accuracy": history["validation_accuracy"][-1]})
            log(f"MNIST: {runs[-1]}")
    return {"runs": runs}


def machine(device: str) -> dict[str, str]:
    """What was measured, on what."""
    found = {"python": platform.python_version(), "numpy": np.__version__, "device": platform.processor() or "CPU"}
    if device == "cuda":
        import cupy

        found["device"] = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
        found["cuda_driver"] = str(cupy.cuda.runtime.driverGetVersion())
    for name in ("minidl", "cupy", "torch", "jax"):
        try:
            found[name] = __import__(name).__version__
        except ImportError:
            found[name] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder for gpu.json and gpu.log")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which no further measurement is begun")
    parser.add_argument("--only", nargs="*", help="names of workloads: W1 W2 W3 W4 L1 L2 L3")
    parser.add_argument("--cpu", action="store_true", help="on the CPU: to try the script, not to measure")
    parser.add_argument("--quick", action="store_true", help="two short rounds: to try the script, not to measure")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    start, device = time.perf_counter(), "cpu" if given.cpu else "cuda"
    deadline = start + 60 * given.minutes
    with (given.output / "gpu.log").open("w") as file:

        def log(line: str) -> None:
            file.write(f"{time.perf_counter() - start:6.1f} s  {line}\n")
            file.flush()
            print(line, flush=True)

        found: dict = {"machine": machine(device), "figures_mean_something": not (given.cpu or given.quick)}
        log(str(found["machine"]))
        found["roofline"] = roofline() if device == "cuda" else None
        log(f"roofline: {found['roofline']}")
        found["seconds_to_98"] = seconds_to_98(device, log) if not given.quick else None
        samples = pictures(2000 if given.quick else 60000)
        found["workloads"] = {}
        for workload in [*WORKLOADS.values(), *LARGE]:
            if given.only and workload.name not in given.only:
                continue
            if time.perf_counter() > deadline:
                log(f"{workload.name}: no time left")
                break
            log(f"{workload.name}: {workload.describe()}")
            least_possible = least(workload, found["roofline"]) if device == "cuda" else None
            rows = compared(workload, samples, device, deadline, given.quick, log)
            found["workloads"][workload.name] = {
                "what": workload.describe(), "roofline_seconds": least_possible, "contenders": rows
            }  # fmt: skip
            if least_possible is not None:
                log(f"    {'roofline':24} {1e6 * least_possible:10.1f} us")
            for name, row in rows.items():
                if row.get("rounds"):
                    log(f"    {name:24} {1e6 * statistics.median(row['rounds']):10.1f} us   loss {row['loss']:.6f}")
            (given.output / "gpu.json").write_text(json.dumps(found, indent=2) + "\n")  # what is done is kept
        log(f"done after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
