"""The rows of the notes: what a row is, the function that reproduces it, its checks and its verdict."""

import inspect
import textwrap
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

REPRODUCED, IN_KIND, OFFERED, DIFFERS, UNDECIDED, FAILED, NOT_RUN = "✓", "◇", "○", "≈", "?", "✗", "–"
MEANING = {
    REPRODUCED: "reproduced: what the note says was observed",
    IN_KIND: "in kind: the note's own is lost; something of its kind was made, and what is said of it holds",
    OFFERED: "offered: minidl has what the note names; nothing is put to the test, so it cannot fail",
    DIFFERS: "differs: something else was observed here, for the reason given",
    UNDECIDED: "not decided: the seeds are few or do not agree, or the answer turns with the setting",
    FAILED: "not reproduced: what the note says was tested here, and was not observed",
    NOT_RUN: "not run: what it needs is not here",
}
GROUPS = {  # by the letters that a row's name begins with
    "A": "Numbers of note A",
    "FA": "Figures of note A",
    "EA": "Equations and statements of note A",
    "EB": "Equations, numbers and statements of note B",
    "FB": "Figures of note B",
    "S": "Stability: why the runs go as they go",
    "ER": "Errors and slips in the notes, as printed and as meant",
    "D": "Where the two notes disagree",
}
NOTE_A, NOTE_B, DERIVED, OURS = "note A", "note B", "derived", "ours"  # where an expected value is from
SOURCES = (NOTE_A, NOTE_B, DERIVED, OURS)


@dataclass(frozen=True)
class Check:
    """One comparison: what minidl found, beside what is expected, and where that is from.

    `source` is one of `SOURCES`: a note, in whose `words` the expected value stands (they are the expected value itself
    where they are empty); "derived" follows from an equation; "ours" is a number or a threshold that no note has.
    `ok` is None where the runs do not decide it. A statement of a note about data and networks of its own, which are
    lost, is tested `elsewhere`: a no is then no fault of the note's.
    """

    what: str
    ours: str
    expected: str
    ok: bool | None
    source: str
    words: str = ""
    elsewhere: bool = False

    @property
    def mark(self) -> str:
        """One of the marks of `MEANING`."""
        return UNDECIDED if self.ok is None else REPRODUCED if self.ok else DIFFERS if self.elsewhere else FAILED

    @property
    def said(self) -> str:
        """What is expected, with the note's words where it is ours to put it otherwise."""
        words = f"“{self.words}”" if self.words else ""
        return ", ".join(filter(None, (self.expected, words)))


def number(what: str, ours: str, expected: str, source: str, words: str = "") -> Check:
    """A printed number, right to the last digit or wrong."""
    return Check(what, ours, expected, ours == expected, source, words)


def claim(
    what: str, ours: str, ok: bool | None, expected: str, source: str, words: str = "", *, elsewhere: bool = False
) -> Check:
    """A statement that was put to the test; `ours` says what was seen."""
    return Check(what, ours, expected, None if ok is None else bool(ok), source, words, elsewhere)


def agreed(answers: Iterable[bool | None]) -> bool | None:
    """What all seeds answer; None if they do not agree, or if one of them does not decide."""
    found = set(answers)
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class Table:
    """Rows of text under a head."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A matplotlib figure, and in words what it shows."""

    figure: Any
    caption: str


@dataclass
class Result:
    """The result of a row: its checks, tables, figures and text.

    `offered` says that the row only shows what minidl has for what the note names, `in_kind` why the note's own (its
    figure, data or network) cannot be made again, `not_run` why nothing could be run.
    """

    checks: list[Check] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    text: str = ""
    offered: bool = False
    in_kind: str = ""
    not_run: str = ""

    @property
    def verdict(self) -> str:
        """One of the marks of `MEANING`: the worst of its checks, or what kind of row it is if they all hold."""
        if self.not_run:
            return NOT_RUN
        marks = {check.mark for check in self.checks}
        worst = [mark for mark in (FAILED, DIFFERS, UNDECIDED) if mark in marks]
        if worst:
            return worst[0]
        if self.offered:
            return OFFERED
        if not self.checks:
            return FAILED
        return IN_KIND if self.in_kind else REPRODUCED

    @property
    def reason(self) -> str:
        """Why the verdict is not simply yes or no; else empty."""
        open_ = "; ".join(check.what for check in self.checks if check.mark == UNDECIDED)
        return {NOT_RUN: self.not_run, IN_KIND: self.in_kind, DIFFERS: self.in_kind, UNDECIDED: open_}.get(
            self.verdict, ""
        )


@dataclass(frozen=True)
class Passage:
    """A note's own words; in `words` and `section` x_t and x^{t-1} mean subscript and superscript."""

    note: str
    section: str
    words: str


@cache
def passages() -> dict[str, Passage]:
    """The passages of passages.toml, by row."""
    text = Path(__file__).with_name("passages.toml").read_text(encoding="utf-8")
    return {
        id: Passage(**{key: value.strip() for key, value in fields.items()})
        for id, fields in tomllib.loads(text).items()
    }


@dataclass(frozen=True)
class Row:
    """One equation, number, figure or claim of a note, and the function that makes it again.

    `shows` are the parts of minidl whose source belongs beside the function's own.
    """

    id: str
    title: str
    function: Callable[..., Result]
    shows: tuple[Any, ...]

    @property
    def group(self) -> str:
        """The letters of its name: a key of `GROUPS`."""
        return self.id.rstrip("0123456789")

    @property
    def passage(self) -> Passage:
        """The note's own words."""
        return passages()[self.id]

    @property
    def budgeted(self) -> bool:
        """Whether it trains networks, and so has a smaller budget to be `quick`."""
        return "quick" in inspect.signature(self.function).parameters

    def run(self, quick: bool, seed: int = 0) -> Result:
        """Make it again. `quick` means a smaller budget; all that is drawn at random follows from `seed`."""
        given = {"quick": quick, "seed": seed}
        return self.function(**{name: given[name] for name in inspect.signature(self.function).parameters})

    def sources(self) -> dict[str, str]:
        """The code: the row's own function, without its heading, then what it `shows`; by name."""
        _, _, own = inspect.getsource(self.function).partition("\ndef ")
        found = {self.function.__name__: f"def {own}"}
        for shown in self.shows:
            found[f"{shown.__module__}.{shown.__qualname__}"] = textwrap.dedent(inspect.getsource(shown))
        return found


ROWS: dict[str, Row] = {}


def row(id: str, title: str, *shows: Any) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Decorator that enters a function, which returns a `Result`, into `ROWS`; its passage is in passages.toml."""

    def enter(function: Callable[..., Result]) -> Callable[..., Result]:
        ROWS[id] = Row(id, title, function, shows)
        return function

    return enter


@dataclass(frozen=True)
class Made:
    """A row with its result, the paths of its figures (without .svg and .png), its code, and the seconds it took."""

    row: Row
    result: Result
    figures: list[Path]
    sources: dict[str, str]
    seconds: float


def summary(made: Sequence[Made]) -> str:
    """How many rows have which verdict; those that differ, failed or were not run are named."""
    counts = Counter(one.result.verdict for one in made)
    lines = [f"{len(made)} row{'s' * (len(made) != 1)} in {sum(one.seconds for one in made):.0f} s"]
    for mark, meaning in MEANING.items():
        if counts[mark]:
            ids = [one.row.id for one in made if one.result.verdict == mark]
            named = "" if mark in (REPRODUCED, OFFERED) else f"  ({', '.join(ids)})"
            lines.append(f"  {mark} {counts[mark]:>3}  {meaning}{named}")
    return "\n".join(lines)
