"""What an object is made of, to any depth: how a module finds the layers and parameters among its attributes."""

from collections import UserList, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from functools import partial
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any

import numpy as np

from ..autograd import Node, Op
from ..errors import OptionError

Named = tuple[str, Any]

_SEQUENCES = (list, tuple, deque, UserList, ValuesView)
_PLAIN = {int, float, bool, str, bytes, type(None)}  # looked up first: most attributes are one of these
_CLOSED = (Node, Op, type)


def members(inside: Iterable[Named], wanted: Any, owned: tuple[type, ...]) -> Iterator[Named]:
    """Everything of class `wanted` in `inside`, with the path that leads to it, in its order.

    Lists, tuples, dicts and other mappings, arrays of objects, dataclasses, and whatever can be called (functions with
    their closures and defaults, partials, bound methods, objects of one's own) are looked into, to any depth; what is
    of an `owned` class is not: it answers for itself. Raises `OptionError` for a set with something of an `owned` class
    in it, which has no order and so no lasting names to give.
    """
    closed = owned + _CLOSED
    seen: dict[int, Any] = {}  # what has been looked into, kept alive so that no other gets its id
    stack = [("", iter(inside))]
    while stack:
        prefix, items = stack[-1]
        for name, value in items:
            if type(value) in _PLAIN:
                continue
            if isinstance(value, wanted):
                yield f"{prefix}{name}", value
            elif not isinstance(value, closed) and id(value) not in seen:
                seen[id(value)] = value
                if isinstance(value, Set):
                    _refuse(f"{prefix}{name}", value, owned)
                stack.append((f"{prefix}{name}.", iter(contents(value))))
                break
        else:
            stack.pop()


def contents(value: Any) -> Iterable[tuple[Any, Any]]:
    """What `value` holds, each with its key, number or name; nothing if it is not one of those that are looked into."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, _SEQUENCES):
        return enumerate(value)
    if isinstance(value, np.ndarray):
        return enumerate(value.flat) if value.dtype == object else ()
    if isinstance(value, partial):
        return [("func", value.func), *enumerate(value.args), *value.keywords.items()]
    if isinstance(value, MethodType):
        return [("__self__", value.__self__), ("__func__", value.__func__)]
    if isinstance(value, FunctionType):
        return [*_enclosed(value), *vars(value).items()]
    if callable(value) or hasattr(value, "__dataclass_fields__") or isinstance(value, SimpleNamespace):
        return attributes(value)
    return ()


def attributes(holder: Any, slots: Sequence[str] | None = None) -> Iterable[Named]:
    """The attributes of an object: in the `slots` of its classes (where they are known already), and of its own."""
    slots = slots_of(type(holder)) if slots is None else slots
    own = getattr(holder, "__dict__", {}).items()
    return [*[(name, getattr(holder, name)) for name in slots if hasattr(holder, name)], *own] if slots else own


def slots_of(kind: type) -> list[str]:
    """The names of the slots in instances of `kind`, as `getattr` takes them."""
    found: list[str] = []
    for base in reversed(kind.__mro__):
        given = vars(base).get("__slots__", ())
        hidden = f"_{base.__name__.lstrip('_')}"
        names = [given] if isinstance(given, str) else given
        found += [hidden + name if name.startswith("__") and not name.endswith("__") else name for name in names]
    return [name for name in found if name not in ("__dict__", "__weakref__")]


def _enclosed(function: FunctionType) -> Iterator[Named]:
    """What a function's closure and its parameters' defaults hold, by the names that it calls them."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not given a value yet
            continue
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    yield from zip(positional[len(positional) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _refuse(path: str, found: Set[Any], owned: tuple[type, ...]) -> None:
    held = next(members([("", item) for item in found], owned, owned), None)
    if held is not None:
        raise OptionError(
            f"{path} is a set with a {type(held[1]).__name__} in it: a set has no order, so its parameters would have "
            f"other names in every run: use a list"
        )
