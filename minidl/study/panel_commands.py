"""The work of ``minidl study four-panels`` and ``minidl study open-test``."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import MissingExtraError, StateError, WriteError
from ..hardware.threads import use_blas_threads
from ..system.terminal import printable, tell
from ..teach._ledger.sentences import Language
from .carry import carry
from .clusters import driver
from .commands import going_on
from .executors import Crew, crew, working
from .findings import findings
from .four_panels import FourPanels
from .panel_text import tests_text, text
from .panel_training import data_of, parts, sha256_of, train_panel
from .panels import TIERS
from .pickling import pickled
from .progress import duration
from .report import write_report
from .table import Table, opened

LOCK = "test.lock"


def four_panels(
    folder: Path, tier: str, workloads: Sequence[str], workers: int | None, executor: str, timeout: float | None,
    quiet: bool, language: Language = "en",
) -> None:  # fmt: skip
    """Execute ``minidl study four-panels``: estimate, all stages, what was found."""
    for workload in workloads:
        parts(data_of(workload))  # raises if it is not there, before anything is made
    with _driving(folder, executor, workers) as found:
        if found is None:  # this process has worked for another, which has ended
            return
        table, workforce = found
        panels = FourPanels(table, TIERS[tier], workloads)
        if (folder / LOCK).exists() and table.meta("plan") != panels.described():
            raise StateError(f"{printable(folder)}: its test set has been opened: nothing more is tuned here")
        table.add(panels.described(), [])  # refuses another study before time is spent on an estimate
        table.set_meta(data={name: sha256_of(name) for name in map(data_of, workloads)})
        if not quiet:
            _estimate(panels, workforce.workers)
        function = pickled(train_panel)
        panels.carry_out(lambda: carry(table, function, workforce, folder, timeout, not quiet, panels.trainings()))
        tell(text(panels, findings(panels)))
        try:
            tell(f"report: {printable(write_report(panels, folder, language))}")
        except MissingExtraError as error:
            tell(f"(no report: {error})")
    tell(f"results in {printable(folder)}/study.sqlite; the test set, once: minidl study open-test {printable(folder)}")


@contextmanager
def _driving(folder: Path, executor: str, workers: int | None) -> Iterator[tuple[Table, Crew] | None]:
    """The table in `folder`, and who works; None in a process that is to work for another, once that has ended."""
    with driver(executor) as found:
        if found is None:
            yield None
            return
        with going_on(folder), opened(folder) as table, working(crew(found, workers), table) as workforce:
            yield table, workforce


def _estimate(panels: FourPanels, workers: int) -> None:
    """Say how long it will take, by one training, made here."""
    ended = panels.table.counts().ended
    left = max(panels.trainings() - ended, 0)
    if not left:
        return
    config = panels.sample()
    with use_blas_threads(1):
        train_panel(config, 0)  # machine code and data are loaded
        start = time.perf_counter()
        train_panel(config, 0)
        seconds = time.perf_counter() - start
    names = " and ".join(panels.workloads)
    tell(
        f"four panels, tier {panels.tier.name}, {names}: {left:,} trainings of {seconds:.2f} s on {workers} workers: "
        f"about {duration(left * seconds / workers)}; up to twice that if a search turns out too small"
    )


def load(folder: Path) -> tuple[Table, FourPanels]:
    """The table of a study of four panels, to be closed, and what is in it. Raises `DataError`, `StateError`."""
    with ExitStack() as opened:
        table = opened.enter_context(Table(folder))
        plan = table.meta("plan") or {}
        if plan.get("study") != "four panels":
            raise StateError(f"{printable(folder)}: holds no study of four panels")
        panels = FourPanels(table, TIERS[plan["tier"]], plan["workloads"])
        opened.pop_all()  # it stays open
    return table, panels


def report(folder: Path, language: Language) -> None:
    """Execute ``minidl study report``: write the page again, in this language."""
    table, panels = load(folder)
    with table:
        if table.counts().ended < panels.trainings():
            raise StateError(f"{printable(folder)}: some trials have not ended: go on with the study first")
        tell(f"report: {printable(write_report(panels, folder, language))}")


def open_test(folder: Path, workers: int | None, executor: str, quiet: bool) -> None:
    """Execute ``minidl study open-test``: the winners on the test set, once; a lock file tells that and when."""
    with load(folder)[0]:
        pass  # raises where there is none to open
    with _driving(folder, executor, workers) as found:
        if found is None:
            return
        table, workforce = found
        plan = table.meta("plan")
        panels = FourPanels(table, TIERS[plan["tier"]], plan["workloads"])
        counts = table.counts()
        if not (folder / LOCK).exists():
            if counts.planned or counts.ended < panels.trainings():
                raise StateError(f"{printable(folder)}: some trials have not ended: go on with the study first")
            _write_lock(folder / LOCK)
        table.add_rows(panels.tests())
        carry(table, pickled(train_panel), workforce, folder, None, not quiet)
        tell(tests_text(panels))


def _write_lock(path: Path) -> None:
    """Write that the test set is open. Raises `WriteError` if it was before, or the disk refuses."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444), "w") as file:
            file.write(f"The test set was opened at {now}: nothing is tuned after that.\n")
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror})") from error
