"""Checks at a few steps during training."""

import math
from typing import Any

from ... import ops
from ...autograd import Node, ancestors, recording
from ...backend import Array, array_module, to_numpy
from ...data import Loader
from ...graph import arguments, maker
from ...guards import warn
from ...nn import Module
from ...nn._module import in_mode
from ..callbacks import Run

DIVERGED = 10  # times the loss at the start (or 1, if that was less)
SAMPLES, FEWEST = 128, 64  # for the activations
DEAD = 0.5  # of a layer's units
FAST, SLOW = 0.2, 1e-6  # of a weight's size, in one update; about 1e-3 is healthy
LARGE = 100  # elements: smaller weights may move as they like


def diverging(run: Run, loss: float, limit: float) -> None:
    """MDL012: the loss, a mean over the last few steps, has grown far beyond that at the start."""
    warn(
        "MDL012",
        f"training diverges: by step {run.step} (epoch {run.epoch}) the loss is {loss:.4g}, more than {DIVERGED} times "
        f"that at the start ({limit / DIVERGED:.4g}): lower lr (now {run.lr:g}), or start with a warm-up",
    )


def weights(model: Module) -> dict[str, Array]:
    """Copies of all parameters that are large and trained, by name."""
    return {
        name: p.data.copy()
        for name, p in model.named_parameters()
        if p.requires_grad and p.size >= LARGE and p.ndim > 1
    }


def pace(run: Run, before: dict[str, Array], first: bool) -> None:
    """MDL007: how far the last update has moved each weight, ‖Δw‖ / ‖w‖; slowness only counts at the `first` look."""
    now = dict(run.model.named_parameters())
    ratios = {}
    for name, old in before.items():
        size = _norm(old)
        ratios[name] = _norm(now[name].data - old) / size if size else math.nan  # no size to compare with
    fast = {name: ratio for name, ratio in ratios.items() if ratio > FAST}
    if fast:
        name = max(fast, key=lambda n: fast[n])
        change = f"update {run.step} has changed {name} by {fast[name]:.0%} of its size"
        warn("MDL007", f"{change}; about 0.1 % is healthy: lower lr (now {run.lr:g}), or scale the inputs")
    elif first and ratios and all(ratio < SLOW for ratio in ratios.values()):
        change = f"update {run.step} has changed no weight by more than {max(ratios.values()):.1g} of its size"
        warn("MDL007", f"{change}; about 1e-3 is healthy: raise lr (now {run.lr:g}), unless nothing is left to learn")


def _norm(a: Array) -> float:
    return math.sqrt(float(array_module(a).vdot(a, a)))


def activity(run: Run, loader: Loader) -> None:
    """MDL006: ReLU units that are zero for every sample get no gradient, and stay dead."""
    x, _ = loader.sample(SAMPLES)
    if len(x) < FEWEST:
        return
    with in_mode(run.model, training=False), recording(True):
        layers = relu_results(run.model(x))
    for number, y in enumerate(layers, 1):
        dead = float((to_numpy(y) <= 0).all(axis=0).mean())
        if y.ndim == 2 and dead > DEAD:
            warn(
                "MDL006",
                f"at step {run.step}, {dead:.0%} of the {y.shape[1]} units of ReLU {number} (of {len(layers)}) are 0 "
                f"for each of {len(x)} samples: dead units learn nothing: lower lr (now {run.lr:g}), or use LeakyReLU",
            )
            return


def relu_results(output: Any) -> list[Array]:
    """The result of each relu that `output` was made by, in the order in which they were computed."""
    history = reversed(ancestors(output)) if isinstance(output, Node) else ()
    return [node.data for node in history if _is_relu(node)]


def _is_relu(node: Node) -> bool:
    """Whether `node` is the result of a relu, or of a Dense layer and the relu behind it, which run as one."""
    op = maker(node)
    return op is ops.relu or (op is ops.dense and arguments(node)[3:4] == ("relu",))
