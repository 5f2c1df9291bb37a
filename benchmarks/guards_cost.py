"""python -m benchmarks.guards_cost [--rounds N] [--samples N]

What the guards and the look-out for infinities and NaN add to an epoch of `fit`: epochs with and without, in turns,
from the same start; the processor time that each takes, and the median of the ratios.
"""

import statistics
import time

import click

from minidl import optim, seed
from minidl.data import Dataset, mnist
from minidl.nn._mlp import mlp
from minidl.train import fit

NETWORKS = {
    "784-512-256-10, as `minidl train` has it": (512, 256),
    "784-256-128-10, as W2": (256, 128),
}
RULES = {"Adam": (optim.Adam, 1e-3), "SGD": (optim.SGD, 0.05)}


def epoch(data: Dataset, hidden: tuple[int, ...], rule: str, watched: bool, compile: bool | None) -> float:
    """Seconds of the processor for the first epoch of a training."""
    seed(0)
    model = mlp(data.inputs.shape[1], hidden, len(data.classes))
    kind, lr = RULES[rule]
    optimizer = kind(model.parameters(), lr=lr)
    action = "stop" if watched else "continue"
    start = time.process_time()
    fit(
        model, data, optimizer=optimizer, epochs=1, batch_size=128, progress=False, threads=1,
        guards=watched, on_nonfinite=action, compile=compile,
    )  # fmt: skip
    return time.process_time() - start


@click.command()
@click.option("--rounds", default=10, show_default=True, type=click.IntRange(min=1))
@click.option("--samples", default=60_000, show_default=True, type=click.IntRange(1000, 60_000))
@click.option("--eager", is_flag=True, help="Without the compiled step.")
def main(rounds: int, samples: int, eager: bool) -> None:
    """Measure what watching over an epoch costs."""
    data = mnist()[0][:samples]
    for name, hidden in NETWORKS.items():
        for rule in RULES:
            ratios = []
            for number in range(rounds):
                order = (True, False) if number % 2 else (False, True)
                seconds = {watched: epoch(data, hidden, rule, watched, False if eager else None) for watched in order}
                ratios.append(seconds[True] / seconds[False])
            low, high = statistics.quantiles(ratios, n=4)[::2] if rounds > 1 else ratios * 2
            added = statistics.median(ratios) - 1
            click.echo(f"{name}, {rule}: {added:+.2%} (middle half {low - 1:+.2%} to {high - 1:+.2%}, {rounds} pairs)")


if __name__ == "__main__":
    main()
