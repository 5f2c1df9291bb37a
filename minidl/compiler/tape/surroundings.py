"""What a recorded step depends on beside its batch: attributes of modules, variables of functions.

A recorded step repeats what these were; if one has changed, it has to be recorded anew. Looked at
are the attributes of the model and of its modules; and of the loss and of each `forward` its
defaults, the variables that it takes from outside, and of objects among them the attributes that
it names.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from ...autograd import Node, Op
from ...nn import Module
from ...overrides import made_here

_PLAIN = int, float, complex, str, bytes, bool, type(None), np.generic
_OTHERS = type, np.ndarray, np.random.Generator, Node, Op  # known by what they are
_KNOWN = "minidl", "numpy"  # modules that do not change
_DEPTH = 3  # attributes of attributes


Read = Callable[[], Any]


class Dependence(NamedTuple):
    """One thing that a step depends on: its name, how it is read, and what it was.

    `members`: those of a container, which may change while it stays the same object; else None.
    """

    name: str
    read: Read
    value: Any
    members: tuple[Any, ...] | None


def surroundings(model: Any, loss: Any) -> list[Dependence]:
    """All that a step of `model` and `loss` depends on, as it is now."""
    found: dict[str, Read] = {}
    seen: set[int] = set()
    functions = [loss, model if not isinstance(model, Module) else None]
    if isinstance(model, Module):
        for path, module in model.named_modules():
            place, held = f"{path}." if path else "", vars(module)
            found[f"the attributes of {path or 'the model'}"] = partial(len, held)
            found |= {place + name: partial(held.get, name) for name in held}
            functions.append(type(module).forward)
    for function in functions:
        found.update(_variables(function, seen))
    for name, read in list(found.items()):
        value = read()
        if isinstance(value, Node):
            found[f"{name}.data"] = partial(getattr, value, "data")
            found[f"{name}.requires_grad"] = partial(getattr, value, "requires_grad")
    known = []
    for name, read in found.items():
        value = read()
        known.append(Dependence(name, read, value, _members(value)))
    return known


def changed(known: list[Dependence]) -> str | None:
    """The name of the first thing that is not what it was; None if all is."""
    for name, read, before, members in known:
        now = read()
        if now is before and members is None:
            continue
        if not _same(now, before, members):
            return name
    return None


def drawn() -> Any:
    """Where Python's and NumPy's own streams of random numbers are: no step may depend on them."""
    return random.getstate()[1][-1], hash(random.getstate()), _numpy_position()


def _numpy_position() -> Any:
    state = np.random.get_state(legacy=False)
    return state["state"]["pos"], state["state"]["key"][0]


def _variables(function: Any, seen: set[int]) -> Iterator[tuple[str, Read]]:
    """What a function takes from outside, and what the functions among that take."""
    owner = getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        owner, function = function, vars(type(function)).get("__call__")
    if not isinstance(function, FunctionType) or id(function) in seen or made_here(function):
        return
    seen.add(id(function))
    names = _named(function.__code__)
    yield f"a default of {function.__name__}", partial(getattr, function, "__defaults__")
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    outside: dict[str, Read] = {f"{function.__name__}'s object": partial(_itself, owner)}
    outside |= {name: partial(getattr, cell, "cell_contents") for name, cell in cells}
    held = function.__globals__
    outside |= {name: partial(held.get, name) for name in names if name in held}
    for name, read in outside.items():
        yield from _reached(name, read, names, seen, _DEPTH)


def _itself(value: Any) -> Any:
    return value


def _named(code: CodeType) -> tuple[str, ...]:
    """The names that a function's code uses, and that of functions and comprehensions within it."""
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return (*code.co_names, *(name for c in inner for name in _named(c)))


def _reached(
    name: str, read: Read, names: tuple[str, ...], seen: set[int], depth: int
) -> Iterator[tuple[str, Read]]:
    """A thing, and of what else it is the attributes called one of `names`."""
    value = read()
    yield name, read
    if isinstance(value, FunctionType | MethodType):
        yield from _variables(value, seen)
    elif depth and not isinstance(value, _PLAIN + _OTHERS) and not isinstance(value, Module):
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] in (
            "minidl",
            "numpy",
        ):
            return
        for attribute in names:
            if attribute in getattr(value, "__dict__", ()) or hasattr(type(value), attribute):
                there = partial(getattr, value, attribute, None)
                yield from _reached(f"{name}.{attribute}", there, names, seen, depth - 1)


def _members(value: Any) -> tuple[Any, ...] | None:
    """What is in a container, and in those in it; None for anything else."""
    if isinstance(value, list | tuple | set):
        return (*value, *_inner(value))
    if isinstance(value, dict):
        return (*value.keys(), *value.values(), *_inner(value.values()))
    if isinstance(value, MethodType):  # made anew each time it is looked up
        return value.__self__, value.__func__
    return None


def _inner(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | set | dict | tuple):
            yield from _members(value) or ()


def _same(now: Any, before: Any, members: tuple[Any, ...] | None) -> bool:
    """Whether a thing is as it was: the same object, an equal number, or of the same members."""
    if members is None:
        return _equal(now, before)
    found = _members(now) if type(now) is type(before) else None
    if found is None or len(found) != len(members):
        return False
    return all(map(_equal, found, members))


def _equal(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, _PLAIN) and bool(a == b))
