"""The one file of a study: plan and results in SQLite, written by its driver alone, read by whoever likes to."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError, StateError, WriteError
from ..system.terminal import printable
from ..train.saving.lock import locked
from .about import about
from .plan import Row

FILE = "study.sqlite"
BAD = "diverged", "failed", "lost", "timeout"  # how a trial may end that counts as worst
AGAIN = "failed", "lost", "timeout"  # those of them that `retry` plans again; a diverged one would diverge again
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    id INTEGER PRIMARY KEY, cell TEXT NOT NULL, point INTEGER NOT NULL, seed INTEGER NOT NULL, config TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned', attempts INTEGER NOT NULL DEFAULT 0, result TEXT, error TEXT,
    seconds REAL, host TEXT, ended REAL, UNIQUE (cell, point, seed)
);
"""


class Trial(NamedTuple):
    """A trial that is to be carried out."""

    id: int
    config: str
    seed: int
    attempts: int


class Outcome(NamedTuple):
    """How a trial ended: `result` is JSON, or None; `error` says what went wrong."""

    id: int
    state: str
    result: str | None
    error: str | None
    seconds: float
    host: str


class Counts(NamedTuple):
    """How many trials of a study are where."""

    planned: int = 0
    running: int = 0
    done: int = 0
    diverged: int = 0
    failed: int = 0
    lost: int = 0
    timeout: int = 0

    @property
    def ended(self) -> int:
        """Those that have ended, however that was."""
        return sum(self) - self.planned - self.running


class Table:
    """The file in `folder`, opened to be written (`create`), or to be read. Raises `DataError` if it is not there."""

    def __init__(self, folder: Path, create: bool = False) -> None:
        self.path, self._written = folder / FILE, create
        if not create and not self.path.is_file():
            raise DataError(f"{printable(folder)}: no study is kept there: it has no {FILE}")
        with self._errors():
            mode = "rwc" if create else "ro"
            self._db = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode={mode}", uri=True)
            if create:
                self._prepare()

    def _prepare(self) -> None:
        try:
            self._db.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the driver, nor it for them
            self._db.execute("PRAGMA synchronous = NORMAL")  # after a power cut the last trials are made again
            self._db.executescript(_SCHEMA)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *error: object) -> None:
        if self._written:
            with suppress(sqlite3.OperationalError):  # somebody reads, or the disk is full
                self._db.execute("PRAGMA journal_mode = DELETE")  # one file, which readers leave alone
        self._db.close()

    def add(self, described: dict[str, Any], rows: Iterable[Row]) -> None:
        """Plan those of `rows` that are not there yet; `described` is what all of the study's plans have in common.

        Raises `StateError` if another study is there.
        """
        there = self.meta("plan")
        if there is not None and there != described:
            folder = printable(self.path.parent)
            raise StateError(f"{folder}: holds another study: {_difference(there, described)}; choose another folder")
        with self._errors(), self._db:
            self._set_meta({"plan": described} if there else {"plan": described, "about": about()})
            self._insert(rows)

    def add_rows(self, rows: Iterable[Row]) -> int:
        """Plan those of `rows` that are not there yet; returns how many that are."""
        rows = list(rows)  # which may ask this table
        with self._errors(), self._db:
            before = self._db.total_changes
            self._insert(rows)
            return self._db.total_changes - before

    def meta(self, name: str) -> Any:
        """What is kept under `name`; None if nothing is."""
        with self._errors():
            row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set_meta(self, **values: Any) -> None:
        """Keep JSON `values` under their names."""
        with self._errors(), self._db:
            self._set_meta(values)

    def planned(self) -> list[Trial]:
        """The trials to carry out, those that have been tried before at the end."""
        with self._errors():
            query = "SELECT id, config, seed, attempts FROM trials WHERE state = 'planned' ORDER BY attempts, id"
            return [Trial(*row) for row in self._db.execute(query)]

    def begin(self, trials: Sequence[Trial]) -> None:
        """Note that these are on their way."""
        self._update("UPDATE trials SET state = 'running' WHERE id = ?", [(trial.id,) for trial in trials])

    def end(self, outcomes: Iterable[Outcome], attempts: int = 1) -> None:
        """Write how these ended, in so many more `attempts`; one that has an outcome already keeps it."""
        query = (
            "UPDATE trials SET state = ?, result = ?, error = ?, seconds = ?, host = ?, ended = ?, "
            "attempts = attempts + ? WHERE id = ? AND state IN ('planned', 'running')"
        )
        now = time.time()
        self._update(query, [(o.state, o.result, o.error, o.seconds, o.host, now, attempts, o.id) for o in outcomes])

    def put_back(self, ids: Iterable[int] | None = None, blamed: bool = False) -> None:
        """Plan these again, or all that are said to run; `blamed`: each has used up one of its attempts."""
        if ids is None:
            self._update("UPDATE trials SET state = 'planned' WHERE state = 'running'", [()])
        else:
            query = "UPDATE trials SET state = 'planned', attempts = attempts + ? WHERE id = ? AND state = 'running'"
            self._update(query, [(int(blamed), id) for id in ids])

    def retry(self) -> int:
        """Plan again what has failed, was lost or took too long, as if it had never been tried; returns how many."""
        marks = ", ".join(f"'{state}'" for state in AGAIN)
        with self._errors(), self._db:
            changed = self._db.execute(
                f"UPDATE trials SET state = 'planned', attempts = 0, error = NULL WHERE state IN ({marks})"
            )
            return changed.rowcount

    def counts(self) -> Counts:
        """How many trials are where."""
        with self._errors():
            return Counts(**dict(self._db.execute("SELECT state, COUNT(*) FROM trials GROUP BY state")))

    def rows(self, where: str = "1", *values: Any) -> Iterator[dict[str, Any]]:
        """The trials as dicts, `config` and `result` read, those of an SQL condition only."""
        with self._errors():
            found = self._db.execute(f"SELECT * FROM trials WHERE {where} ORDER BY id", values)
            names = [column[0] for column in found.description]
            for row in found:
                one = dict(zip(names, row, strict=True))
                yield one | {"config": json.loads(one["config"]), "result": json.loads(one["result"] or "{}")}

    def first_metric(self) -> str | None:
        """The first number that trials measure; None while none has."""
        for row in self._db.execute("SELECT result FROM trials WHERE state = 'done' LIMIT 1"):
            return next((name for name, value in json.loads(row[0]).items() if isinstance(value, int | float)), None)
        return None

    def searched(self) -> list[str]:
        """The settings that are searched, in any cell."""
        cells = (self.meta("plan") or {}).get("cells", {})
        return list(dict.fromkeys(n for space in cells.values() for n, each in space.items() if isinstance(each, dict)))

    def digest(self) -> str:
        """The SHA-256 of plan and results; times, hosts and attempts left out."""
        import hashlib

        found = hashlib.sha256()
        with self._errors():
            query = "SELECT id, cell, point, seed, config, state, result FROM trials ORDER BY id"
            for row in self._db.execute(query):
                found.update(json.dumps(row).encode())
        return found.hexdigest()

    def _update(self, query: str, values: Sequence[tuple[Any, ...]]) -> None:
        with self._errors(), self._db:
            self._db.executemany(query, values)

    def _set_meta(self, values: dict[str, Any]) -> None:
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def _insert(self, rows: Iterable[Row]) -> None:
        values = ((row.cell, row.point, row.seed, row.config) for row in rows)
        self._db.executemany("INSERT OR IGNORE INTO trials (cell, point, seed, config) VALUES (?, ?, ?, ?)", values)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as minidl's, in one line."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise WriteError(
                f"{printable(self.path)}: {error}: what was written before is kept; once that is mended, the same "
                f"command goes on"
            ) from error
        except sqlite3.DatabaseError as error:
            raise DataError(f"{printable(self.path)}: is no study, or damaged ({error})") from error


@contextmanager
def opened(folder: Path) -> Iterator[Table]:
    """The table in `folder`, which is made if it is not there, for the one process that may write to it.

    Raises `WriteError` if another is at it, or nothing can be written there.
    """
    with locked(folder, "a study"), Table(folder, create=True) as table:
        yield table


def _difference(there: dict[str, Any], asked: dict[str, Any]) -> str:
    """In what two plans differ first, in words."""
    for name in {**asked, **there}.keys() - {"cells"}:
        if there.get(name) != asked.get(name):
            return f"its {name} are {there.get(name)}, not {asked.get(name)}"
    theirs, ours = there.get("cells", {}), asked.get("cells", {})
    for cell in {**ours, **theirs}:
        before, now = theirs.get(cell, {}), ours.get(cell, {})
        for name in {**now, **before}:
            if before.get(name) != now.get(name):
                where = f"{cell}: " if cell else ""
                return f"{where}its {name} is {_said(before, name)}, not {_said(now, name)}"
    return "its plan is another"


def _said(space: dict[str, Any], name: str) -> Any:
    each = space.get(name, "left out")
    return each["range"] if isinstance(each, dict) else each
