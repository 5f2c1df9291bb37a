"""A page for every public module, from its ``__all__``: its docstring, a table of its names, and each name's docstring."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docstrings import bars_as_they_are
from public_api import Public, kind_of, members, public_modules, public_objects
from sphinx.application import Sphinx

HEADINGS = {"module": "Modules", "class": "Classes", "function": "Functions", "data": "Data"}


def write_pages(app: Sphinx) -> None:
    """Write a page for each public module into docs/api, and remove those of modules that are no more."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    pages = {f"{module}.rst": "\n".join(_page(module)) + "\n" for module in public_modules()}
    for old in folder.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:  # what is unchanged is not built anew
            path.write_text(text, "utf-8")


def _page(module: str) -> Iterator[str]:
    yield from (module, "=" * len(module), "", f".. automodule:: {module}", "")
    yield from _tables(module)
    here = {public.name: public for public in public_objects().values() if public.page == module}
    for public in sorted(here.values(), key=lambda public: (list(HEADINGS).index(public.kind), public.name)):
        yield f".. py:currentmodule:: {public.name.rpartition('.')[0]}"
        yield ""
        yield f".. auto{public.kind}:: {public.name}"
        yield from (f"   {option}" for option in _options(public))
        yield ""


def _options(public: Public) -> Iterator[str]:
    """What autodoc is told of a class: to list its methods, those too of bases that have no place of their own."""
    if public.kind != "class":
        return
    known = {id(other.value) for other in public_objects().values()}
    foreign = [base for base in public.value.__mro__[1:] if id(base) in known or not base.__module__.startswith("minidl")]
    yield ":members:"
    yield f":inherited-members: {', '.join(dict.fromkeys(base.__name__ for base in foreign))}"
    if any(id(base) in known for base in public.value.__bases__):
        yield ":show-inheritance:"
    if inspect.getdoc(vars(public.value).get("__call__")):
        yield ":special-members: __call__"


def _tables(module: str) -> Iterator[str]:
    """Each kind of name as a table, of links and the first sentences of their docstrings."""
    found = members(module)
    for kind, head in HEADINGS.items():
        names = sorted(name for name in found if kind_of(found[name]) == kind)
        if not names:
            continue
        yield from (f".. rubric:: {head}", "", ".. list-table::", "   :class: names", "   :widths: auto", "")
        for name in names:
            full = f"{module}.{name}"
            target = found[name].__name__ if kind == "module" else public_objects()[full].name
            yield f"   * - :py:obj:`{name} <{target}>`"
            yield f"     - {bars_as_they_are(_first_sentence(found[name], kind))}"
        yield ""


def _first_sentence(value: Any, kind: str) -> str:
    if kind == "data":
        return ""
    paragraph = " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) +(?=[A-Z`])", paragraph)[0].removesuffix("::")


def leave_out(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out of a class what is described elsewhere, such as the rule of an optimizer."""
    return True if any(obj is public.value for public in public_objects().values()) else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", leave_out)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
