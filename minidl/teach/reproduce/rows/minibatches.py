"""Mini-batches: EA1 and EA2."""

import time
from typing import Any

import numpy as np

from .... import gradients, nn, optim
from ....arrays import PIXEL
from ....backend import seed
from ....display.figures import new_figure
from ...plots import COLOURS
from ..registry import DERIVED, NOTE_A, Picture, Result, Table, claim, row
from ..trials import digits, in_processes

MEASURED = "Times are measured, on this machine and just now: another machine or moment gives others."


def batch_gradients(batch: int, examples: int = 128) -> np.ndarray:
    """The gradient of the mean loss over each batch of `batch` among the first examples of MNIST: a vector a batch."""
    train, _ = digits()
    weights = nn.init.glorot_normal((784, 10), np.random.default_rng(0), np.float64)
    model = nn.Sequential(nn.Dense(784, 10, weight_init=lambda shape: weights, bias=False))
    found = []
    for i in range(0, examples, batch):
        x, y = train.inputs[i : i + batch] / 255, train.labels[i : i + batch]
        (gradient,) = gradients(nn.softmax_cross_entropy(model(x), y), model.parameters())
        found.append(gradient.numpy().ravel())
    return np.array(found)


@row("EA1", "The mini-batch gradient: one in expectation, at a cost in proportion to B", gradients, batch_gradients)
def ea1() -> Result:
    kinds = {1: "SGD", 8: "mini-batches", 32: "mini-batches", 128: "GD"}
    parts = dict(zip(kinds, in_processes(batch_gradients, list(kinds)), strict=True))
    full = parts[128][0]
    off = {batch: np.abs(found.mean(axis=0) - full).max() for batch, found in parts.items()}
    spread = {batch: np.sqrt(((found - full) ** 2).sum(axis=1).mean()) for batch, found in parts.items()}
    rows = [(kind, str(b), f"{off[b]:.0e}", f"{spread[b] / np.linalg.norm(full):.2f}") for b, kind in kinds.items()]
    sizes = [2000, 4000, 8000, 16000]
    (seconds,) = in_processes(seconds_of_steps, [sizes])
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    head = ("", "B", "mean over all batches, minus the full gradient", "spread of a batch's gradient")
    tables = [
        Table(head, rows, "128 examples of MNIST; the spread is relative to the length of the full gradient."),
        Table(
            ("N", "ms for one update on all N"),
            [(f"{n:,}", f"{1e3 * s:.1f}") for n, s in zip(sizes, seconds, strict=True)],
            "Measured.",
        ),
    ]
    worst = max(off.values())
    checks = [
        claim(
            "the batches' gradients average to the full one, for B = 1, 8, 32, N",
            f"largest difference {worst:.0e}",
            worst < 1e-12,
            "0",
            DERIVED,
        ),
        claim(
            "the cost of an update on all N (measured): as a power of N, from 0.6 to 1.4",
            f"N^{slope:.2f}",
            0.6 < slope < 1.4,
            "",
            NOTE_A,
            "la complejidad computacional de dicho algoritmo crezca linealmente con el tamaño del dataset",
        ),
    ]
    return Result(checks, tables, text=MEASURED)


def seconds_of_steps(batch_sizes: list[int], rounds: int = 9) -> np.ndarray:
    """The time for a training step of 784-64-10 on a batch of each size: the shortest of several rounds.

    What disturbs a measurement only ever adds to it; and the sizes take turns, so that all are disturbed alike.
    """
    seed(0)
    model = nn.Sequential(nn.Dense(784, 64), nn.ReLU(), nn.Dense(64, 10))
    optimizer = optim.SGD(model.parameters())
    train, _ = digits()

    def seconds(x: Any, y: Any) -> float:
        start = time.perf_counter()
        optimizer.zero_grad()
        nn.softmax_cross_entropy(model(x), y).backward()
        optimizer.step()
        return time.perf_counter() - start

    batches = [(PIXEL * train.inputs[:size], train.labels[:size]) for size in batch_sizes]
    return np.min([[seconds(*batch) for batch in batches] for _ in range(rounds)], axis=0)


@row("EA2", "One example at a time wastes the processor", seconds_of_steps)
def ea2() -> Result:
    sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    (seconds,) = in_processes(seconds_of_steps, [sizes])
    each = 1e6 * seconds / sizes
    figure, ((axes,),) = new_figure(width=6)
    axes.loglog(sizes, each, "o-", color=COLOURS["SGD"], label="measured")
    axes.loglog(sizes, each[0] / np.array(sizes), ":", color="#B84A00", label="if only the step cost time: 1/B")
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if 0.7 * each.min() < tick < 1.4 * each.max()]
    axes.set(xlabel="batch size B", ylabel="µs per example", xticks=sizes, xticklabels=map(str, sizes))
    axes.set(yticks=ticks, yticklabels=map(str, ticks), ylim=(0.6 * each.min(), 1.6 * each.max()))
    axes.tick_params(axis="y", which="minor", left=False, labelleft=False)
    axes.legend()
    axes.tick_params(axis="x", which="minor", bottom=False)
    rows = [(str(b), f"{e:.1f}", f"{e * b:.0f}") for b, e in zip(sizes, each, strict=True)]
    ratio = each[0] / each[sizes.index(128)]
    checks = [
        claim(
            "one example alone against one of a batch of 128 (measured)",
            f"{ratio:.0f} times the time",
            ratio > 2,
            "more than twice",
            NOTE_A,
            "Procesar un ejemplo a la vez es más costoso que procesar varios ejemplos de forma conjunta",
        )
    ]
    caption = "A training step of 784-64-10 on one processor core: time per example against the batch size."
    table = Table(("B", "µs per example", "µs per step"), rows, "Measured.")
    return Result(checks, [table], [Picture(figure, caption)], text=MEASURED)
