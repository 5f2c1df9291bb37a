"""The command ``minidl reproduce``: run the chosen rows, print the results, write figures and a report."""

import difflib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...backend import seed as seed_all
from ...display.figures import style
from ...display.tables import WIDTH, lines_of
from ...errors import OptionError
from ...hardware.threads import use_blas_threads
from ...system.durable import write_durably
from ...system.terminal import printable, tell
from .._ledger.sentences import Language
from .figure_words import translate
from .origin import BLAS_THREADS, origin
from .record import Drawing, Record, merged, read, write
from .registry import GROUPS, MEANING, ROWS, Check, Made, Row, Table, passages, summary
from .report import report

SEED = 0  # before each row; a row that repeats its runs counts on from it


def chosen(names: Iterable[str]) -> list[Row]:
    """The rows of these names, in any case, in the notes' order; "all" is every row. Raises `OptionError`."""
    known = {name.lower(): name for name in ROWS}
    wanted = set()
    for name in names:
        if name.lower() == "all":
            wanted |= set(ROWS)
        elif name.lower() in known:
            wanted.add(known[name.lower()])
        else:
            close = difflib.get_close_matches(name.lower(), [*known, "all"], n=4, cutoff=0.4)
            hint = f"close names: {', '.join(known.get(c, c) for c in close)}; " if close else ""
            raise OptionError(f"reproduce: no row {name!r}; {hint}`minidl reproduce` lists them all")
    return [ROWS[id] for id in passages() if id in wanted]


def listing() -> str:
    """Every row, a line each."""
    lines = []
    for group, title in GROUPS.items():
        lines += ["", title, *(f"  {row.id:<5} {row.title}" for row in chosen(["all"]) if row.group == group)]
    usage = (
        "minidl reproduce NAME ... makes rows again; minidl reproduce all, every one of them (--quick: in a minute)."
    )
    return "\n".join([usage, *lines])


def reproduce(
    names: Sequence[str],
    quick: bool = False,
    output: Path = Path("reproduced"),
    language: Language = "en",
    seed: int = SEED,
) -> list[Made]:
    """Make the rows of these names again; leave their figures, report.json and report.html in the folder `output`.

    Rows that an earlier run left there stay in the report; one that is made again is exchanged. `quick` means small
    budgets for the rows that train networks; no other number changes. The report's fixed words and those of the figures
    are in `language`, "en", "es" or "it". `seed` chooses all random numbers, of rows that make data and of those that
    train. Raises `OptionError` for an unknown name or an impossible folder, or a report.json there that is none of
    minidl's, and `MissingExtraError` if a figure is asked for without matplotlib.
    """
    rows = chosen(names)
    try:
        (output / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--output {printable(output)}: cannot make this folder ({error.strerror})") from error
    earlier = read(output / "report.json")
    made = []
    for row in rows:
        tell(f"{row.id:<5}{row.title}")
        made.append(make(row, quick, output, seed, language))
        tell(_in_words(made[-1], tables="all" not in [name.lower() for name in names]))
    records = merged(earlier, (_record(one, quick, output, seed) for one in made))
    write(output / "report.json", records)
    path = output / "report.html"
    write_durably(path, report(records, output, language).encode())
    tell(summary(made))
    kept = len(records) - len(made)
    tell(f"report: {path}, report.json{f' (with {kept} rows of earlier runs)' if kept else ''}")
    return made


def _record(made: Made, quick: bool, output: Path, seed: int) -> Record:
    """What the report keeps of a row."""
    result = made.result
    files = [path.relative_to(output).as_posix() for path in made.figures]
    figures = [Drawing(file, picture.caption) for file, picture in zip(files, result.pictures, strict=True)]
    budget = quick if made.row.budgeted else None
    return Record(
        made.row.id, made.row.title, result.verdict, result.reason, result.checks, result.tables, figures,
        result.text, made.sources, seed, budget, round(made.seconds, 3), origin(),
    )  # fmt: skip


def make(row: Row, quick: bool, output: Path, seed: int = SEED, language: Language = "en") -> Made:
    """Make one row again, from a seed of its own, and save its figures."""
    start = time.perf_counter()
    sources = row.sources()
    seed_all(seed)
    with style(), use_blas_threads(BLAS_THREADS):
        result = row.run(quick, seed)
        figures = []
        for i, picture in enumerate(result.pictures, 1):
            translate(picture.figure, language)
            path = output / "figures" / (row.id if len(result.pictures) == 1 else f"{row.id}-{i}")
            picture.figure.savefig(f"{path}.svg", metadata={"Date": None})
            picture.figure.set_layout_engine("none")  # keeps the layout instead of computing it again
            picture.figure.savefig(f"{path}.png")
            figures.append(path)
    return Made(row, result, figures, sources, time.perf_counter() - start)


def _in_words(made: Made, tables: bool) -> str:
    """What the terminal shows of a row: its checks, its tables if asked for, its figures and its verdict."""
    result = made.result
    lines = [line for check in result.checks for line in _lines(check)]
    if tables:
        lines += [line for table in result.tables for line in _table(table)]
    lines += [f"     {path}.svg, .png" for path in made.figures]
    verdict = MEANING[result.verdict].partition(":")[0]
    return "\n".join([*lines, f"   {result.verdict} {verdict}{': ' + result.reason if result.reason else ''}", ""])


def _lines(check: Check) -> list[str]:
    width = max(len("minidl"), len(check.source))
    return [
        f"     {check.mark} {check.what}",
        f"         {'minidl':<{width}}  {check.ours}",
        f"         {check.source:<{width}}  {check.said}",
    ]


def _table(table: Table) -> list[str]:
    rows = lines_of([table.head, *table.rows], width=WIDTH - 7)
    return ["", *(f"       {line}" for line in ([table.caption] if table.caption else []) + rows), ""]
