"""Write the lists in numpy.md: NumPy's functions that take Tensors, and how often each one's gradient is checked.

``python docs/list_numpy.py``, from the registry of ops (tests/support/op_cases.py); a test holds the page to it.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests/support"))
from op_cases import CASES, CONSTANT  # noqa: E402

from minidl import ops  # noqa: E402
from minidl.ops.namesakes import ANSWERED, NAMESAKES  # noqa: E402

CHECKED: Counter[str] = Counter()  # by name: how many sets of arguments
for case in CASES:
    CHECKED[case.op] += len(case.shapes)
NAMES: dict[Any, list[str]] = {}
for name in ops.__all__:
    NAMES.setdefault(getattr(ops, name), []).append(f"`{name}`")
for theirs, ours in NAMESAKES.items():
    if getattr(theirs, "__module__", "") == "numpy.linalg":
        NAMES.setdefault(ours, []).append(f"`linalg.{theirs.__name__}`")


def differentiable() -> Iterator[str]:
    """A table for each file of ops/, under what the file says it holds."""
    functions = sorted((f for f in NAMES if own_name(f) in CHECKED), key=lambda f: (f.__module__, own_name(f)))
    home = ""
    for function in functions:
        if function.__module__ != home:
            home = function.__module__
            title = (inspect.getdoc(sys.modules[home]) or "").partition("\n")[0].strip(".").replace("`", "")
            yield from ("", f"### {title}", "", "| function | what it is | orders 1 and 2 |", "|---|---|---:|")
        names = sorted(NAMES[function], key=lambda name: (name != f"`{own_name(function)}`", name))
        yield f"| {', '.join(names)} | {summary(function)} | {CHECKED[own_name(function)]} checks |"


def own_name(function: Callable[..., Any]) -> str:
    """The name that the function was defined under, after linalg. if that is where it is found."""
    name = getattr(function, "name", "") or function.__name__
    return name if getattr(ops, name, None) is function else f"linalg.{name}"


def summary(function: Callable[..., Any]) -> str:
    """The first paragraph of its docstring, fit for a table."""
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split()).replace("|", "\\|")


def answered() -> str:
    """The names of what is answered without a gradient."""
    names = {function.__name__ for function in ANSWERED} | {name for name in CONSTANT if name in ops.__all__}
    return ", ".join(f"`{name}`" for name in sorted(names))


def written(page: str) -> str:
    """`page` with both lists as they are today."""
    lists = {"differentiable": "\n".join(differentiable()).strip(), "answered": answered()}
    for mark, text in lists.items():
        before, begin, rest = page.partition(f"<!-- list: {mark} -->\n")
        page = before + begin + "\n" + text + "\n\n<!-- end -->" + rest.partition("<!-- end -->")[2]
    return page


if __name__ == "__main__":
    path = DOCS / "numpy.md"
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
