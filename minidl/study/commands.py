"""The work of ``minidl sweep`` and ``minidl study``."""

import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..optim.by_name import find_rule
from ..system.terminal import printable, tell
from ..train.monitoring import Mode
from . import results
from .clusters import driver
from .plots import sensitivity
from .progress import best_line, line
from .space import Space, config_at, parse, ranges
from .study import Study
from .table import BAD, Table
from .workload import FIXED, check, train_mlp


def sweep(
    folder: Path, optimizers: Sequence[str], lr: str, settings: Sequence[str], trials: int, seeds: int,
    fixed: dict[str, Any], study_seed: int, sampler: str, executor: str, **how: Any,
) -> bool:  # fmt: skip
    """Execute ``minidl sweep``; whether no trial failed. `fixed`: settings of all, `how`: for `Study.run`."""
    cells = {find_rule(name).__name__: _space(name, lr, settings, fixed) for name in optimizers}
    for cell in cells.values():
        check(config_at(cell, [0.5] * len(ranges(cell))))
    with driver(executor) as found:
        if found is None:  # this process has worked for another, which has ended
            return True
        plan: dict[str, Any] = {
            "space": cells,
            "trials": trials,
            "seeds": seeds,
            "study_seed": study_seed,
            "sampler": sampler,
        }
        study = Study(folder, train=train_mlp, **plan)
        with going_on(folder):
            counts = study.run(executor=found, **how)
    show_table(folder, None, None, 10)
    return not counts.failed + counts.lost + counts.timeout


def _space(name: str, lr: str, settings: Sequence[str], fixed: dict[str, Any]) -> Space:
    """The space of one rule: its learning rate first, so that all rules are given the same ones."""
    space = {"lr": parse(lr)}
    for text in settings:
        key, equals, values = text.partition("=")
        if not equals or key in FIXED:
            raise OptionError(f"--set {text!r}: write NAME=RANGE for a hyperparameter, such as beta1=0.5..0.99")
        space[key] = parse(values)
    return space | {"optimizer": name} | fixed


@contextmanager
def going_on(folder: Path) -> Iterator[None]:
    """Where the block is cut short, by Ctrl-C or SIGTERM, say how to go on; exit as Unix does."""

    def end(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        tell(f"\ninterrupted; what has ended is in {printable(folder)}; to go on: {_command()}", error=True)
        raise SystemExit(130 if isinstance(stop, KeyboardInterrupt) else stop.code) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _command() -> str:
    """This process's command line, as it was typed."""
    return shlex.join(["minidl", *sys.argv[1:]])


def show_status(folder: Path, watch: bool) -> None:
    """Execute ``minidl study status``: a line; `watch`: again each second, until all trials have ended."""
    while True:
        with Table(folder) as table:
            counts = table.counts()
            tell(line(counts, best_line(table)))
            bad = [] if watch else list(table.rows(f"error IS NOT NULL AND state IN {BAD}"))[-3:]
        for row in bad:
            tell(f"  trial {row['id']} {row['state']}: {row['error']}")
        if not watch or counts.ended == sum(counts):
            return
        time.sleep(1)


def show_table(folder: Path, metric: str | None, mode: Mode | None, most: int) -> None:
    """Execute ``minidl study table``: the best points, a line each."""
    study = Study(folder)
    with Table(folder) as table:
        metric, searched = metric or table.first_metric(), table.searched()
    rows = [row for row in study.rows() if row["state"] not in ("planned", "running")]
    if metric is None:
        tell(f"{printable(folder)}: no trial has measured anything yet")
        return
    tell(results.text(rows, searched, metric, results.sense(metric, mode), most))


def export(folder: Path, csv: Path | None, parquet: Path | None) -> None:
    """Write all trials as CSV, as Parquet, or both."""
    study = Study(folder)
    for path, write in ((csv, study.to_csv), (parquet, study.to_parquet)):
        if path is not None:
            write(path)
            tell(f"Written: {printable(path)}")


def plot(folder: Path, metric: str | None, output: Path | None) -> None:
    """Execute ``minidl study plot``: the metric over the first setting that is searched."""
    path = output or folder / "figures" / "sensitivity.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    sensitivity(Study(folder), metric).savefig(path)
    tell(f"Written: {printable(path)}")


def retry(folder: Path) -> None:
    """Execute ``minidl study retry --failed``."""
    count = Study(folder).retry()
    tell(f"{count} trials are planned again: the command that began the study carries them out")
