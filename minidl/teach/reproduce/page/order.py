"""The rows in the order of the lectures: a note is a chapter, its sections follow one another as the note runs."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from ..registry import Row, passages

_NOTE_A = (
    "Introducción", "Descenso del gradiente", "Descenso del gradiente estocástico", "Mini batch SGD",
    "Descenso del gradiente, momentum", "Optimizadores", "Adagrad", "RMSProp", "Adadelta", "Adam",
)  # fmt: skip
_BOTH = {"S": "stability", "D": "disagreements"}  # what belongs to no lecture alone, by a row's group
CHAPTERS = ("A", "B", "A+B")


class Topic(NamedTuple):
    """A section of a chapter. The notes' titles are their own words; those of "A+B" are names in words.py."""

    chapter: str
    title: str
    rows: list[Row]


def topics(rows: Iterable[Row]) -> list[Topic]:
    """The sections that have any of `rows`, with these: chapter by chapter, and within a section as passages.toml."""
    place = {id: i for i, id in enumerate(passages())}
    ordered = sorted(rows, key=lambda row: (_place(row), place[row.id]))
    sections = [list(some) for _, some in groupby(ordered, _place)]
    return [Topic(_chapter(some[0]), _title(some[0]), some) for some in sections]


def _chapter(row: Row) -> str:
    return "A+B" if row.group in _BOTH else row.passage.note


def _title(row: Row) -> str:
    """The section that its passage stands in; of several numbered ones, the first and the last number."""
    if row.group in _BOTH:
        return _BOTH[row.group]
    title = re.split(r"[:;]", row.passage.section)[0]
    numbers = re.findall(r"\d+(?:\.\d+)+", title)
    return title if len(numbers) < 2 else f"{numbers[0]}–{numbers[-1]}"


def _place(row: Row) -> tuple[int, list[int]]:
    """Where its section stands; a section of several numbers comes after the last of them."""
    chapter, title = _chapter(row), _title(row)
    if chapter == "A":
        return 0, [_NOTE_A.index(title)]
    if chapter == "B":
        first, *_, last = title.split()[0].split("–") * 2
        return 1, [*map(int, last.split(".")), int(first != last)]
    return 2, [list(_BOTH.values()).index(title)]
