"""The ledger's panel: one step of one coordinate, the rule's lines with their numbers, the pushes, and why."""

import re
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from ..teach import Entry, explain
from ..teach._ledger.contributions import contributions
from ..teach._ledger.sentences import Language
from ..teach._ledger.writing import marked, remarks
from ..teach.notation.notes import Note

DIGITS = 5
_HYPHEN = re.compile(r"(?<![\w.])-(?=[\d.])|(?<= )-(?= )")
Tree = list[Any]


def panel(
    entry: Entry, note: Note, language: Language, curvature: float | None, beside: Sequence[Entry]
) -> dict[str, Any]:
    """What the page shows of an entry: mathematics as trees, sentences as text, pushes as numbers.

    `beside` are the entries of all coordinates at that step, whose pushes are the picture's arrows.
    """
    return numbers(entry, note, beside) | told(entry, note, language, curvature)


def read(entry: Entry, note: Note) -> Entry:
    """The entry as it is shown: in a note's own lines, where it has them."""
    return entry if note == "code" else entry.in_note(note)


def told(entry: Entry, note: Note, language: Language, curvature: float | None) -> dict[str, Any]:
    """The part that is words."""
    sentences = explain(entry, language, note=note, decimal=".", curvature=curvature)
    return {
        "remarks": [with_minus(remark) for remark in remarks(entry, note, note, language)],
        "sentences": [with_minus(sentence) for sentence in sentences.split("\n")],
    }


def numbers(entry: Entry, note: Note, beside: Sequence[Entry]) -> dict[str, Any]:
    """The part that is the same in all languages."""
    entry, *beside = (read(one, note) for one in (entry, *beside))
    parts = contributions(entry)
    pushes = {name: x for name, x in parts.items() if x and (name != "rounding" or abs(x) > 1e-4 * abs(entry.step))}
    return {
        "title": entry.title,
        "lines": [
            {
                "symbol": line.symbol,
                "left": tree(line.name),
                "sign": line.sign,
                "expression": tree(line.expression),
                "numbers": tree(line.numbers) if line.numbers else None,
                "result": tree(line.result),
            }
            for line in marked(entry, DIGITS, note, ".")
        ],
        "pushes": [{"name": name, "value": _sent(x), "text": with_minus(f"{x:+.3g}")} for name, x in pushes.items()],
        "arrows": _arrows(beside),
        "step": {"value": _sent(entry.step), "text": with_minus(f"{entry.step:+.3g}")},
    }


def _arrows(entries: Sequence[Entry]) -> dict[str, list[float | None]]:
    """What momentum and the gradient contributed to a step, a number for each coordinate."""
    parts = [contributions(one) for one in entries]
    names = [name for name in ("momentum", "gradient") if all(name in part for part in parts)]
    return {name: [_sent(part[name]) for part in parts] for name in names}


def with_minus(text: str) -> str:
    """Text with a minus sign where a hyphen stands before a number, or between two."""
    return _HYPHEN.sub("\N{MINUS SIGN}", text)


def tree(markup: str) -> Tree:
    """MathML as nested lists: name, attributes, then the content."""
    return _listed(fromstring(markup))


def _listed(element: Element) -> Tree:
    found: Tree = [element.tag, dict(element.attrib)]
    if element.text:
        found.append(element.text)
    return [*found, *(_listed(child) for child in element)]


def _sent(x: float) -> float | None:
    return x if x - x == 0 else None
