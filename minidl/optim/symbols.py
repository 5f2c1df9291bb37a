"""A rule run once on symbols, which answer with its equation instead of a number.

The equation can then be executed over whole vectors (execution/), written out in another
language, or printed.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from ..errors import UnsupportedError

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
_BINDING = {"add": 1, "subtract": 1, "multiply": 2, "divide": 2, "negative": 3, "power": 4}


class Symbol:
    """A named value, or an operation on others: a node of an expression.

    `op` is the name of an input (``args`` is then empty), the name of a NumPy ufunc, or a function of
    scalars (see `scalar_function`). `args` are Symbols and Python numbers, in the order they were
    written. `scalar` marks a single number, computed anew before each step, not an array the size
    of the parameters. Equal expressions are one and the same object.
    """

    __slots__ = ("__weakref__", "args", "op", "scalar")
    op: Any
    args: tuple[Any, ...]
    scalar: bool
    _known: ClassVar[WeakValueDictionary[Any, "Symbol"]] = WeakValueDictionary()

    def __new__(cls, op: str | Callable[..., Any], args: tuple[Any, ...] = (), scalar: bool = False) -> "Symbol":
        key = op, args, scalar
        symbol = cls._known.get(key)
        if symbol is None:
            symbol = super().__new__(cls)
            symbol.op, symbol.args, symbol.scalar = key
            cls._known[key] = symbol
        return symbol

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> "Symbol":
        if method != "__call__" or options or ufunc.nout != 1:
            raise UnsupportedError(f"a rule cannot use numpy.{ufunc.__name__}.{method} with {list(options)} options")
        return apply(ufunc.__name__, *inputs)

    def __array_namespace__(self) -> "Namespace":
        return Namespace()

    def __bool__(self, other: Any = None) -> bool:
        raise UnsupportedError(f"a rule cannot branch on the value of {self}: it is one equation for every step")

    __lt__ = __le__ = __gt__ = __ge__ = __bool__
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other if isinstance(other, Symbol) else self.__bool__()

    # fmt: off
    def __neg__(self) -> "Symbol": return apply("negative", self)
    def __add__(self, other: Any) -> "Symbol": return apply("add", self, other)
    def __radd__(self, other: Any) -> "Symbol": return apply("add", other, self)
    def __sub__(self, other: Any) -> "Symbol": return apply("subtract", self, other)
    def __rsub__(self, other: Any) -> "Symbol": return apply("subtract", other, self)
    def __mul__(self, other: Any) -> "Symbol": return apply("multiply", self, other)
    def __rmul__(self, other: Any) -> "Symbol": return apply("multiply", other, self)
    def __truediv__(self, other: Any) -> "Symbol": return apply("divide", self, other)
    def __rtruediv__(self, other: Any) -> "Symbol": return apply("divide", other, self)
    def __pow__(self, other: Any) -> "Symbol": return apply("power", self, other)
    def __rpow__(self, other: Any) -> "Symbol": return apply("power", other, self)
    # fmt: on

    def __repr__(self) -> str:
        """The expression as Python would have it, with no more brackets than it needs."""
        name = self.op if isinstance(self.op, str) else self.op.__name__
        if not self.args:
            return name
        if name not in _BINDING:
            return f"{name}({', '.join(map(repr, self.args))})"
        own = _BINDING[name]
        if name == "negative":
            return "-" + _bracketed(self.args[0], own)
        left, right = self.args
        rightmost = name == "power"  # a ** b ** c is a ** (b ** c), but a - b - c is (a - b) - c
        return f"{_bracketed(left, own + rightmost)} {_SIGNS[name]} {_bracketed(right, own + (not rightmost))}"


def _bracketed(part: Any, binding: int) -> str:
    """`part`, in brackets if it binds less tightly than `binding`."""
    name = part.op if isinstance(part, Symbol) and part.args else "negative" if repr(part)[0] == "-" else ""
    return repr(part) if _BINDING.get(name, 9) >= binding else f"({part!r})"


class Namespace:
    """The functions that take Symbols: NumPy's elementwise ones, by name."""

    __name__ = "symbols"

    def __getattr__(self, name: str) -> Callable[..., Symbol]:
        ufunc = getattr(np, name, None)
        if not isinstance(ufunc, np.ufunc):
            raise UnsupportedError(f"a rule cannot use {name}: it may only use NumPy's elementwise functions (ufuncs)")
        return functools.partial(apply, ufunc.__name__)


def apply(op: str | Callable[..., Any], *args: Any) -> Symbol:
    """The Symbol of `op` applied to `args`: Symbols and numbers."""
    args = tuple(map(_part, args))
    return Symbol(op, args, all(not isinstance(a, Symbol) or a.scalar for a in args))


def _part(value: Any) -> Any:
    """`value` as a part of an expression: a Symbol, or a Python number."""
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, Symbol | int | float):
        raise UnsupportedError(f"a rule cannot mix its symbols with {type(value).__name__} {value!r}")
    return value


def scalar_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a function of t and hyperparameters: on symbols it is recorded whole, as one node."""

    @functools.wraps(function)
    def called(*args: Any) -> Any:
        return apply(function, *args) if any(isinstance(a, Symbol) for a in args) else function(*args)

    return called


def product_of(factor: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator for a scalar function of ``t, *rest`` that is the product of ``factor(i, *rest)`` for i = 1, ..., t.

    As such it is printed; what computes it may be quicker.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function.factor = factor  # type: ignore[attr-defined]
        return scalar_function(function)

    return decorate


class Equation(NamedTuple):
    """A rule in symbols: what goes in (θ, g, then the state), and what comes out (the new θ and state)."""

    inputs: tuple[Symbol, ...]
    outputs: tuple[Any, ...]


def equation(rule: Any) -> Equation:
    """Run `rule` once on symbols.

    Its numbers become scalar symbols of the same name, and so do lr and t: the equation holds for
    whatever they are. Its options, and a weight_decay of zero, have shaped the equation already.
    """
    traced = rule.replaced({name: Symbol(name, scalar=True) for name in rule.numbers()})
    inputs = tuple(Symbol(name) for name in ("theta", "g", *rule.state))
    outputs = traced(*inputs, lr=Symbol("lr", scalar=True), t=Symbol("t", scalar=True))
    return Equation(inputs, tuple(map(_part, outputs)))
