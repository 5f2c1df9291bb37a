"""What a recorded step depends on beside its batch: attributes of modules, variables of functions.

A recorded step repeats what these were; if one has changed, it has to be recorded anew. Looked at
are the attributes of the model and of its modules; and of the loss and of each `forward` its
defaults, the variables that it takes from outside, and of objects among them the attributes that
it names.
"""

import random
from collections.abc import Callable, Iterator
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


class Dependence(NamedTuple):
    """One thing that a step depends on: its name, how it is read, and what it was."""

    name: str
    read: Callable[[], Any]
    content: tuple[Any, ...]


def surroundings(model: Any, loss: Any) -> list[Dependence]:
    """All that a step of `model` and `loss` depends on, as it is now."""
    found: dict[str, Callable[[], Any]] = {}
    seen: set[int] = set()
    functions = [loss, model if not isinstance(model, Module) else None]
    if isinstance(model, Module):
        for path, module in model.named_modules():
            place = f"{path}." if path else ""
            found[f"the attributes of {path or 'the model'}"] = _names(vars(module))
            found |= {place + name: _item(vars(module), name) for name in vars(module)}
            functions.append(type(module).forward)
    for function in functions:
        found.update(_variables(function, seen))
    return [Dependence(name, read, _content(read())) for name, read in found.items()]


def changed(known: list[Dependence]) -> str | None:
    """The name of the first thing that is not what it was; None if all is."""
    for name, read, content in known:
        now = _content(read())
        if now is not content and not _same(now, content):
            return name
    return None


def drawn() -> Any:
    """Where Python's and NumPy's own streams of random numbers are: no step may depend on them."""
    return random.getstate()[1][-1], hash(random.getstate()), _numpy_position()


def _numpy_position() -> Any:
    state = np.random.get_state(legacy=False)
    return state["state"]["pos"], state["state"]["key"][0]


def _variables(function: Any, seen: set[int]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What a function takes from outside, and what the functions among that take."""
    owner = getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        owner, function = function, vars(type(function)).get("__call__")
    if not isinstance(function, FunctionType) or id(function) in seen or made_here(function):
        return
    seen.add(id(function))
    names = _named(function.__code__)
    yield f"a default of {function.__name__}", lambda: function.__defaults__
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    outside = {f"{function.__name__}'s object": lambda: owner}
    outside |= {name: _cell(cell) for name, cell in cells}
    held = function.__globals__
    outside |= {name: _item(held, name) for name in names if name in held}
    for name, read in outside.items():
        yield from _reached(name, read, names, seen, _DEPTH)


def _named(code: CodeType) -> tuple[str, ...]:
    """The names that a function's code uses, and that of functions and comprehensions within it."""
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return (*code.co_names, *(name for c in inner for name in _named(c)))


def _reached(
    name: str, read: Callable[[], Any], names: tuple[str, ...], seen: set[int], depth: int
) -> Iterator[tuple[str, Callable[[], Any]]]:
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
                there = _attribute(value, attribute)
                yield from _reached(f"{name}.{attribute}", there, names, seen, depth - 1)


def _cell(cell: Any) -> Callable[[], Any]:
    return lambda: cell.cell_contents


def _item(held: dict[str, Any], name: str) -> Callable[[], Any]:
    return lambda: held.get(name)


def _names(held: dict[str, Any]) -> Callable[[], Any]:
    return lambda: tuple(held)


def _attribute(value: Any, name: str) -> Callable[[], Any]:
    return lambda: getattr(value, name, None)


def _content(value: Any) -> tuple[Any, ...]:
    """What of a value has to stay the same: numbers themselves, the members of a container."""
    if isinstance(value, Node):
        return value, value.data, value.requires_grad
    if isinstance(value, list | tuple | set):
        return type(value), *value
    if isinstance(value, dict):
        return (dict, *value.keys(), *value.values())
    if isinstance(value, MethodType):
        return value.__self__, value.__func__
    return (value,)


def _same(now: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    if len(now) != len(before):
        return False
    for a, b in zip(now, before, strict=True):
        if a is not b and not (type(a) is type(b) and isinstance(a, _PLAIN) and a == b):
            return False
    return True
