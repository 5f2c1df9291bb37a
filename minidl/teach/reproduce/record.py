"""report.json: what each row came to, so that a run of a few rows adds to the report of many."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import OptionError
from ...system.durable import write_durably
from ...system.terminal import printable
from .registry import ROWS, Check, Table, passages


@dataclass(frozen=True)
class Drawing:
    """A figure that lies in a file: its path below the report's folder, without .svg or .png, and its caption."""

    file: str
    caption: str


@dataclass(frozen=True)
class Record:
    """A row that was made: its result in words, its code, what it took and what made it (`origin`).

    `quick` says with which budget; it is None for the rows that need none.
    """

    id: str
    title: str
    verdict: str
    reason: str
    checks: Sequence[Check]
    tables: Sequence[Table]
    figures: Sequence[Drawing]
    text: str
    sources: dict[str, str]
    seed: int
    quick: bool | None
    seconds: float
    origin: dict[str, Any]


def read(path: Path) -> dict[str, Record]:
    """The records in a file, by row; none if there is no file. Rows that minidl does not have (any more) are left out.

    Raises `OptionError` for a file of something else.
    """
    if not path.exists():
        return {}
    try:
        found = [_record(one) for one in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise OptionError(
            f"{printable(path)}: not a file that this version of minidl reproduce wrote ({type(error).__name__}); "
            "move it away, or write to another folder with --output"
        ) from error
    return {one.id: one for one in found if one.id in ROWS}


def merged(old: dict[str, Record], new: Iterable[Record]) -> list[Record]:
    """The records of both, in the order of passages.toml; of a row that both have, the new one."""
    both = old | {one.id: one for one in new}
    return [both[id] for id in passages() if id in both]


def write(path: Path, records: Sequence[Record]) -> None:
    """Write the records to a file. Raises `WriteError`."""
    content = {"rows": [asdict(one) for one in records]}
    write_durably(path, json.dumps(content, ensure_ascii=False, indent=1).encode())


def _record(fields: dict[str, Any]) -> Record:
    one = Record(**fields)
    checks, tables = [Check(**check) for check in fields["checks"]], [Table(**table) for table in fields["tables"]]
    return replace(one, checks=checks, tables=tables, figures=[Drawing(**drawing) for drawing in fields["figures"]])
