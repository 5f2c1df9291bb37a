"""Who carries out a study's trials: processes of this machine, or any ``concurrent.futures.Executor``."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, suppress
from typing import Any

from ..checks import checked_integer
from ..errors import OptionError, StateError, WriteError
from ..hardware.threads import CORES
from ..system.extras import missing_extra
from . import notes
from .table import Table
from .worker import ENVIRONMENT, end_with


class Crew:
    """An executor and how many work for it.

    `make` gives a new executor where the old one is broken; None: this `executor` is somebody else's, who ends it.
    """

    def __init__(self, workers: int, make: Callable[[], Executor] | None, executor: Executor | None = None) -> None:
        self.workers, self._make = workers, make
        self._executor = executor

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Have one of them call it."""
        if self._executor is None:
            assert self._make is not None
            self._executor = self._make()
        try:
            return self._executor.submit(function, *arguments)
        except BrokenExecutor as error:  # a worker has died since: the same as if it had died at this
            dead: Future[Any] = Future()
            dead.set_exception(error)
            return dead

    def renew(self) -> None:
        """After a worker's death: have others. Raises `StateError` where only the executor's owner can."""
        if self._make is None:
            raise StateError(
                "the executor is broken, since a worker of it has died: with a new one, run the study again"
            )
        self.end()

    def end(self) -> None:
        """Send all home at once, whatever they are at, unless they are somebody else's."""
        if self._make is not None and self._executor is not None:
            executor: Any = self._executor
            self._executor = None
            executor.shutdown(wait=True, kill_workers=True)


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
    workers = CORES if workers is None else checked_integer(workers, "Study.run: workers", 1)
    if executor == "loky":
        return _loky(workers)
    if callable(getattr(executor, "submit", None)):
        return Crew(workers, None, executor)  # type: ignore[arg-type]
    raise OptionError(f"Study.run: executor={executor!r}: give 'loky', or a concurrent.futures.Executor")


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

    return Crew(workers, make)
