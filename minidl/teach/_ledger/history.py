"""Many steps of one element: as a table, and as a picture of what the rule kept and of its effective learning rate."""

import math
from collections.abc import Sequence
from typing import Any

from ...display.figures import INK, new_figure, style
from ..notation.formats import Text
from ..notation.letters import Alphabet
from ..notation.notes import Note
from ..plots import COLOURS, rule_style
from .contributions import effective_rate
from .entry import Entry
from .sentences import Decimal, Language, decimal_of, sentences
from .writing import change_of, name_of, read

_HUGE = 1e6  # what is larger is drawn on a logarithmic scale


def table(
    entries: Sequence[Entry],
    letters: Alphabet = "code",
    digits: int = 6,
    *,
    note: Note | None = None,
    language: Language = "en",
    decimal: Decimal | None = None,
) -> str:
    """A line per step: the gradient, what the rule keeps, the effective learning rate, the change of θ, and θ."""
    shown = [read(entry, letters, note)[0] for entry in entries]
    letters = read(entries[0], letters, note)[1]
    cell = Text(digits, decimal_of(language, decimal)).value
    state = shown[0].rule.state
    names = [name_of(shown[0], name, letters) for name in ("g", *state)]
    moved = change_of(shown[0], letters)
    ends = f"Δ{moved}" if letters == "code" else moved, name_of(shown[0], "theta", letters)
    rows = [["t", *names, sentences(language)["rate"], *ends]]
    for entry in shown:
        numbers = [entry.g, *(entry.after[name] for name in state), effective_rate(entry), entry.step]
        rows.append([str(entry.t), *map(cell, (*numbers, entry.after["theta"]))])
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(" " * (w - _width(c)) + c for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"{shown[0].rule.name}: {shown[0].where}", *lines])


def picture(
    entries: Sequence[Entry], letters: Alphabet = "code", *, note: Note | None = None, language: Language = "en"
) -> Any:
    """A matplotlib figure: a panel for the gradient and each value that is kept, and one for the effective rate.

    Raises `MissingExtraError` without matplotlib.
    """
    shown = [read(entry, letters, note)[0] for entry in entries]
    letters = read(entries[0], letters, note)[1]
    with style():
        return _drawn(shown, letters, sentences(language)["rate"])


def _drawn(entries: list[Entry], letters: Alphabet, rate: str) -> Any:
    first = entries[0]
    series = {name_of(first, name, letters): [e.after[name] for e in entries] for name in first.rule.state}
    series[rate] = [effective_rate(e) for e in entries]
    figure, axes = new_figure(len(series), width=3.6, height=2.8)
    look = rule_style(first.rule.name) if first.rule.name in COLOURS else {"color": INK}
    steps = [e.t for e in entries]
    for panel, (name, values) in zip(axes[0], series.items(), strict=True):
        if "v" in first.rule.state and name == name_of(first, "v", letters):
            gradients = {"color": INK, "linewidth": 1, "label": name_of(first, "g", letters)}
            panel.plot(steps, _drawable([e.g for e in entries]), marker=".", **gradients)
        panel.plot(steps, _drawable(values), marker=".", label=name, **look)
        panel.set(title=name, xlabel="t")
        if any(abs(x) > _HUGE for x in values):  # it has diverged
            panel.set_yscale("symlog")
        elif min(values) >= 0 and max(values) > 0:  # from zero, so that a rate that hardly changes looks so
            panel.set_ylim(0, 1.08 * max(values))
        panel.locator_params(axis="x", integer=True)
        if len(panel.lines) > 1:
            panel.legend()
    figure.suptitle(f"{first.rule.name}: {first.where}", x=0.01, ha="left")
    return figure


def _drawable(values: list[float]) -> list[float]:
    """Numbers that matplotlib can place; others leave a gap."""
    return [x if abs(x) < 1e150 else math.nan for x in values]


def _width(text: str) -> int:
    """Columns that the text takes in a terminal: marks above a letter take none."""
    return sum(not ("\u0300" <= sign <= "\u036f") for sign in text)
