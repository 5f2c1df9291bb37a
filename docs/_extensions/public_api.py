"""What is public, and a warning for every public name that is on no page.

A module is public if it has an ``__all__``. A name that several of them have (`minidl.load`, `minidl.train.load`)
is described once: under the shortest of its names, on the page of the module in which it is written.
"""

import importlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import minidl

log = logging.getLogger(__name__)
PACKAGE = Path(minidl.__file__).parent


class Public(NamedTuple):
    """One object, the name it is described under, the module whose page it is on, and its other names."""

    value: Any
    kind: str
    name: str
    page: str
    aliases: tuple[str, ...]


@cache
def public_modules() -> tuple[str, ...]:
    """The names of all modules that have an ``__all__``, parents before children."""
    files = [path for path in PACKAGE.rglob("*.py") if re.search(r"^__all__\b", path.read_text("utf-8"), re.MULTILINE)]
    parts = [path.relative_to(PACKAGE.parent).with_suffix("").parts for path in files]
    names = [".".join(part for part in way if part != "__init__") for way in parts]
    return tuple(sorted(name for name in names if "._" not in name))


def members(module: str) -> dict[str, Any]:
    """What the ``__all__`` of a module names."""
    holder = importlib.import_module(module)
    return {name: getattr(holder, name) for name in holder.__all__}


@cache
def public_objects() -> dict[str, Public]:
    """Every object that is not a module, under each of its full names."""
    names: dict[int | str, list[str]] = {}
    values: dict[int | str, Any] = {}
    for module in public_modules():
        for name, value in members(module).items():
            full = f"{module}.{name}"
            key = full if kind_of(value) == "data" else id(value)  # equal numbers may be one object, and two things
            names.setdefault(key, []).append(full)
            values[key] = value
    described = [_described(values[key], found) for key, found in names.items() if not inspect.ismodule(values[key])]
    return {name: public for public in described for name in (public.name, *public.aliases)}


def _described(value: Any, names: list[str]) -> Public:
    written = getattr(value, "__module__", None) or ""
    called = getattr(value, "__name__", "")
    modules = [name.rpartition(".")[0] for name in names]
    page = max(modules, key=lambda module: (f"{written}.".startswith(f"{module}."), len(module)))
    name = min(names, key=lambda name: (name.rpartition(".")[2] != called, name.count("."), name))
    return Public(value, kind_of(value), name, page, tuple(other for other in names if other != name))


def kind_of(value: Any) -> str:
    """Is it a "module", a "class", a "function" or "data"? What can be called, an op above all, is a function."""
    if inspect.ismodule(value):
        return "module"
    return "class" if inspect.isclass(value) else "function" if callable(value) else "data"


def note_aliases(app: Sphinx, env: BuildEnvironment) -> None:
    """Let links to any of an object's names arrive at its description."""
    known = env.domains.python_domain.objects
    for public in public_objects().values():
        if public.name in known:
            place = known[public.name]
            for alias in public.aliases:
                known[alias] = ObjectEntry(place.docname, place.node_id, place.objtype, aliased=True)


def check_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, which fails a build with ``-W``, of public names that are on no page or have no docstring."""
    domain = env.domains.python_domain
    for module in public_modules():
        for name, value in members(module).items():
            full = f"{module}.{name}"
            documented = value.__name__ in domain.modules if inspect.ismodule(value) else full in domain.objects
            if not documented:
                log.warning("%s is public, being in __all__, and is on no page", full, type="minidl", subtype="name")
            elif kind_of(value) != "data" and not inspect.getdoc(value):
                log.warning("%s is public, and has no docstring", full, type="minidl", subtype="name")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("env-updated", note_aliases)
    app.connect("env-check-consistency", check_names)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
