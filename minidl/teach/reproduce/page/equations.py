"""The update rules that a row shows, in the equations of its note, as MathML."""

from collections.abc import Iterator

from ....optim.rule import Rule
from ..._ledger.writing import aligned, leaves
from ...notation.formats import MathML
from ...notation.notes import Note, convention, in_note, note_lines, noted
from ..registry import Row

_NOTES: dict[str, tuple[Note, ...]] = {"A": ("A",), "B": ("B",), "A+B": ("A", "B")}


def equations(row: Row) -> Iterator[tuple[Note, str, str]]:
    """For each rule among what `row` shows that its note has: the note, the rule's name, the note's lines."""
    shown = [part for part in row.shows if isinstance(part, type) and issubclass(part, Rule)]
    for rule in shown:
        for note in _NOTES[row.passage.note]:
            if noted(rule, note) is not None:
                yield note, rule.__name__, _lines(rule, note)


def _lines(kind: type[Rule], note: Note) -> str:
    settings = convention(kind, note)
    lr = settings.pop("lr", kind.lr)
    rule, style = kind(**settings), in_note(kind(**settings), note, upright=True)
    printer = MathML(6, ".", **style.options)
    written = []
    for line in note_lines(rule, note):
        name = printer.letter(style.result(line.name))
        written.append((name, style.sign, printer.write(line.expression, leaves(rule, lr, line, style))))
    return aligned(written)
