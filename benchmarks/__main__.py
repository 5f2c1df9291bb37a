"""python -m benchmarks [W1 W2 W3 W4] [--rounds N] [--output FILE]

Runs minidl and PyTorch in turn, each in a process of its own, round by round, and prints the median microseconds a
step with the ratio to minidl of the same round. PyTorch lives in an environment of its own: ``bash
benchmarks/peers.sh`` makes it, in .peers/.
"""

import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

import minidl
from minidl.data import mnist

from .workloads import WORKLOADS

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".peers" / "bin" / "python"
CONTENDERS = ["minidl", "torch", "torch-foreach", "torch-fused"]
THREADS = [1, 2]
AGREE = 1e-3  # largest relative difference of the first losses: BatchNorm in float32 leaves a few 1e-4


def run(contender: str, workload: str, data: Path, threads: int) -> dict:
    """One process of one contender; its printed result."""
    python = sys.executable if contender == "minidl" else str(PEERS)
    command = [python, str(Path(__file__).with_name("worker.py")), contender, workload, str(data), str(threads)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise click.ClickException(f"{contender} on {workload} failed:\n{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(WORKLOADS)))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--output", type=click.Path(path_type=Path), help="Write all measurements there, as JSON.")
def main(names: tuple[str, ...], rounds: int, output: Path | None) -> None:
    """Time whole training steps, side by side."""
    contenders = [c for c in CONTENDERS if c == "minidl" or PEERS.exists()]
    if len(contenders) == 1:
        click.echo("PyTorch is not there to compare with: bash benchmarks/peers.sh")
    train, _ = mnist()
    versions = {"minidl": minidl.__version__, "numpy": np.__version__, "python": platform.python_version()}
    report = {"versions": versions, "machine": platform.machine(), "rounds": rounds, "results": {}}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "mnist.npz"
        np.savez(data, images=train.inputs, labels=train.labels)
        for name in names or WORKLOADS:
            timings: dict[str, list[float]] = {}
            losses: dict[str, list[float]] = {}
            for _ in range(rounds):
                for contender in contenders:
                    for threads in THREADS:
                        result = run(contender, name, data, threads)
                        label = f"{contender}, {threads} thread{'s' * (threads > 1)}"
                        timings.setdefault(label, []).append(result["us"])
                        losses[contender] = result["losses"]
            show(name, timings, losses)
            report["results"][name] = {"timings": timings, "losses": losses}
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n")


def show(name: str, timings: dict[str, list[float]], losses: dict[str, list[float]]) -> None:
    """The table of one workload: medians, spread, and the ratio to minidl's best, paired by round."""
    click.echo(f"\n{name}: {WORKLOADS[name].describe()}")
    best = min((k for k in timings if k.startswith("minidl")), key=lambda k: statistics.median(timings[k]))
    for contender, us in sorted(timings.items(), key=lambda item: statistics.median(item[1])):
        ratios = [a / b for a, b in zip(us, timings[best], strict=True)]
        ratio = f"{statistics.median(ratios):5.2f}x  ({min(ratios):.2f} to {max(ratios):.2f})"
        click.echo(f"  {contender:<26} {statistics.median(us):9,.0f} us a step   {ratio}")
    for contender, values in losses.items():
        apart = np.max(np.abs(np.subtract(values, losses["minidl"])) / np.abs(losses["minidl"]))
        if apart > AGREE:
            click.echo(f"  NOT THE SAME TRAINING: {contender}'s first losses are up to {apart:.1e} off minidl's")


if __name__ == "__main__":
    main()
