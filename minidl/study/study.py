"""A study: planned, carried out, asked for its results."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError
from ..train.monitoring import Mode
from . import results
from .carry import carry
from .executors import crew, working
from .pickling import pickled
from .plan import plan
from .results import Best
from .space import Space
from .table import Counts, Table, opened
from .tpe import next_batch


class Study:
    """Many trainings over a search space, kept in one file of a folder; the same program goes on with what is there.

    ::

        def train(config, seed):                        # in a module, or in a notebook
            model = ...
            return {"validation_loss": ..., "steps": ...}

        study = Study("runs/lr", space={"lr": LogUniform(1e-5, 1e-1)}, trials=60, seeds=3, train=train)
        study.run(workers=2)
        study.best("validation_loss").config

    Args:
        folder: made if it is not there. What it holds is ``study.sqlite``, which any reader of SQLite opens, also while
            trials run.
        space: what each setting may be, by its name: a `LogUniform`, `Uniform`, `Choice`, or a value for all trials. Or
            several such spaces by the names of their *cells*, such as rules; they are given the same points. None: only
            read what is there.
        trials: points of the space, in each cell: Halton's, known beforehand. With more of them than there are, a study
            goes on.
        seeds: of the trainings at each point, or how many: 0, 1, ... They are the same at all points and in all cells,
            so that differences are paired.
        train: a function (config, seed) -> dict of what it measured: numbers, lists of numbers, text. minidl's random
            streams start from the seed. It runs in other processes, once each for a trial; what it keeps in its module
            (data that were read, say) it has again at the next trial. One that raises has failed; a
            `NonFiniteError`, or a number in its result that is not finite, is a divergence.
        study_seed: of the points.
        sampler: "halton", whose points are known beforehand; or "tpe", Optuna's (extra `tune`): after the first ten it
            proposes ten more at a time, in each cell, where the first number that trials measure may be better.

    Raises:
        OptionError: a bad argument.
        StateError: the folder holds a study with another plan.
        DataError: nothing is there, and no `space` was given; or the file is damaged.
        WriteError: the folder cannot be written to, or another process is at this study.
        MissingExtraError: without SciPy, from the extra `study`.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        space: Space | Mapping[str, Space] | None = None,
        trials: int = 20,
        seeds: int | Sequence[int] = 1,
        train: Callable[[dict[str, Any], int], Mapping[str, Any]] | None = None,
        study_seed: int = 0,
        sampler: str = "halton",
    ) -> None:
        self.folder, self.train = Path(folder), train
        if train is not None and not callable(train):
            raise OptionError(f"Study: train={train!r}: give a function (config, seed) -> dict of numbers")
        self.plan = None if space is None else plan(space, trials, seeds, study_seed, sampler)
        if self.plan is None:
            self.counts()  # raises if nothing is there
            return
        with opened(self.folder) as table:
            table.add(self.plan.described(), self.plan.rows())

    def run(
        self,
        workers: int | None = None,
        executor: str | Executor = "loky",
        *,
        timeout: float | None = None,
        progress: bool = True,
    ) -> Counts:
        """Carry out what is planned, and not done yet.

        Args:
            workers: processes, each with one thread; one for each core if not given.
            executor: "loky", processes of this machine; or any ``concurrent.futures.Executor``, whose workers must
                be able to import minidl.
            timeout: seconds after which a trial is ended, and counted as worst; None: never.
            progress: show how far it is.

        Returns:
            How many trials are where, a `Counts`: done, diverged, failed (the function raised), lost (three workers
            died at it), timeout.

        Raises:
            OptionError: a bad argument, or no `train` function was given.
            WriteError: another process is at this study, or the disk refuses; what was done is kept.
            StateError: no worker can carry out a trial.
            MissingExtraError: without loky, from the extra `study`.
            KeyboardInterrupt: Ctrl-C; workers are ended, and the same call goes on later.
        """
        if self.train is None:
            raise OptionError("Study.run: tell it what to train, with Study(..., train=function)")
        if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
            raise OptionError(f"Study.run: timeout={timeout!r}: give seconds, or None for no limit")
        function = pickled(self.train)
        with opened(self.folder) as table, working(crew(executor, workers), table) as workforce:
            carry(table, function, workforce, self.folder, timeout, progress)
            while self.plan is not None and self.plan.sampler == "tpe":
                if not table.add_rows(next_batch(table, self.plan)):
                    break
                carry(table, function, workforce, self.folder, timeout, progress)
            return table.counts()

    def table(self) -> dict[str, np.ndarray]:
        """A column for each thing that is known of the trials, each (trials,): ids, settings, results, state.

        Numbers that are missing, as those of a trial that diverged, are NaN; missing text and lists None.
        """
        return results.columns(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The trials as dicts, with their `config` and `result` as such."""
        with Table(self.folder) as table:
            return list(table.rows())

    def counts(self) -> Counts:
        """How many trials are where."""
        with Table(self.folder) as table:
            return table.counts()

    def digest(self) -> str:
        """The SHA-256 of plan and results, without times, hosts and attempts: the same wherever trials were made."""
        with Table(self.folder) as table:
            return table.digest()

    def best(self, metric: str, mode: Mode | None = None) -> Best:
        """The point with the best median of `metric` over its seeds.

        What diverged, failed, was lost or took too long counts as worst. A point of which fewer seeds have ended than
        of others is left out.

        Args:
            metric: what the train function calls it.
            mode: "min" or "max", which is better; None: for metrics that minidl knows it is known, of others less is.

        Raises:
            OptionError: no trial measures that.
        """
        ended = [row for row in self.rows() if row["state"] not in ("planned", "running")]
        return results.best_of(ended, metric, results.sense(metric, mode))

    def retry(self) -> int:
        """Plan again what has failed, was lost or took too long; returns how many that are. `run` carries them out."""
        with opened(self.folder) as table:
            return table.retry()

    def to_csv(self, path: str | Path) -> None:
        """Write `table` as CSV, lists as JSON. Raises `WriteError`."""
        results.write_csv(self.table(), Path(path))

    def to_parquet(self, path: str | Path) -> None:
        """Write `table` as Parquet. Raises `MissingExtraError` without pyarrow, `WriteError`."""
        results.write_parquet(self.table(), Path(path))

    def __repr__(self) -> str:
        counts = self.counts()
        return f"<Study {self.folder}: {counts.ended} of {sum(counts)} trials>"
