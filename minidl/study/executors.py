"""Who carries out a study's trials: processes of this machine, a cluster, or any ``concurrent.futures.Executor``."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..checks import checked_integer
from ..errors import OptionError, StateError, WriteError
from ..hardware.threads import CORES
from ..system.extras import missing_extra
from . import clusters, notes
from .table import Table
from .worker import ENVIRONMENT, end_with

NAMES = "'loky', 'mpi', 'dask:tcp://HOST:PORT', 'slurm:partition=NAME,array=N', or a concurrent.futures.Executor"


@dataclass
class Crew:
    """`workers` who carry out what is submitted. `make` gives their executor, `stop` ends it at once.

    Without `stop` it is somebody else's, who ends it. A task is to take `task` seconds at least.
    """

    workers: int
    make: Callable[[], Executor]
    stop: Callable[[Executor], None] | None = None
    task: float = 0.5
    _executor: Executor | None = None

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Have one of them call it."""
        if self._executor is None:
            self._executor = self.make()
        try:
            return self._executor.submit(function, *arguments)
        except BrokenExecutor as error:  # a worker has died since: the same as if it had died at this
            dead: Future[Any] = Future()
            dead.set_exception(error)
            return dead

    def renew(self, error: BaseException) -> None:
        """After the death of a worker, told by `error`: have others, if the executor does not see to that itself.

        Raises `StateError` where only the executor's owner can.
        """
        if isinstance(error, BrokenExecutor):
            if self.stop is None:
                raise StateError("a worker has died, which has broken the executor: run the study again with a new one")
            self.end()

    def end(self) -> None:
        """Send all home at once, whatever they are at, unless they are somebody else's."""
        if self.stop is not None and self._executor is not None:
            executor, self._executor = self._executor, None
            self.stop(executor)


@contextmanager
def working(crew: Crew, table: Table) -> Iterator[Crew]:
    """The crew, sent home at the end of the block, with what they were at planned again."""
    try:
        yield crew
    finally:
        crew.end()
        with suppress(WriteError):
            table.put_back()
        notes.take(table.path.parent)  # whoever was at something is not to blame


def crew(executor: str | Executor, workers: int | None) -> Crew:
    """The crew by the name or object that `Study.run` was given. Raises `OptionError`, `MissingExtraError`."""
    if workers is not None:
        workers = checked_integer(workers, "Study.run: workers", 1)
    if callable(getattr(executor, "submit", None)):
        given: Any = executor
        known: int = getattr(given, "num_workers", 0)  # as an executor of mpi4py's tells
        return Crew(workers or known or CORES, lambda: given)
    kind, _, place = str(executor).partition(":")
    if kind == "loky" and not place:
        return _loky(workers or CORES)
    if kind == "mpi" and not place:
        return Crew(*clusters.mpi())
    if kind == "dask" and place:
        return Crew(*clusters.dask(place))
    if kind == "slurm":
        return Crew(*clusters.slurm(place), task=clusters.SLURM_TASK)
    raise OptionError(f"executor={executor!r}: give {NAMES}")


def _loky(workers: int) -> Crew:
    """Processes of this machine that end with this one, each with one thread for its arithmetic."""
    try:
        import loky
    except ImportError as error:
        raise missing_extra("sweeps and studies need loky", "loky", "study", error) from error

    def make() -> Executor:
        return loky.ProcessPoolExecutor(
            workers, timeout=None, initializer=end_with, initargs=(os.getpid(),), env=ENVIRONMENT
        )

    return Crew(workers, make, lambda executor: executor.shutdown(wait=True, kill_workers=True))  # type: ignore[call-arg]
