"""What a note has of a rule: its equations, the convention that they are in, its letters."""

import inspect
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...optim.rule import Rule, Value
from .letters import Letter

Lines = Generator[tuple[str, Value], Value, None]  # a name and a right-hand side; sent back: its value
GradientAt = Callable[[Value], Value]


@dataclass(frozen=True)
class NoteRule:
    """A rule as a note has it.

    `equations` are its lines, a generator. `options` are minidl's settings for which they are minidl's rule too, and
    `values` numbers that the note gives besides. `letters` are those that differ from the rest of the note's, `remark`
    is the name of a sentence about it (sentences.py).
    """

    equations: Callable[..., Any]
    options: Mapping[str, Any]
    letters: Mapping[str, Letter] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    remark: str | None = None

    def differing(self, rule: Rule, lr: float) -> dict[str, tuple[Any, Any]]:
        """The settings in which `rule` is not in the note's convention: by name, the note's and the rule's own."""
        own = {name: lr if name == "lr" else getattr(rule, name) for name in self.options}
        return {name: (asked, own[name]) for name, asked in self.options.items() if asked != own[name]}


def carried_out(equations: Callable[..., Lines], gradient: GradientAt, before: Mapping[str, Value]) -> dict[str, Value]:
    """The values after a step by a note's `equations`, carried out on numbers: `before`, and what the lines give."""
    names = inspect.signature(equations).parameters
    lines = equations(gradient=gradient, **{name: before[name] for name in names if name != "gradient"})
    values, value = dict(before), None
    while True:
        try:
            name, value = lines.send(value)
        except StopIteration:
            return values
        values[name] = value
