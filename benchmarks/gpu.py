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

from benchmarks.workloads import BATCH_NORM_EPS, BETA, BETA1, BETA2, EPS, WORKLOADS, Samples, Workload, initial, order

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


# --- contenders: made for a workload; `run(first, last)` starts those steps, `wait` sees them done, `loss`: the last's


class Minidl:
    """The eager step, as ``fit`` makes it."""

    def __init__(self, workload: Workload, samples: Samples, device: str) -> None:
        import minidl
        from minidl import nn, optim

        self.backend = "cupy" if device == "cuda" else "numpy"
        self.order, self.size = order(workload, len(samples.labels)).ravel()[: len(samples.labels)], workload.batch
        rules = {"sgd": optim.SGD, "momentum": optim.Momentum, "adam": optim.Adam}
        with minidl.use_backend(self.backend):
            layers = []
            for weight in initial(workload):
                layers.append(nn.Dense(*weight.shape))
                layers[-1].weight.data[...] = minidl.backend.to_backend(weight, self.backend)
                layers += [nn.BatchNorm(weight.shape[1], eps=BATCH_NORM_EPS)] if workload.batch_norm else []
                layers.append(nn.ReLU())
            layers = layers[: -2 if workload.batch_norm else -1]
            self.model = nn.Sequential(*layers).train()
        self.optimizer = rules[workload.rule](self.model.parameters(), lr=workload.lr)
        self.function = nn.softmax_cross_entropy
        data = minidl.data.Dataset(samples.images, samples.labels)
        self.loader = minidl.data.Loader(data, workload.batch, backend=self.backend)

    def run(self, first: int, last: int) -> None:
        epoch = len(self.order) // self.size  # of these samples, over and over again
        while first < last:
            start = first % epoch
            stop = min(epoch, start + last - first)
            self.stretch(start, stop)
            first += stop - start

    def stretch(self, first: int, last: int) -> None:
        for x, y in self.loader.batches(self.order, first, last):
            self.optimizer.zero_grad()
            self.result = self.function(self.model(x), y)
            self.result.backward()
            self.optimizer.step()

    def wait(self) -> None:
        if self.backend == "cupy":
            import cupy

            cupy.cuda.Device().synchronize()

    def loss(self) -> float:
        return float(self.result.item())


class MinidlGraph(Minidl):
    """The same step as a CUDA graph."""

    def __init__(self, workload: Workload, samples: Samples, device: str) -> None:
        from minidl.compile.cupy_graph import GraphStep

        super().__init__(workload, samples, device)
        self.steps = GraphStep(self.model, self.function, self.optimizer, self.loader)

    def stretch(self, first: int, last: int) -> None:
        self.steps.run(self.order, first, last)
        if self.steps.reason is not None:
            raise RuntimeError(f"not recorded: {self.steps.reason}")

    def loss(self) -> float:
        return float(self.steps.loss)


class Torch:
    """PyTorch, one call after the other, with its fused optimizers."""

    def __init__(self, workload: Workload, samples: Samples, device: str) -> None:
        import torch
        from torch import nn

        self.torch, self.device = torch, device
        torch.backends.cuda.matmul.allow_tf32 = False
        self.images, self.labels, self.order = (
            torch.from_numpy(a).to(device)
            for a in (samples.images, samples.labels, order(workload, len(samples.labels)))
        )
        layers: list = []
        for weight in initial(workload):
            layers.append(nn.Linear(*weight.shape))
            with torch.no_grad():
                layers[-1].weight.copy_(torch.from_numpy(weight.T.copy()))
                layers[-1].bias.zero_()
            layers += [nn.BatchNorm1d(weight.shape[1], eps=BATCH_NORM_EPS)] if workload.batch_norm else []
            layers.append(nn.ReLU())
        self.model = nn.Sequential(*layers[: -2 if workload.batch_norm else -1]).to(device)
        parameters, fused = self.model.parameters(), {"fused": True, "lr": workload.lr}
        if workload.rule == "adam":
            capturable = {"capturable": True} if device == "cuda" else {}
            self.optimizer = torch.optim.Adam(parameters, betas=(BETA1, BETA2), eps=EPS, **fused, **capturable)
        else:
            momentum = BETA if workload.rule == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(parameters, momentum=momentum, **fused)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x, y):
        return self.criterion(self.model(x.float() * (1 / 255)), y)

    def step(self, rows) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.result = self.forward(self.images[rows], self.labels[rows])
        self.result.backward()
        self.optimizer.step()

    def run(self, first: int, last: int) -> None:
        for i in range(first, last):
            self.step(self.order[i % len(self.order)])

    def wait(self) -> None:
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def loss(self) -> float:
        return self.result.item()


class TorchCompile(Torch):
    """Forward, backward and optimizer by ``torch.compile``, in its default mode."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.forward = self.torch.compile(self.forward)
        self.optimizer.step = self.torch.compile(self.optimizer.step)


class TorchGraph(Torch):
    """The eager step recorded as one CUDA graph, the samples' numbers in a buffer."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        torch = self.torch
        self.rows = self.order[0].clone()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        before = {name: value.clone() for name, value in self.model.state_dict().items()}
        with torch.cuda.stream(stream):
            for _ in range(3):
                super().step(self.rows)
        torch.cuda.current_stream().wait_stream(stream)
        self.model.load_state_dict(before)
        for state in self.optimizer.state.values():
            for value in state.values():
                if value is not None:
                    value.zero_()
        self.graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            super().step(self.rows)

    def step(self, rows) -> None:
        self.rows.copy_(rows)
        self.graph.replay()


class Jax:
    """The whole step under one ``jit``, which may write over its arguments."""

    def __init__(self, workload: Workload, samples: Samples, device: str) -> None:
        import jax
        from jax import numpy as jnp

        jax.config.update("jax_default_matmul_precision", "highest")  # on a GPU the default is TF32
        self.jax = jax
        self.images, self.labels = jax.device_put(samples.images), jax.device_put(samples.labels.astype(np.int32))
        self.order = [jax.device_put(rows.astype(np.int32)) for rows in order(workload, len(samples.labels))]
        weights = initial(workload)
        layers = [{"w": jnp.asarray(w), "b": jnp.zeros(w.shape[1])} for w in weights]
        if workload.batch_norm:
            for layer, w in zip(layers[:-1], weights[:-1], strict=True):
                layer |= {"gamma": jnp.ones(w.shape[1]), "beta": jnp.zeros(w.shape[1])}
        zeros = jax.tree.map(jnp.zeros_like, layers)
        self.state = (layers, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.int32))

        def loss(layers, x, y):
            for layer in layers[:-1]:
                x = x @ layer["w"] + layer["b"]
                if "gamma" in layer:
                    x = (x - x.mean(0)) / jnp.sqrt(x.var(0) + BATCH_NORM_EPS) * layer["gamma"] + layer["beta"]
                x = jax.nn.relu(x)
            logits = x @ layers[-1]["w"] + layers[-1]["b"]
            return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()

        def step(state, images, labels, rows):
            layers, v, s, t = state
            x, y = images[rows].astype(jnp.float32) * (1 / 255), labels[rows]
            value, g = jax.value_and_grad(loss)(layers, x, y)
            t, each = t + 1, jax.tree.map
            if workload.rule == "adam":
                v = each(lambda v, g: BETA1 * v + (1 - BETA1) * g, v, g)
                s = each(lambda s, g: BETA2 * s + (1 - BETA2) * g * g, s, g)
                c, d = 1 - BETA1**t, 1 - BETA2**t
                layers = each(lambda w, v, s: w - workload.lr * (v / c) / (jnp.sqrt(s / d) + EPS), layers, v, s)
            else:
                v = each(lambda v, g: BETA * v + g, v, g) if workload.rule == "momentum" else g
                layers = each(lambda w, v: w - workload.lr * v, layers, v)
            return (layers, v, s, t), value

        self.step = jax.jit(step, donate_argnums=0)

    def run(self, first: int, last: int) -> None:
        for i in range(first, last):
            rows = self.order[i % len(self.order)]
            self.state, self.result = self.step(self.state, self.images, self.labels, rows)

    def wait(self) -> None:
        self.jax.block_until_ready((self.state, self.result))

    def loss(self) -> float:
        return float(self.result)


CONTENDERS = {
    "minidl": Minidl,
    "minidl, CUDA graph": MinidlGraph,
    "PyTorch": Torch,
    "PyTorch, torch.compile": TorchCompile,
    "PyTorch, CUDA graph": TorchGraph,
    "JAX, jit": Jax,
}
GPU_ONLY = {"minidl, CUDA graph", "PyTorch, CUDA graph"}


# --- measurements


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
