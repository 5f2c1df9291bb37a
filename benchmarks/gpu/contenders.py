"""Who is measured on a GPU: made for a workload; `run(first, last)` starts those steps, `wait` sees them done, `loss`
is the last one's."""

import numpy as np

from benchmarks.workloads import BATCH_NORM_EPS, BETA, BETA1, BETA2, EPS, Samples, Workload, initial, order


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
        from minidl.compiler.cuda_graph import GraphStep

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
        self.torch._dynamo.reset()  # else the shapes of the workload before count, and these become dynamic ones
        self.forward = self.torch.compile(self.forward, dynamic=False)
        self.optimizer.step = self.torch.compile(self.optimizer.step, dynamic=False)


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
                self.record()
        torch.cuda.current_stream().wait_stream(stream)
        self.model.load_state_dict(before)
        for state in self.optimizer.state.values():
            for value in state.values():
                if value is not None:
                    value.zero_()
        self.graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self.record()

    def record(self) -> None:
        Torch.step(self, self.rows)

    def step(self, rows) -> None:
        self.rows.copy_(rows)
        self.graph.replay()


class TorchCompileGraph(TorchGraph, TorchCompile):
    """The compiled step recorded as one CUDA graph."""


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

        self.step, self.uncompiled = jax.jit(step, donate_argnums=0), step

    def run(self, first: int, last: int) -> None:
        for i in range(first, last):
            rows = self.order[i % len(self.order)]
            self.state, self.result = self.step(self.state, self.images, self.labels, rows)

    def wait(self) -> None:
        self.jax.block_until_ready((self.state, self.result))

    def loss(self) -> float:
        return float(self.result)


class JaxScan(Jax):
    """`TOGETHER` steps in one call, a loop that XLA compiles."""

    TOGETHER = 32

    def __init__(self, *args) -> None:
        super().__init__(*args)
        jax, together = self.jax, self.TOGETHER
        self.rows = jax.numpy.stack(self.order)

        def many(state, images, labels, rows, first):
            chosen = jax.lax.dynamic_slice_in_dim(rows, first, together)
            state, losses = jax.lax.scan(lambda s, r: self.uncompiled(s, images, labels, r), state, chosen)
            return state, losses[-1]

        self.many = jax.jit(many, donate_argnums=0)

    def run(self, first: int, last: int) -> None:
        while first < last:
            place = first % len(self.order)
            if min(last - first, len(self.order) - place) >= self.TOGETHER:
                self.state, self.result = self.many(self.state, self.images, self.labels, self.rows, place)
                first += self.TOGETHER
            else:
                super().run(first, first + 1)
                first += 1


CONTENDERS = {
    "minidl": Minidl,
    "minidl, CUDA graph": MinidlGraph,
    "PyTorch": Torch,
    "PyTorch, torch.compile": TorchCompile,
    "PyTorch, CUDA graph": TorchGraph,
    "PyTorch, torch.compile, CUDA graph": TorchCompileGraph,
    "JAX, jit": Jax,
    "JAX, scan": JaxScan,
}
GPU_ONLY = {"minidl, CUDA graph", "PyTorch, CUDA graph", "PyTorch, torch.compile, CUDA graph"}
