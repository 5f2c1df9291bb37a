"""How docstrings are read: plain sentences, Google's sections, and equations, which are set in by four columns."""

import inspect
import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

PAGE = re.compile(r"docs/(\w+)\.md")
TOLD = re.compile(r"\b(Source|Memory|Defaults?|Neighbours): ")
SECTIONS = Config(napoleon_custom_sections=[("Attributes", "params_style")])


def read(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make reStructuredText of a docstring, in place."""
    if what == "data" and "\n".join(lines).strip() == (inspect.getdoc(type(obj)) or "").strip():
        lines.clear()  # a dict, say, has no docstring of its own
    lines[:] = _with_equations(lines)
    lines[:] = _with_lines([as_markup(line) for line in lines])
    if what not in ("property", "attribute", "data"):  # there napoleon takes "Where it lives: ..." for a type
        lines[:] = GoogleDocstring(lines, SECTIONS, app, what, name, obj, options).lines()


def without_addresses(app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str, result: str) -> Any:
    """Leave out of a signature the defaults that are no Python: a function, or what a dataclass makes anew."""
    return (re.sub(r"<function [^>]*>+|<factory>", "...", arguments), result) if arguments else None


def _with_equations(lines: list[str]) -> list[str]:
    """Make a literal block of each block that is set in after an empty line: its columns and lines have a meaning."""
    result: list[str] = []
    above = 0  # how far the paragraph above is set in
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if line.strip() and i and not lines[i - 1].strip() and indent >= above + 4 and _is_prose(result):
            result += [" " * above + "::", ""]
            above = indent
        elif line.strip():
            above = indent
        result.append(line)
    return result


def _with_lines(lines: list[str]) -> list[str]:
    """Keep a rule's last lines apart, which begin with what they tell: Source, Memory, Defaults, Neighbours."""
    result: list[str] = []
    within = False
    for line in lines:
        begins = TOLD.match(line)
        within = bool(begins) or (within and bool(line.strip()))
        apart = TOLD.sub(r"\n| **\1:** ", line).strip().split("\n")
        result += [part if part.startswith("| **") else f"  {part}" for part in apart] if within else [line]
    return result


def as_markup(line: str) -> str:
    """The same line as reStructuredText: the bars of ``|x|`` escaped, and docs/guards.md a link to that page."""
    parts = re.split(r"(``.*?``)", line)
    parts[::2] = [PAGE.sub(r":doc:`/\1`", part.replace("|", r"\|")) for part in parts[::2]]
    return "".join(parts)


def _is_prose(lines: list[str]) -> bool:
    """Whether the paragraph that ends `lines` is neither a list's item, nor a directive, nor an announced block."""
    paragraph: list[str] = []
    for line in reversed(lines):
        if not line.strip() and paragraph:
            break
        paragraph += [line.strip()] if line.strip() else []
    return bool(paragraph) and not paragraph[0].endswith("::") and not re.match(r"([-*+]|\d+\.|\.\.) ", paragraph[-1])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("autodoc-process-docstring", read)
    app.connect("autodoc-process-signature", without_addresses)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
