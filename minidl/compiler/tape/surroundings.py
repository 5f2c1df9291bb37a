"""What a recorded step depends on beside its batch: all that model and loss can reach.

A recorded step repeats what these were; if one has changed, it has to be recorded anew. Looked at
are, from the model and the loss on, the attributes of modules and of objects of the user's own
classes, of the classes too; what functions and methods take from outside (closures, globals,
defaults); the members of containers; the numbers in arrays. Of other objects it is the attributes
that such a function names. What cannot be followed (an iterator, a property of somebody else's)
raises `UnfollowedError`.
"""

import functools
import inspect
import random
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from types import (
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any, NamedTuple

import numpy as np

from ...autograd import Node, Op
from ...nn import Module
from ...nn._module import Buffer, Parameter
from ...overrides import made_here

MOST = 5000  # things that a step may depend on
LARGEST = 1 << 24  # bytes of an array whose numbers are compared

_PLAIN = int, float, complex, str, bytes, bool, type(None), np.generic, np.dtype, type(...), range
_STREAMS = random.Random, np.random.Generator, np.random.RandomState
_CONTAINERS = list, tuple, set, frozenset, deque
Read = Callable[[], Any]


class UnfollowedError(Exception):
    """Something that a step depends on changes in ways that cannot be looked at."""


class Dependence(NamedTuple):
    """One thing that a step depends on: its name, how it is read, and what it was.

    `content`: of a container its members, of an array its numbers, of a stream its state, which
    may change while it stays the same object; else None.
    """

    name: str
    read: Read
    value: Any
    content: Any


def surroundings(model: Any, loss: Any) -> list[Dependence]:
    """All that a step of `model` and `loss` depends on, as it is now. Raises `UnfollowedError`."""
    walk = _Walk()
    walk.reach("the model", partial(_itself, model), ())
    walk.reach("the loss", partial(_itself, loss), ())
    while walk.waiting:
        name, read, names = walk.waiting.pop()
        walk.visit(name, read, names)
        if len(walk.known) > MOST:
            raise UnfollowedError(f"more than {MOST} things, of which {name} is one")
    return walk.known


def changed(known: list[Dependence]) -> str | None:
    """The name of the first thing that is not what it was; None if all is."""
    for name, read, before, content in known:
        now = read()
        if now is before:
            if content is None or _same(_content(now), content):
                continue
        elif _equal(now, before):
            continue
        return name
    return None


class _Walk:
    """Goes from thing to thing; `known` is what was found, `waiting` what is to be visited."""

    def __init__(self) -> None:
        self.known: list[Dependence] = []
        self.waiting: list[tuple[str, Read, tuple[str, ...]]] = []
        self._seen: set[Any] = set()
        self._held: list[Any] = []  # alive, so that no two have the same id

    def reach(self, name: str, read: Read, names: tuple[str, ...]) -> None:
        """Note a thing to be visited; `names`: attributes that the code which reaches it uses."""
        self.waiting.append((name, read, names))

    def visit(self, name: str, read: Read, names: tuple[str, ...]) -> None:
        """Note what a thing is now, and reach for what is in it."""
        value = read()
        if isinstance(value, MethodType):  # made anew each time it is looked up
            self.reach(f"{name}'s object", partial(_itself, value.__self__), names)
            self.reach(name, partial(_itself, value.__func__), names)
            return
        self.known.append(Dependence(name, read, value, _content(value)))
        if isinstance(value, _PLAIN) or (id(value), names) in self._seen:
            return
        self._seen.add((id(value), names))
        self._held.append(value)
        self._inside(name, value, names)

    def _inside(self, name: str, value: Any, names: tuple[str, ...]) -> None:
        """Reach for what is in a thing."""
        if isinstance(value, Node):
            self._tensor(name, value)
        elif isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, partial):
            for part in (value.func, value.args, value.keywords):
                self.reach(name, partial(_itself, part), names)
        elif isinstance(value, Op):
            self._op(name, value, names)
        elif isinstance(value, dict):
            for key, member in value.items():
                self.reach(f"{name}[{key!r}]", partial(_itself, member), names)
        elif isinstance(value, _CONTAINERS):
            for i, member in enumerate(value):
                self.reach(f"{name}[{i}]", partial(_itself, member), names)
        elif isinstance(value, np.ndarray):
            if value.dtype.hasobject or value.nbytes > LARGEST:
                raise UnfollowedError(
                    f"{name}, an array of {value.dtype} and {value.nbytes:,} bytes"
                )
        elif isinstance(value, ModuleType):
            if not _library(value.__name__):
                for attribute in {*names} & vars(value).keys():
                    read = partial(vars(value).get, attribute)
                    self.reach(f"{name}.{attribute}", read, names)
        elif isinstance(value, type):
            self._class(name, value, names)
        elif hasattr(type(value), "__next__"):
            raise UnfollowedError(f"{name}, an iterator")
        elif not isinstance(value, _STREAMS):
            self._object(name, value, names)

    def _tensor(self, name: str, value: Node) -> None:
        self.known.append(_dependence(f"{name}.requires_grad", value, "requires_grad"))
        self.known.append(_dependence(f"{name}.data", value, "data"))
        if isinstance(value, Parameter | Buffer):  # whose array the program reads itself
            self.known[-1] = self.known[-1]._replace(content=None)

    def _op(self, name: str, op: Any, names: tuple[str, ...]) -> None:
        for part in ("forward", "formulas", "kernels"):
            read = partial(getattr, op, part, None)
            self.known.append(Dependence(f"{name}.{part}", read, read(), _content(read())))
        if not _library(getattr(op, "__module__", "") or ""):
            self.reach(f"{name}'s forward", partial(_itself, inspect.unwrap(op)), names)
            self.reach(f"{name}'s formulas", partial(_itself, op.formulas), names)

    def _function(self, function: FunctionType) -> None:
        """What a function takes from outside."""
        if made_here(function) or _library(function.__module__ or ""):
            return
        names, name = _named(function.__code__), function.__name__
        for attribute in ("__code__", "__defaults__", "__kwdefaults__"):
            read = partial(getattr, function, attribute)
            self.known.append(Dependence(f"{name}.{attribute}", read, read(), None))
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self.reach(f"a default of {name}", partial(_itself, default), names)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for variable, cell in cells:
            self.reach(variable, partial(getattr, cell, "cell_contents", None), names)
        held = function.__globals__
        for variable in {*names} & held.keys():
            self.reach(variable, partial(held.get, variable), names)
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self.reach(f"what {name} wraps", partial(_itself, wrapped), names)

    def _object(self, name: str, value: Any, names: tuple[str, ...]) -> None:
        """Attributes: of the user's own classes and of modules all, of others those named."""
        kind = type(value)
        own = not _library(kind.__module__) or isinstance(value, Module | SimpleNamespace)
        held = getattr(value, "__dict__", {})
        if own:
            self.known.append(
                Dependence(f"the attributes of {name}", partial(len, held), len(held), None)
            )
        for attribute in held if own else {*names} & held.keys():
            self.reach(f"{name}.{attribute}", partial(held.get, attribute), names)
        if own:
            self._slots(name, value, kind, names)
            self._class(name, kind, names)
            return
        for attribute in {*names} - held.keys():
            self._inherited(name, value, attribute, names)

    def _slots(self, name: str, value: Any, kind: type, names: tuple[str, ...]) -> None:
        for base in kind.__mro__:
            slots = vars(base).get("__slots__", ())
            for attribute in (slots,) if isinstance(slots, str) else slots:
                self.reach(f"{name}.{attribute}", partial(getattr, value, attribute, None), names)

    def _inherited(self, name: str, value: Any, attribute: str, names: tuple[str, ...]) -> None:
        """An attribute of somebody else's object that its class has."""
        found = inspect.getattr_static(type(value), attribute, None)
        if isinstance(found, property | GetSetDescriptorType | functools.cached_property):
            if not _ours(type(value).__module__):
                raise UnfollowedError(
                    f"{name}.{attribute}, which a {type(value).__name__} works out"
                )
            self.reach(f"{name}.{attribute}", partial(getattr, value, attribute, None), names)

    def _class(self, name: str, kind: type, names: tuple[str, ...]) -> None:
        """The methods and attributes of a user's own class, and of its own bases."""
        for base in kind.__mro__:
            if _library(base.__module__):
                continue
            if base in self._seen:
                continue
            self._seen.add(base)
            for attribute, found in vars(base).items():
                if attribute in _OF_CLASSES or isinstance(found, GetSetDescriptorType):
                    continue
                read = partial(vars(base).get, attribute)
                if isinstance(found, staticmethod | classmethod):
                    self.reach(attribute, partial(_itself, found.__func__), names)
                elif isinstance(found, property):
                    self.reach(attribute, partial(_itself, found.fget), names)
                elif not inspect.ismemberdescriptor(found):
                    self.reach(f"{base.__name__}.{attribute}", read, names)


_OF_CLASSES = {  # attributes of classes that tell nothing of what a step does
    "__abstractmethods__", "__annotations__", "__dataclass_fields__", "__dataclass_params__",
    "__dict__", "__doc__", "__firstlineno__", "__match_args__", "__module__", "__orig_bases__",
    "__parameters__", "__qualname__", "__slots__", "__static_attributes__", "__weakref__",
    "_abc_impl",
}  # fmt: skip


def _dependence(name: str, value: Any, attribute: str) -> Dependence:
    read = partial(getattr, value, attribute)
    return Dependence(name, read, read(), _content(read()))


def _library(module: str) -> bool:
    """Whether a module is minidl's, NumPy's or Python's own, whose code does not change."""
    root = module.partition(".")[0]
    return _ours(module) or root == "numpy" or root in sys.stdlib_module_names - {"__main__"}


def _ours(module: str) -> bool:
    return module.partition(".")[0] == __package__.partition(".")[0]


def _named(code: CodeType) -> tuple[str, ...]:
    """The names that a function's code uses, and that of functions and comprehensions within it."""
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return (*code.co_names, *(name for c in inner for name in _named(c)))


def _itself(value: Any) -> Any:
    return value


def _content(value: Any) -> Any:
    """What may change in a thing that stays the same object; None if nothing does."""
    if isinstance(value, np.ndarray):
        return None if value.nbytes > LARGEST or value.dtype.hasobject else value.tobytes()
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    if isinstance(value, list | set | deque):
        return tuple(value)
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, np.random.RandomState):
        return repr(value.get_state(legacy=False))
    if isinstance(value, random.Random):
        return value.getstate()
    return None


def _same(now: Any, before: Any) -> bool:
    if isinstance(before, tuple):
        return len(now) == len(before) and all(map(_equal, now, before))
    return bool(now == before)


def _equal(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, _PLAIN) and bool(a == b))


def streams() -> Any:
    """Where Python's and NumPy's own streams of random numbers are: no step may move them."""
    state = np.random.get_state(legacy=False)
    return hash(random.getstate()), state["state"]["pos"], state["state"]["key"][0]
