"""Many steps of one element: as a table, and as a picture of what the rule kept and of its effective learning rate."""

from collections.abc import Sequence
from typing import Any

from ...display.figures import INK, new_figure, style
from ..notation.letters import Alphabet
from ..notation.notes import Note
from ..plots import COLOURS, rule_style
from .contributions import effective_rate
from .entry import Entry
from .sentences import Decimal, Language, decimal_of, sentences
from .writing import change_of, name_of, read


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
    point = decimal_of(language, decimal)
    state = shown[0].rule.state

    def cell(x: float) -> str:
        return f"{x:.{digits}g}".replace(".", point)

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
            panel.plot(steps, [e.g for e in entries], marker=".", **gradients)
        panel.plot(steps, values, marker=".", label=name, **look)
        panel.set(title=name, xlabel="t")
        if min(values) >= 0:
            panel.set_ylim(bottom=0)
        panel.locator_params(axis="x", integer=True)
        if len(panel.lines) > 1:
            panel.legend()
    figure.suptitle(f"{first.rule.name}: {first.where}", x=0.01, ha="left")
    return figure


def _width(text: str) -> int:
    """Columns that the text takes in a terminal: marks above a letter take none."""
    return sum(not ("\u0300" <= sign <= "\u036f") for sign in text)
