"""python -m benchmarks.ranks_speed [--ranks N] [--rounds N] [--steps N]

What several ranks (docs/parallel.md) gain: steps of the same training by one process on one thread, by one on two, and
by the ranks, in turns, each a process of its own; and what the all-reduce takes of a step. For an idle machine.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np

from minidl import nn, optim, parallel, seed
from minidl.data import mnist
from minidl.nn._mlp import mlp
from minidl.train import Callback, fit

# Hidden layers, batch norm, samples in a batch.
NETWORKS = {
    "W1": ((128,), "none", 32),
    "W2": ((256, 128), "none", 128),
    "W3": ((512, 512), "before", 256),
    "W3, local statistics": ((512, 512), "before", 256),
}
WARM = 100  # steps before the clock starts: recording, machine code


class Clock(Callback):
    """Notes when the steps begin that count, and when they end."""

    def __init__(self, steps: int) -> None:
        self.steps, self.start, self.taken = steps, 0.0, 0.0

    def interval(self, run) -> int:
        return max(WARM - run.step, 1) if run.step < WARM else max(WARM + self.steps - run.step, 1)

    def on_pause(self, run) -> None:
        if run.step == WARM:
            self.start = time.perf_counter()
        if run.step == WARM + self.steps:
            self.taken = (time.perf_counter() - self.start) / self.steps
            run.stop("measured")


def measured(network: str, steps: int, threads: int) -> dict:
    """Seconds of a step, and of an all-reduce of as many numbers."""
    hidden, norm, batch = NETWORKS[network]
    seed(0)
    train, _ = mnist()
    model = mlp(train.inputs.shape[1], hidden, 10, batch_norm=norm)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm):
            layer.sync = "local" not in network
    ranks, clock = parallel.world(), Clock(steps)
    optimizer = optim.Adam(model.parameters())
    epochs = -(-(WARM + steps) * batch // len(train))
    history = fit(
        model, train, optimizer=optimizer, epochs=epochs, batch_size=batch, progress=False, guards=False,
        callbacks=[clock], threads=threads, parallel=ranks,
    )  # fmt: skip
    message = 0.0
    if ranks.size > 1:
        vector = np.zeros(optimizer.vectors.size, np.float32)
        times = []
        for _ in range(200):
            start = time.perf_counter()
            ranks.sum_(vector)
            times.append(time.perf_counter() - start)
        message = statistics.median(times)
    return {"step": clock.taken, "message": message, "engine": history[-1]["engine"]}


@click.command()
@click.option("--ranks", default=2, show_default=True, type=click.IntRange(min=2))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--steps", default=200, show_default=True, type=click.IntRange(min=1))
@click.option("--child", nargs=2, type=(str, int), default=None, hidden=True)
def main(ranks: int, rounds: int, steps: int, child: tuple[str, int] | None) -> None:
    if child is not None:
        result = measured(child[0], steps, child[1])
        if parallel.world().rank == 0:
            print(json.dumps(result), flush=True)
        return
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    ways = {
        "1 thread": ([], 1),
        "2 threads": ([], 2),
        f"{ranks} ranks": ([mpiexec, "-n", str(ranks), "-bind-to", "core"], 1),
    }
    print(f"load {os.getloadavg()[0]:.1f}; milliseconds of a step in {rounds} rounds, taken in turns")
    for network in NETWORKS:
        found: dict[str, list[dict]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, (launcher, threads) in ways.items():
                command = [*launcher, sys.executable, "-m", "benchmarks.ranks_speed", "--steps", str(steps)]
                done = subprocess.run(
                    [*command, "--child", network, str(threads)], capture_output=True, text=True, check=True
                )
                found[way].append(json.loads(done.stdout))
        for way, results in found.items():
            shown = " ".join(f"{1e3 * result['step']:7.3f}" for result in results)
            message = statistics.median(result["message"] for result in results)
            share = f", all-reduce {1e3 * message:.3f}" if message else ""
            print(f"{network:22} {way:10} {shown}  {results[-1]['engine']}{share}")


if __name__ == "__main__":
    main()
