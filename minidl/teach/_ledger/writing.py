"""An entry written down: as text, LaTeX or MathML, in minidl's lines or a note's."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import OptionError
from ...optim.execution.plan import in_order
from ...optim.rule import Rule
from ...optim.symbols import Symbol
from ..notation.assignments import Line, looks_ahead
from ..notation.formats import Code, Latex, MathML, Text
from ..notation.gradient import Gradient
from ..notation.letters import Alphabet, Letter
from ..notation.notes import Note, Style, convention, in_letters, in_note, noted
from ..notation.printer import HIDDEN, Printer
from ..notation.tagged import Tagged
from .sentences import Decimal, Language, decimal_of, sentences

if TYPE_CHECKING:
    from .entry import Entry

Rows = list[tuple[str, ...]]


def read(entry: "Entry", letters: Alphabet, note: Note | None) -> tuple["Entry", Alphabet]:
    """The entry in a note's own lines if that is asked for and can be, and the letters for it."""
    if note is None:
        return entry, letters
    if letters not in ("code", note):
        raise OptionError(
            f"letters={letters!r} with note={note!r}: a note comes with its own letters; give one of them"
        )
    return entry.in_note(note), note


def style_of(entry: "Entry", letters: Alphabet, upright: bool = False) -> Style:
    """How the entry's lines are written."""
    return in_letters(entry.rule, letters) if entry.note == "code" else in_note(entry.rule, entry.note, upright)


def leaves(rule: Rule, lr: float, line: Line, style: Style) -> dict[Any, Letter]:
    """How the symbols in a line are written; the lr of a rule that has none, AdaDelta, is not while it is 1."""
    found = {x: style.given(x.op) for x in in_order([line.expression]) if isinstance(x, Symbol) and not x.args}
    found |= {x: (style.result if x.args else style.given)(name) for x, name in line.known.items()}
    if type(rule).lr == lr == 1 and style.given("lr").base != "lr":
        found |= {x: HIDDEN for x in found if x.op == "lr"}
    return found


def written(entry: "Entry", line: Line, x: Any, letters: Alphabet, decimal: Decimal) -> str:
    """A part of a line as text, in symbols."""
    style = style_of(entry, letters)
    printer = _text(letters)(4, decimal, **style.options)
    return printer.write(x, leaves(entry.rule, entry.lr, line, style))


def name_of(entry: "Entry", name: str, letters: Alphabet) -> str:
    """A name as text: of a value of the state, or a hyperparameter."""
    style = style_of(entry, letters)
    return _text(letters)(4).letter((style.result if name in (*entry.before, "g") else style.given)(name))


def change_of(entry: "Entry", letters: Alphabet) -> str:
    """How the change of θ is written; in the code's names, that is θ itself."""
    style, printer = style_of(entry, letters), _text(letters)(4)
    new, old = (printer.letter(letter("theta")) for letter in (style.result, style.given))
    return new if letters == "code" else f"{new} - {old}" if style.timed else f"Δ{new}"


def rows(entry: "Entry", kind: Callable[..., Printer], style: Style, digits: int, point: str) -> Rows:
    """Per line: the name, the expression, the same in numbers, the result; without repetitions."""
    symbols, numbers = kind(digits, point, **style.options), kind(digits, point, **style.within)
    found = []
    for line in entry.lines:
        letters = leaves(entry.rule, entry.lr, line, style)
        values: dict[Any, Any] = {x: entry.values[x] for x in letters if x in entry.values}
        values |= {x: HIDDEN for x, letter in letters.items() if letter is HIDDEN}
        sides = symbols.write(line.expression, letters), numbers.write(line.expression, values | _taken(entry, line))
        result = numbers.value(entry.values[line.expression])
        found.append((symbols.letter(style.result(line.name)), *dict.fromkeys((*sides, result))))
    return found


def styled(
    entry: "Entry", letters: Alphabet, digits: int, note: Note | None, language: Language, decimal: Decimal | None
) -> list[tuple[str, str]]:
    """The pieces of the text, each with rich's name for how it looks."""
    asked, (entry, letters) = entry, read(entry, letters, note)
    words, style = sentences(language), style_of(entry, letters)
    point = decimal_of(language, decimal, letters)
    printer = _text(letters)(digits, point)
    pieces = [(entry.title, "bold")]
    for name, expression, *numbers in rows(entry, _text(letters), style, digits, point):
        pieces += [(f"\n  {name}", "bold"), (f" {style.sign} {expression}", "")]
        pieces += [(f" = {number}", "cyan") for number in numbers]
    change = change_of(entry, letters)
    moved = words["moved by"].format(theta=change) if letters == "code" else f"{change} ="
    pieces += [(f"\n  {moved} ", "bold"), (printer.value(entry.step), "bold cyan")]
    if entry.kept:
        errors = {name: f"{x!s} ({float(x) - entry.computed[name]:+.1e})" for name, x in entry.kept.items()}
        listed = ", ".join(f"{printer.letter(style.result(name))} = {error}" for name, error in errors.items())
        if point == ",":
            listed = listed.replace(", ", "; ").replace(".", ",")
        pieces.append((f"\n  {words['kept'].format(dtype=entry.dtype)}: {listed}", "dim"))
    pieces += [(f"\n  {remark}", "dim") for remark in remarks(asked, letters, note, language)]
    return pieces


def latex(entry: "Entry", letters: Alphabet, digits: int, note: Note | None, decimal: Decimal) -> str:
    """As `Entry.latex`."""
    entry, letters = read(entry, letters, note)
    style = style_of(entry, letters, upright=True)
    sign = {"←": r"\leftarrow", "=": "="}[style.sign]
    lines = [f"{name} &{sign} {' = '.join(sides)}" for name, *sides in rows(entry, Latex, style, digits, decimal)]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


class Marked(NamedTuple):
    """A line of the rule as MathML whose parts tell their symbols, and the number of the symbol that it computes.

    `numbers` is "" where the expression has none but the result.
    """

    symbol: int
    name: str
    sign: str
    expression: str
    numbers: str
    result: str


def marked(entry: "Entry", digits: int, note: Note | None, decimal: Decimal) -> list[Marked]:
    """The lines as MathML, as `mathml` has them, in pieces whose symbols are numbered alike in all lines."""
    entry, letters = read(entry, "code", note)
    style, known = style_of(entry, letters, upright=True), dict[Any, int]()
    tagged = Tagged(known, digits, decimal)
    found = []
    shown = rows(entry, partial(Tagged, known), style, digits, decimal)
    for line, (name, expression, *numbers) in zip(entry.lines, shown, strict=True):
        x = line.expression
        result = tagged.tag(x, tagged.value(entry.values[x]))
        within = numbers[0] if len(numbers) > 1 and numbers[0] != result else ""
        found.append(Marked(tagged.number_of(x), tagged.tag(x, name), style.sign, expression, within, result))
    return found


def mathml(entry: "Entry", letters: Alphabet, digits: int, note: Note | None, decimal: Decimal) -> str:
    """As `Entry.mathml`."""
    entry, letters = read(entry, letters, note)
    style = style_of(entry, letters, upright=True)
    lines = rows(entry, MathML, style, digits, decimal)
    return aligned((name, style.sign, "<mo>=</mo>".join(sides)) for name, *sides in lines)


def aligned(lines: Iterable[tuple[str, str, str]]) -> str:
    """Lines of MathML, each a left side, a sign and a right side, one below the other at the signs.

    MathML Core, which browsers have, knows no `columnalign`, so that each cell says where its content stands.
    """
    pieces = []
    for left, sign, right in lines:
        cells = ("right", left), ("center", f"<mo>{sign}</mo>"), ("left", right)
        pieces.append("".join(f'<mtd style="text-align: {side}">{cell}</mtd>' for side, cell in cells))
    table = "\n".join(f"<mtr>{piece}</mtr>" for piece in pieces)
    table = f'<mtable displaystyle="true" columnalign="right center left">\n{table}\n</mtable>'
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{table}</math>'


def _text(letters: Alphabet) -> type[Printer]:
    return Code if letters == "code" else Text


def _taken(entry: "Entry", line: Line) -> dict[Any, float]:
    """The gradients in a line, which are numbers that arrived, not to be worked out."""
    parts = in_order([line.expression])
    return {x: entry.values[x] for x in parts if isinstance(x, Symbol) and isinstance(x.op, Gradient)}


def remarks(asked: "Entry", letters: Alphabet, note: Note | None, language: Language) -> Iterator[str]:
    """What there is to say of a note: that it has no such rule, or another convention, or a misprint there."""
    words, (entry, letters) = sentences(language), read(asked, letters, note)
    if letters == "code":
        return
    own = noted(type(asked.rule), letters)
    facts: dict[str, Any] = {"note": letters, "rule": asked.rule.name}
    if own is None:
        if note is not None:
            yield words["absent"].format(**facts)
        return
    differing = own.differing(asked.rule, asked.lr)
    if note is None:
        if differing or looks_ahead(asked.rule):
            yield words["letters only"].format(**facts, lines=_own_lines(asked, letters))
        return
    if differing:
        shown = [", ".join(f"{name}={_quoted(pair[i])}" for name, pair in differing.items()) for i in (0, 1)]
        yield words["differs"].format(**facts, asked=shown[0], own=shown[1])
        return
    if own.remark is not None:
        yield words[own.remark]
    if entry.rule.decays:
        yield words["no decay"].format(**facts, theta=style_of(entry, letters).given("theta").base)


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _own_lines(entry: "Entry", note: Alphabet) -> str:
    """The note's own lines, in symbols, where they are not minidl's."""
    settings = {**convention(type(entry.rule), note), "weight_decay": 0.0}
    lr = settings.pop("lr", entry.lr)
    plain = replace(entry, rule=entry.rule.replaced({"weight_decay": 0.0}), first=None)
    twin = replace(plain, rule=entry.rule.replaced(settings), lr=lr).in_note(note)
    style, same = style_of(twin, note), {_plainly(line) for line in plain.lines}
    shown = zip(twin.lines, rows(twin, Text, style, 6, "."), strict=True)
    return "; ".join(
        f"{name} {style.sign} {side}"
        for line, (name, side, *_) in shown
        if line.name != "g" and _plainly(line) not in same
    )


def _plainly(line: Line) -> tuple[str, str]:
    """A line in the names that it is made of."""
    letters = {x: Letter(name) for x, name in line.known.items()}
    scalars = {x: Letter(x.op) for x in in_order([line.expression]) if isinstance(x, Symbol) and not x.args}
    return line.name, Code(6).write(line.expression, scalars | letters)
