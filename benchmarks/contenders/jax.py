"""JAX: the data set on the device, the step compiled, its buffers donated; called for each, or one scan an epoch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..workloads import BATCH_NORM_EPS, BETA, BETA1, BETA2, EPS, Samples, Workload, initial
from . import Training


def start(workload: Workload, samples: Samples, variant: str) -> Training:
    """Variants "step": one call a step; "scan": one call an epoch."""
    images, labels = jax.device_put(samples.images), jax.device_put(samples.labels.astype(np.int32))
    state = starting_state(workload)
    rate = np.float32(workload.lr)

    def one(state: Any, images: Any, labels: Any, rows: Any, lr: Any) -> tuple[Any, Any]:
        x = images[rows].astype(jnp.float32) * (1 / 255)
        differentiate = jax.value_and_grad(residual_loss if workload.residual else loss_of, has_aux=True)
        (loss, moments), gradients = differentiate(state["parameters"], x, labels[rows])
        return update(workload.rule, state, gradients, moments, lr), loss

    def scan(state: Any, images: Any, labels: Any, order: Any, lr: Any) -> tuple[Any, Any]:
        return jax.lax.scan(lambda state, rows: one(state, images, labels, rows, lr), state, order)

    programs: dict[tuple[int, ...], Any] = {}
    step, whole = jax.jit(one, donate_argnums=0), jax.jit(scan, donate_argnums=0)

    def keep(now: Any) -> None:
        nonlocal state
        state = jax.block_until_ready(now)

    def epoch(batches: np.ndarray) -> Callable[[], Any]:
        rows = jax.device_put(batches.astype(np.int32))
        if variant == "scan":
            if rows.shape not in programs:
                programs[rows.shape] = whole.lower(state, images, labels, rows, rate).compile()
            compiled = programs[rows.shape]

            def train() -> Any:
                now, losses = compiled(state, images, labels, rows, rate)
                keep(now)
                return losses

            return train
        each = list(batches.astype(np.int32))
        step(jax.tree.map(jnp.copy, state), images, labels, each[0], rate)  # compiles

        def train_each(losses: list[Any] | None = None) -> list[Any]:
            now, losses = state, [] if losses is None else losses
            for rows in each:
                now, loss = step(now, images, labels, rows, rate)
                losses.append(loss)
            keep(now)
            return losses

        return train_each

    def set_lr(lr: float) -> None:
        nonlocal rate
        rate = np.float32(lr)

    @jax.jit
    def classes(parameters: Any, pictures: Any) -> Any:
        return logits_of(parameters, pictures.astype(jnp.float32) * (1 / 255))[0].argmax(1)

    def predict(pictures: np.ndarray) -> np.ndarray:
        return np.asarray(classes(state["parameters"], pictures))

    def weights() -> list[np.ndarray]:
        return [np.array(layer["weight"]) for layer in state["parameters"]]

    return Training(epoch, weights, set_lr, predict)


def starting_state(workload: Workload) -> dict[str, Any]:
    """Parameters, what the rule keeps of them, BatchNorm's running statistics, the number of steps."""
    layers, statistics = [], []
    matrices = initial(workload)
    for weight in matrices:
        width = weight.shape[1]
        layer = {"weight": jnp.array(weight), "bias": jnp.zeros(width)}
        if workload.batch_norm and weight is not matrices[-1]:
            layer |= {"gamma": jnp.ones(width), "beta": jnp.zeros(width)}
            statistics.append((jnp.zeros(width), jnp.ones(width)))
        layers.append(layer)
    kept = {"sgd": 0, "momentum": 1, "adam": 2}[workload.rule]
    zeros = tuple(jax.tree.map(jnp.zeros_like, layers) for _ in range(kept))
    return {"parameters": layers, "kept": zeros, "statistics": statistics, "t": jnp.zeros((), jnp.int32)}


def logits_of(layers: Any, x: Any) -> tuple[Any, list[Any]]:
    """The network's output in training mode, and the mean and variance of the batch at each BatchNorm."""
    moments = []
    for layer in layers[:-1]:
        x = x @ layer["weight"] + layer["bias"]
        if "gamma" in layer:
            mean, variance = x.mean(0), x.var(0)
            x = layer["gamma"] * (x - mean) * jax.lax.rsqrt(variance + BATCH_NORM_EPS) + layer["beta"]
            moments.append((mean, variance))
        x = jax.nn.relu(x)
    return x @ layers[-1]["weight"] + layers[-1]["bias"], moments


def loss_of(layers: Any, x: Any, y: Any) -> tuple[Any, list[Any]]:
    logits, moments = logits_of(layers, x)
    right = (logits * jax.nn.one_hot(y, logits.shape[1])).sum(1)  # faster on a CPU than taking elements
    return (jax.nn.logsumexp(logits, axis=1) - right).mean(), moments


def residual_loss(layers: Any, x: Any, y: Any) -> tuple[Any, list[Any]]:
    first, second, last = layers
    h = jnp.tanh(x @ first["weight"] + first["bias"])
    h = h + jnp.tanh(h @ second["weight"] + second["bias"])
    error = h @ last["weight"] + last["bias"] - y[:, None].astype(jnp.float32) / 10
    return (error * error).mean(), []


def update(rule: str, state: Any, gradients: Any, moments: list[Any], lr: Any) -> Any:
    t = state["t"] + 1
    old, kept = state["parameters"], state["kept"]
    if rule == "adam":
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, kept[0], gradients)
        v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, kept[1], gradients)
        c1, c2 = 1 - BETA1**t, 1 - BETA2**t
        new = jax.tree.map(lambda p, m, v: p - lr * (m / c1) / (jnp.sqrt(v / c2) + EPS), old, m, v)
        kept = (m, v)
    elif rule == "momentum":
        v = jax.tree.map(lambda v, g: BETA * v + g, kept[0], gradients)
        new = jax.tree.map(lambda p, v: p - lr * v, old, v)
        kept = (v,)
    else:
        new = jax.tree.map(lambda p, g: p - lr * g, old, gradients)
    running = [
        tuple(0.9 * before + 0.1 * now for before, now in zip(pair, both, strict=True))
        for pair, both in zip(state["statistics"], moments, strict=True)
    ]
    return {"parameters": new, "kept": kept, "statistics": running, "t": t}


def adds(count: int) -> Callable[[], None]:
    """Not compiled: what an operation costs when it is tried out."""

    def chain(a: Any, b: Any) -> Any:
        for _ in range(count):
            a = a + b
        return a

    gradient = jax.grad(chain, argnums=(0, 1))
    a, b = jnp.float32(1), jnp.float32(2)
    return lambda: jax.block_until_ready(gradient(a, b))
