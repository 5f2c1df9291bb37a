"""Whether what would run is minidl's own code: a fast path executes the user's program, or is not taken."""

import os
from functools import partial
from itertools import chain
from typing import Any

from .autograd import Op

HOOKS = "_forward_hooks"  # of a module, see nn/_forward_hooks.py
_HERE = os.path.dirname(__file__) + os.sep


def made_here(function: Any) -> bool:
    """Whether `function` is minidl's own, and not one that was put in its place or around it.

    A partial of a function is, if all functions in it are; an op, if its forward, its formulas and its kernels are.
    """
    if isinstance(function, Op):
        held = vars(function)
        computing = [held["forward"], held["__wrapped__"], *filter(None, held["formulas"])]
        return all(map(made_here, chain(computing, *held.get("kernels", {}).values())))
    if isinstance(function, partial):
        parts = function.func, *function.args, *function.keywords.values()
        return all(made_here(part) for part in parts if callable(part))
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith(_HERE)


def overridden(thing: Any, *names: str) -> str | None:
    """The first of these attributes of `thing` that is not minidl's own, in words; None if all are.

    It may have been overridden in a subclass, put into a class of minidl's, or set on the instance alone; `HOOKS` are
    functions that are registered there.
    """
    kind = type(thing)
    held = getattr(thing, "__dict__", {})
    for name in names:
        if name in held and not name.startswith("__"):  # Python looks up __call__ and its like on the class
            what = "a forward hook was registered" if name == HOOKS else f"{name} was set"
            return f"{what} on this {kind.__name__}"
        found = getattr(kind, name, None)
        if isinstance(found, property):
            found = found.fget
        if found is not None and not made_here(found) and found is not getattr(object, name, None):
            return f"{kind.__name__}.{name} is not minidl's own"
    return None
