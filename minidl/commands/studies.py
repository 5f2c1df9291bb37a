"""How ``minidl sweep`` and ``minidl study`` are read; the work is in study/commands.py."""

import sys
from pathlib import Path
from typing import Any

import click

from .options import RULE, BatchSize, Limit, Sizes, Whole

FOLDER = click.argument("folder", type=click.Path(path_type=Path))
WORKERS = click.option("--workers", type=Whole(1), default=None, help="Processes.  [default: one for each core]")
EXECUTOR = click.option(
    "--executor", metavar="NAME", default="loky",
    help="loky: this machine; mpi, dask:tcp://HOST:PORT or slurm:partition=NAME,array=N: a cluster (docs/cluster.md).",
)  # fmt: skip
TIMEOUT = click.option("--timeout", type=Limit(), default=None, help="Seconds after which a trial is given up.")
LANGUAGE = click.option(
    "--language", type=click.Choice(["en", "es", "it"]), default="en", help="Of the report's own words."
)
METRIC = click.option("--metric", default=None, help="What trials are judged by.  [default: the first they measure]")


@click.command()
@FOLDER
@click.option("--optimizer", "optimizers", type=RULE, multiple=True, default=["adam"], help="May be repeated.")
@click.option("--lr", metavar="RANGE", default="1e-5..1e-1:log", help="LOW..HIGH:log, LOW..HIGH, A,B,C, or one value.")
@click.option("--set", "settings", metavar="NAME=RANGE", multiple=True,
              help="A hyperparameter of the rules, such as beta1=0.5..0.99; may be repeated.")  # fmt: skip
@click.option("--trials", type=Whole(1), default=20, help="Points of the space, for each optimizer; more go on later.")
@click.option("--seeds", type=Whole(1), default=1, help="Trainings at each point.")
@click.option("--dataset", default="mnist", help="mnist, fashion-mnist, or a folder with four IDX files.")
@click.option("--samples", type=Whole(1), default=None, help="Train on the first so many only.")
@click.option("--validation", type=Whole(1), default=5000, help="Samples held out of the training set.")
@click.option("--layers", type=Sizes(), default="128", help="Sizes of the hidden layers; none for a linear model.")
@click.option("--batch-size", type=BatchSize(), default="128")
@click.option("--epochs", type=Whole(1), default=3)
@click.option("--schedule", type=click.Choice(["constant", "linear", "cosine"]), default="constant")
@click.option("--sampler", type=click.Choice(["halton", "tpe"]), default="halton",
              help="halton: points known beforehand. tpe: Optuna's, which learns (extra tune).")  # fmt: skip
@click.option("--study-seed", type=Whole(0), default=0, help="Of the points.")
@WORKERS
@EXECUTOR
@TIMEOUT
@click.option("--quiet", is_flag=True, help="Print the result only.")
def sweep(folder: Path, **options: Any) -> None:
    """Train with many learning rates, and other settings, side by side; what came out is in FOLDER.

    The same command goes on with a study that was interrupted, or asks for more trials.
    """
    from ..study import commands

    named = ("dataset", "samples", "validation", "layers", "batch_size", "epochs", "schedule")
    fixed = {name: options.pop(name) for name in named}
    fixed["layers"] = list(fixed["layers"])
    how = {name: options.pop(name) for name in ("workers", "executor", "timeout")} | {
        "progress": not options.pop("quiet")
    }
    if not commands.sweep(folder, fixed=fixed, **options, **how):
        sys.exit(1)


@click.group()
def study() -> None:
    """Look at studies, and carry out those of the lecture notes."""


@study.command("four-panels")
@FOLDER
@click.option("--tier", type=click.Choice(["smoke", "laptop", "full"]), default="smoke",
              help="How large: half a minute, half an hour, or a cluster's work.")  # fmt: skip
@click.option("--workload", "workloads", type=click.Choice(["mnist", "mnist-5000", "fashion-mnist"]), multiple=True,
              help="May be repeated.  [default: mnist, and but for smoke mnist-5000]")  # fmt: skip
@WORKERS
@EXECUTOR
@TIMEOUT
@LANGUAGE
@click.option("--quiet", is_flag=True, help="Print the result only.")
def four_panels(folder: Path, tier: str, workloads: tuple[str, ...], **options: Any) -> None:
    """Carry out note B's four panels: nine rules, tuned alike, on fresh seeds, with intervals (docs/four_panels.md).

    The same command goes on with a study that was interrupted.
    """
    from ..study import panel_commands

    default = ["mnist"] if tier == "smoke" else ["mnist", "mnist-5000"]
    panel_commands.four_panels(folder, tier, list(workloads) or default, **options)


@study.command()
@FOLDER
@LANGUAGE
def report(folder: Path, language: Any) -> None:
    """Write the report of four panels again, in another language (extra plot)."""
    from ..study import panel_commands

    panel_commands.report(folder, language)


@study.command("open-test")
@FOLDER
@WORKERS
@EXECUTOR
@click.option("--quiet", is_flag=True, help="Print the result only.")
def open_test(folder: Path, **options: Any) -> None:
    """Measure the winners of four panels on the test set, once: nothing is tuned after that."""
    from ..study import panel_commands

    panel_commands.open_test(folder, **options)


@study.command()
@FOLDER
@click.option("--watch", is_flag=True, help="Again each second, until all trials have ended.")
def status(folder: Path, watch: bool) -> None:
    """Say how far a study is, also while it runs."""
    from ..study import commands

    commands.show_status(folder, watch)


@study.command()
@FOLDER
@METRIC
@click.option("--mode", type=click.Choice(["min", "max"]), default=None, help="Which is better, of your own metric.")
@click.option("--most", type=Whole(1), default=20, help="So many points, the best first.")
@click.option("--csv", type=click.Path(path_type=Path), default=None, help="Write all trials to this file instead.")
@click.option("--parquet", type=click.Path(path_type=Path), default=None, help="The same as Parquet (needs pyarrow).")
def table(folder: Path, metric: str | None, mode: Any, most: int, csv: Path | None, parquet: Path | None) -> None:
    """Show the best points of a study, or write all of its trials to a file."""
    from ..study import commands

    if csv is None and parquet is None:
        commands.show_table(folder, metric, mode, most)
    else:
        commands.export(folder, csv, parquet)


@study.command()
@FOLDER
@METRIC
@click.option("--output", type=click.Path(path_type=Path), default=None,
              help="File (.png, .svg, .pdf).  [default: figures/sensitivity.png in FOLDER]")  # fmt: skip
def plot(folder: Path, metric: str | None, output: Path | None) -> None:
    """Draw what was measured over the learning rate, or whatever was searched first (extra plot)."""
    from ..study import commands

    commands.plot(folder, metric, output)


@study.command()
@FOLDER
@click.option("--failed", is_flag=True, required=True, help="Those that failed, were lost or took too long.")
def retry(folder: Path, failed: bool) -> None:
    """Plan trials again, for the command that began the study."""
    from ..study import commands

    commands.retry(folder)
