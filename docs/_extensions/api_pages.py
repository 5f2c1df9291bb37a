"""A page for every public module, from its ``__all__``: its docstring, tables of its names, and what each one is."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docstrings import as_markup
from public_api import Public, kind_of, members, public_modules, public_objects
from sphinx.application import Sphinx
from written_pages import write_pages

import minidl

HEADINGS = {"module": "Modules", "class": "Classes", "function": "Functions", "data": "Data"}
BY_FILE = ("minidl.ops",)  # packages whose names have a table for each of their files, which tell kinds apart
PARAMETER = re.compile(r"(?<!`)`([a-z_]+)`(?!`)")  # in a sentence that stands away from its signature


def describe_modules(app: Sphinx) -> None:
    """Write a page for each public module into docs/api, and remove those of modules that are no more."""
    pages = {f"{module}.rst": "\n".join(_page(module)) + "\n" for module in public_modules()}
    write_pages(Path(app.srcdir) / "api", pages)


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
    bases = public.value.__mro__[1:]
    elsewhere = [base.__name__ for base in bases if id(base) in known or not base.__module__.startswith("minidl")]
    yield ":members:"
    yield f":inherited-members: {', '.join(dict.fromkeys(elsewhere))}"
    if any(id(base) in known for base in public.value.__bases__):
        yield ":show-inheritance:"
    if getattr(vars(public.value).get("__call__"), "__doc__", None):
        yield ":special-members: __call__"


def _tables(module: str) -> Iterator[str]:
    """The module's names as tables, of links and the first sentences of their docstrings; its own names come first."""
    objects = public_objects()
    tables: dict[tuple[str, str, str], list[str]] = {}
    for name, value in members(module).items():
        page = module if inspect.ismodule(value) else objects[f"{module}.{name}"].page
        file = value.__module__ if module in BY_FILE else ""
        tables.setdefault((page if page != module else "", kind_of(value), file), []).append(name)
    for page, kind, file in sorted(tables, key=lambda table: (table[0], list(HEADINGS).index(table[1]), table[2])):
        heading = f"{HEADINGS[kind]} of :py:obj:`{page}`" if page else _topic(file) if file else HEADINGS[kind]
        yield from (f".. rubric:: {heading}", "", ".. list-table::", "   :class: names", "   :widths: auto", "")
        for name in sorted(tables[page, kind, file]):
            value = members(module)[name]
            target = value.__name__ if kind == "module" else objects[f"{module}.{name}"].name
            same = kind == "module" or target.rpartition(".")[2] == name
            yield f"   * - :py:obj:`{name} <{target}>`"
            yield f"     - {_first_sentence(value, kind) if same else f'Another name of :py:obj:`{target}`.'}"
        yield ""


def _topic(file: str) -> str:
    """What a module is about: its docstring's first words, up to what is said besides."""
    return re.split(r"[.;(]", importlib.import_module(file).__doc__ or file)[0].strip()


def _first_sentence(value: Any, kind: str) -> str:
    if kind == "data":
        return ""
    paragraph = " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[.!?]) +(?=[A-Z`])", paragraph)[0].removesuffix("::")
    return as_markup(PARAMETER.sub(r"``\1``", sentence))


def choose(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out of a class what is described elsewhere (an optimizer's rule, what scikit-learn adds to estimators).

    Show methods that ops stand for.
    """
    if any(obj is public.value for public in public_objects().values()):
        return True
    if inspect.isfunction(obj) and not obj.__module__.startswith("minidl"):
        return True
    return False if _stands_for_an_op(obj) else None


def say_which_op(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Give a Tensor's method that has no docstring a link to the function of its name."""
    if what == "method" and _stands_for_an_op(obj):
        lines[:] = [f"See :py:obj:`minidl.{obj.__name__}`."]


def _stands_for_an_op(method: Any) -> bool:
    if not (inspect.isfunction(method) and method.__doc__ is None):
        return False
    home, _, name = method.__qualname__.partition(".")
    return home in ("Tensor", "Methods") and name in minidl.ops.__all__


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", describe_modules)
    app.connect("autodoc-skip-member", choose)
    app.connect("autodoc-process-docstring", say_which_op)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
