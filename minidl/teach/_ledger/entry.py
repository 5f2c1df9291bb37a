"""One entry of the ledger: a step of one element, as the rule's own equation with every number in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...optim.execution.plan import Scalars, in_order
from ...optim.rule import Rule
from ...optim.symbols import Symbol
from ..notation.assignments import Line, lines, looks_ahead
from ..notation.formats import Code, Latex, MathML, Text
from ..notation.letters import Alphabet, Letter, alphabet
from ..notation.printer import Printer

if TYPE_CHECKING:
    from rich.text import Text as RichText


@dataclass(frozen=True, eq=False)
class Entry:
    """What one step did to one element of a parameter: ``print(entry)`` shows it.

    `where` names the element; `rule` is the rule of that step, its schedules read; `before` and `after` hold
    theta and the state by name, before the step and after; `g` is the gradient, `dtype` that of the parameter.
    `first` is the ledger's first entry for the same element (None if that is this one).
    """

    where: str
    rule: Rule
    lr: float
    t: int
    g: float
    before: Mapping[str, float]
    after: Mapping[str, float]
    dtype: np.dtype[Any]
    first: "Entry | None" = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """A heading: the rule, the step, the element."""
        return f"{self.rule.name}, t = {self.t}: {self.where}"

    @property
    def step(self) -> float:
        """The change of theta, as stored in the parameter's dtype."""
        return self.after["theta"] - self.before["theta"]

    @cached_property
    def lines(self) -> list[Line]:
        """The rule's lines, in the order in which they are executed."""
        return lines(self.rule)

    @cached_property
    def values(self) -> dict[Any, float]:
        """The value of every part of the equation, computed in float64 from what was there before the step."""
        given = {name: getattr(self.rule, name) for name in self.rule.numbers()}
        given |= {name: np.float64(value) for name, value in {**self.before, "g": self.g}.items()}  # 0/0 is nan
        parts = in_order([line.expression for line in self.lines])
        with np.errstate(all="ignore"):
            found = Scalars(parts)({**given, "lr": self.lr, "t": self.t})
        return dict(zip(parts, (x if isinstance(x, int) else float(x) for x in found), strict=True))

    @cached_property
    def computed(self) -> dict[str, float]:
        """What `after` would be without the rounding to the parameter's dtype: computed in float64."""
        results = {line.name: self.values[line.expression] for line in self.lines}
        return {name: results.get(name, unmoved) for name, unmoved in self.before.items()}

    @property
    def kept(self) -> dict[str, Any]:
        """The stored numbers that are not the computed ones, by name, in the parameter's dtype."""
        pairs = [(name, x, self.computed[name]) for name, x in self.after.items()]
        return {name: self.dtype.type(x) for name, x, exact in pairs if x != exact and (x == x or exact == exact)}

    def leaves(self, line: Line, letters: Alphabet) -> dict[Any, Letter]:
        """How the symbols in a line are written."""
        letter = alphabet(letters, looks_ahead(self.rule))
        leaves = {x: letter(x.op) for x in in_order([line.expression]) if isinstance(x, Symbol) and not x.args}
        return leaves | {x: letter(name) for x, name in line.known.items()}

    def text(self, letters: Alphabet = "code", digits: int = 6) -> str:
        """The entry as plain text, a line of the rule on a line; `letters` is "code", "A" or "B" (the notes')."""
        return "".join(part for part, _ in self._styled(letters, digits))

    def rich(self, letters: Alphabet = "code", digits: int = 6) -> "RichText":
        """The same with colours, for `rich.print`."""
        from rich.text import Text as RichText

        return RichText.assemble(*self._styled(letters, digits))

    def latex(self, letters: Alphabet = "code", digits: int = 6) -> str:
        r"""The lines as LaTeX: an ``aligned`` environment, to be put between ``\[`` and ``\]``."""
        rows = [rf"{name} &\leftarrow {' = '.join(sides)}" for name, *sides in self._rows(Latex(digits), letters)]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def mathml(self, letters: Alphabet = "code", digits: int = 6) -> str:
        """The lines as MathML: one ``math`` element, a table with a row for each."""
        rows = []
        for name, *sides in self._rows(MathML(digits), letters):
            right = "<mo>=</mo>".join(sides)
            rows.append(f"<mtr><mtd>{name}</mtd><mtd><mo>←</mo></mtd><mtd>{right}</mtd></mtr>")
        table = "\n".join(rows)
        return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><mtable>\n{table}\n</mtable></math>'

    def _rows(self, printer: Printer, letters: Alphabet) -> list[tuple[str, ...]]:
        """Per line: the name, the expression, the same in numbers, the result; without repetitions."""
        rows = []
        for line in self.lines:
            leaves = self.leaves(line, letters)
            numbers = {x: self.values[x] for x in leaves if x in self.values}
            name = printer.letter(alphabet(letters, looks_ahead(self.rule))(line.name))
            sides = (printer.write(line.expression, leaves), printer.write(line.expression, numbers))
            rows.append((name, *dict.fromkeys((*sides, printer.value(self.values[line.expression])))))
        return rows

    def _styled(self, letters: Alphabet, digits: int) -> list[tuple[str, str]]:
        """The pieces of the text, each with rich's name for how it looks."""
        printer = (Code if letters == "code" else Text)(digits)
        letter = alphabet(letters, looks_ahead(self.rule))
        pieces = [(self.title, "bold")]
        for name, expression, *numbers in self._rows(printer, letters):
            pieces += [(f"\n  {name}", "bold"), (f" ← {expression}", "")]
            pieces += [(f" = {number}", "cyan") for number in numbers]
        moved = printer.letter(letter("theta"))
        pieces += [(f"\n  moved {moved} by " if letters == "code" else f"\n  Δ{moved} = ", "bold")]
        pieces += [(printer.value(self.step), "bold cyan")]
        if self.kept:
            errors = {name: f"{x!s} ({float(x) - self.computed[name]:+.1e})" for name, x in self.kept.items()}
            listed = ", ".join(f"{printer.letter(letter(name))} = {error}" for name, error in errors.items())
            pieces.append((f"\n  kept as {self.dtype}: {listed}", "dim"))
        return pieces

    def __str__(self) -> str:
        return self.text()

    def __rich__(self) -> "RichText":
        return self.rich()

    def _repr_html_(self) -> str:
        return self.mathml()
