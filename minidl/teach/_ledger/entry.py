"""One entry of the ledger: a step of one element, as the rule's own equation with every number in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...optim.execution.plan import Scalars, in_order
from ...optim.rule import Rule
from ..notation.assignments import Line, lines, looks_ahead
from ..notation.letters import Alphabet
from ..notation.notes import Note, note_lines, noted
from . import writing
from .sentences import Decimal, Language

if TYPE_CHECKING:
    from rich.text import Text as RichText

_NOISE = 1e-12  # of a number: what float64 rounds, and nobody wants to see


@dataclass(frozen=True, eq=False)
class Entry:
    """What one step did to one element of a parameter: ``print(entry)`` shows it.

    `where` names the element; `rule` is the rule of that step, its schedules read; `before` and `after` hold
    theta and the state by name, before the step and after; `g` is the gradient, `dtype` that of the parameter.
    `first` is the ledger's first entry for the same element (None if that is this one), `diverged` the step at which
    the element ceased to be a finite number. `note` is "A" or "B" in an entry that has been read `in_note`.
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
    diverged: int | None = None
    note: Note = "code"

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
        """The rule's lines, in the order in which they are executed; or a note's."""
        return lines(self.rule) if self.note == "code" else note_lines(self.rule, self.note)

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
        """The stored numbers that are not the computed ones (to 1e-12), by name, in the parameter's dtype."""
        stored = {name: x for name, x in self.after.items() if name != "theta" or not self.apart}
        pairs = [(name, x, self.computed[name]) for name, x in stored.items()]
        return {name: self.dtype.type(x) for name, x, exact in pairs if _differ(x, exact)}

    @property
    def apart(self) -> bool:
        """Whether theta here is not what the parameter holds: in a note's lines for a rule that looks ahead."""
        return self.note != "code" and looks_ahead(self.rule)

    def fits(self, note: Note) -> bool:
        """Whether the note has this rule, in the convention in which the step was made."""
        own = noted(type(self.rule), note)
        return own is not None and not own.differing(self.rule, self.lr)

    def in_note(self, note: Note) -> "Entry":
        """The same step in the note's own equations, if it `fits`; itself if it does not.

        A note that looks ahead writes of θ, where minidl's parameter holds the look-ahead point.
        """
        if self.note == note or not self.fits(note):
            return self
        before, after = (
            {**values, "theta": self.rule.iterate(*(values[name] for name in ("theta", *self.rule.state)))}
            for values in (self.before, self.after)
        )
        first = None if self.first is None else self.first.in_note(note)
        return replace(self, before=before, after=after, first=first, note=note)

    def text(
        self, letters: Alphabet = "code", digits: int = 6, *, note: Note | None = None, language: Language = "en",
        decimal: Decimal | None = None,
    ) -> str:  # fmt: skip
        """The entry as plain text, a line of the rule on a line.

        Args:
            letters: those in which minidl's lines are written: "code", "A" or "B" (the notes').
            digits: significant ones.
            note: "A" or "B" for the lines of the note itself, in its convention, order and letters. Where it has no
                such lines, or the training is in another convention, minidl's are written in its letters, and a
                last line says so. "code" is ``letters="code"``.
            language: "en", "es" or "it".
            decimal: "." or ","; by default what the language has. The code's own names always go with a point.

        Raises `OptionError` for what is none of these, and for a note together with other letters.
        """
        return "".join(part for part, _ in writing.styled(self, letters, digits, note, language, decimal))

    def rich(
        self, letters: Alphabet = "code", digits: int = 6, *, note: Note | None = None, language: Language = "en",
        decimal: Decimal | None = None,
    ) -> "RichText":  # fmt: skip
        """The same with colours, for `rich.print`."""
        from rich.text import Text as RichText

        return RichText.assemble(*writing.styled(self, letters, digits, note, language, decimal))

    def latex(
        self, letters: Alphabet = "code", digits: int = 6, *, note: Note | None = None, decimal: Decimal = "."
    ) -> str:
        r"""The lines as LaTeX: an ``aligned`` environment, to be put between ``\[`` and ``\]``."""
        return writing.latex(self, letters, digits, note, decimal)

    def mathml(
        self, letters: Alphabet = "code", digits: int = 6, *, note: Note | None = None, decimal: Decimal = "."
    ) -> str:
        """The lines as MathML: one ``math`` element, a table with a row for each."""
        return writing.mathml(self, letters, digits, note, decimal)

    def __str__(self) -> str:
        return self.text()

    def __rich__(self) -> "RichText":
        return self.rich()

    def _repr_html_(self) -> str:
        return self.mathml()


def _differ(x: float, exact: float) -> bool:
    """Whether two numbers are more than noise apart; two that are no numbers are not."""
    if x != x or exact != exact:
        return (x == x) != (exact == exact)
    return x != exact and not abs(x - exact) <= _NOISE * abs(exact)
