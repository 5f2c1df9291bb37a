"""A rule in the equations of a note itself: which lines these are, and how they are written.

The notes' lines are run on symbols, as the rules are, and so become lines with numbers in the same way.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from ...errors import OptionError
from ...optim import rules
from ...optim.rule import Rule
from ...optim.symbols import Symbol
from . import note_a, note_b
from .assignments import Line, looks_ahead
from .gradient import Gradient
from .letters import ALPHABETS, Alphabet, Letter, alphabet
from .noted import NoteRule

Note: TypeAlias = Literal["A", "B", "code"]
_RULES: Mapping[str, Mapping[str, NoteRule]] = {"A": note_a.RULES, "B": note_b.RULES, "code": {}}
_OBJECTIVE = {"A": "f", "B": "J"}


def noted(rule: type[Rule], note: Note) -> NoteRule | None:
    """What a note has of one of minidl's rules; None if that is nothing. Raises `OptionError` for another note."""
    if note not in _RULES:
        raise OptionError(f"note={note!r}: choose one of {', '.join(map(repr, _RULES))}")
    ours = getattr(rules, rule.__name__, None) is rule  # and no rule of somebody's own that has the same name
    return _RULES[note].get(rule.__name__) if ours else None


def convention(rule: type[Rule], note: Note) -> dict[str, Any]:
    """The settings with which minidl's rule trains as the note writes it; none if it does not have it."""
    own = noted(rule, note)
    return {} if own is None else {**own.options, **own.values}


def note_lines(rule: Rule, note: Note) -> list[Line]:
    """The lines of a note for `rule`, in its order; the gradient's is among them in note B, and with weight decay."""
    own = _RULES[note][rule.name]
    inputs = {name: Symbol(name) for name in ("theta", "g", *rule.state)}
    numbers = {name: Symbol(name, scalar=True) for name in (*rule.numbers(), "lr", "t")}
    known: dict[Symbol, str] = {x: name for name, x in inputs.items()}
    found: list[Line] = []

    def assign(name: str, x: Symbol) -> Symbol:
        found.append(Line(name, x, dict(known)))
        known[x] = name
        return x

    def gradient(at: Symbol) -> Symbol:
        g = Gradient(_OBJECTIVE[note]).taken(at, inputs["g"])
        if rule.decays:
            return assign("g", g + numbers["weight_decay"] * at)
        return inputs["g"] if note == "A" else assign("g", g)

    given: dict[str, Any] = inputs | numbers | {"gradient": gradient}
    equations = own.equations(**{name: given[name] for name in inspect.signature(own.equations).parameters})
    value: Symbol | None = None
    while True:
        try:
            value = assign(*equations.send(value))
        except StopIteration:
            return found


class Style(NamedTuple):
    """How lines are written: the letter of a result, that of what goes in, the sign between the sides, typography.

    `options` are a Printer's for the expression in symbols, and `within` for that in numbers; `timed` says that values
    have the time below them, t or t - 1.
    """

    result: Callable[[str], Letter]
    given: Callable[[str], Letter]
    sign: str = "←"
    timed: bool = False
    options: Mapping[str, bool] = {}
    within: Mapping[str, bool] = {}


def in_letters(rule: Rule, letters: Alphabet) -> Style:
    """The style of a rule's own lines, in an alphabet."""
    letter = alphabet(letters, looks_ahead(rule))
    return Style(letter, letter)


def in_note(rule: Rule, note: Note, upright: bool) -> Style:
    """The style of a note; `upright`: where fractions stand upright (LaTeX, MathML), and products need no sign."""
    names = ALPHABETS["A" if note == "A" else "B"] | dict(_RULES[note][rule.name].letters)
    typography = {"typeset": True, "juxtaposed": upright, "elementwise": note == "B"}

    def letter(name: str) -> Letter:
        return names.get(name, Letter(name))

    if note == "B":
        return Style(letter, letter, options=typography, within={"typeset": True})
    changing = {"theta", *rule.state}

    def new(name: str) -> Letter:
        return letter(name)._replace(below="t")

    def old(name: str) -> Letter:
        return letter(name)._replace(below="t-1") if name in changing else new(name) if name == "g" else letter(name)

    return Style(new, old, "=", True, typography, {"typeset": True})
