"""Under each update rule: the lines that its code carries out, as MathML, in the letters of both notes.

They are read off the rule itself, as `minidl explain` does it, so they cannot differ from what trains.
"""

import inspect
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

from minidl.optim.execution.plan import in_order
from minidl.optim.rule import Rule
from minidl.optim.symbols import Symbol
from minidl.teach.notation.assignments import lines as assignments
from minidl.teach.notation.assignments import looks_ahead
from minidl.teach.notation.formats import MathML
from minidl.teach.notation.letters import alphabet

ROW = "<mtr><mtd>{}</mtd><mtd><mo>←</mo></mtd><mtd>{}</mtd></mtr>"


def equations(rule: Rule, letters: str) -> str:
    """The rule's lines as one ``math`` element, in the letters of note "A" or "B"."""
    printer = MathML(digits=6)
    letter = alphabet(letters, looks_ahead(rule))
    rows = []
    for line in assignments(rule):
        parts = [x for x in in_order([line.expression]) if isinstance(x, Symbol) and not x.args]
        leaves = {x: letter(x.op) for x in parts} | {x: letter(name) for x, name in line.known.items()}
        rows.append(ROW.format(printer.letter(letter(line.name)), printer.write(line.expression, leaves)))
    return f'<math><mtable displaystyle="true">{"".join(rows)}</mtable></math>'


def show(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Add the equations to the docstring of a rule."""
    if inspect.isclass(obj) and issubclass(obj, Rule) and obj is not Rule:
        lines += ["", "What it carries out with its defaults, read off its code:", "", *_boxes(obj())]


def _boxes(rule: Rule) -> Iterator[str]:
    yield from (".. raw:: html", "", '   <div class="equations">')
    for letters in "AB":
        yield f"   <figure><figcaption>in the letters of note {letters}</figcaption>{equations(rule, letters)}</figure>"
    yield "   </div>"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("autodoc-process-docstring", show, priority=600)  # after docstrings.py
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
