"""The first half of the engine: nodes that remember how they were made.

An `Op` is a forward function and one gradient formula per argument. Called on plain arrays it
returns a plain array; called on Tensors, a Tensor that remembers the op and its arguments. The
other half, which walks back through what was recorded, is sweep.py.
"""

import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .backend import Array, array_module
from .signature import Signature, explained, literals

_clock = itertools.count(-1, -1)  # downwards: what is newer has the lesser number, and comes first off a heap
_LITERALS = (np.generic, list, tuple)
_USUAL = {np.ndarray, float, int, type(None)}  # looked up first: isinstance is slow to say no


class _Mode(threading.local):
    recording = True


_mode = _Mode()


@contextmanager
def recording(on: bool) -> Iterator[None]:
    """Switch recording on or off for a block, in this thread."""
    before, _mode.recording = _mode.recording, on
    try:
        yield
    finally:
        _mode.recording = before


class Node:
    """An array and how it was made; `minidl.Tensor` is a Node with operators and methods."""

    grad: Any = None  # these are what a leaf begins with; a result has its own of those that differ
    requires_grad = False
    _changes: list[int] | None = None  # when `data` was last changed in place; shared with its views
    _slot: Array = None  # where an optimizer wants this leaf's gradient: a piece of its flat vector
    _op: "Op | None" = None  # what made it; None for a leaf
    _args: Any = None  # that op's arguments; None for a leaf, and once the graph is freed
    _saved: Any = None  # what a kernel's forward left for its backward
    _born = 0  # after its arguments: birth order is a topological order. Leaves count as oldest

    def __init__(self, data: Array) -> None:
        self.data = data

    def changed(self) -> None:
        """Note an in-place change of `data`: an older graph that saved it will then refuse to use it."""
        self._changes = self._changes or [0]
        self._changes[0] = next(_clock)


kind: type[Node] = Node  # what ops return: tensor.py makes it Tensor


def wrap(data: Array) -> Any:
    """A Tensor around `data`, with none of the constructor's conversions."""
    node: Any = object.__new__(kind)
    node.data = np.asarray(data) if type(data) not in _USUAL and isinstance(data, np.generic) else data
    return node


class Op:
    """A forward function, which sees plain arrays only, and one gradient formula per array argument.

    Its first arguments are the arrays, as many as `vjp` is given formulas; the others are parameters
    (axis, shape, ...). A forward ``f(*arrays, param=...)`` takes any number of arrays, and one formula
    for them all that is also given the argument's index.
    """

    def __init__(self, forward: Callable[..., Any]) -> None:
        functools.update_wrapper(self, forward, updated=())  # to touch its __dict__ would slow it down
        self.name, self.signature = forward.__name__, Signature(forward)
        self.forward, self.arity = self.signature.flat(forward), self.signature.arity
        self.formulas: tuple[Callable[..., Any] | None, ...] = ()
        self.arrays = 0  # how many of the arguments are arrays (of a variadic op: all but the parameters)
        self.recorded = False  # whether any of them has a gradient formula

    def vjp(self, *formulas: Callable[..., Any] | None) -> None:
        """Take a formula ``(g, y, *args) -> gradient`` for each array argument; None where there is none.

        `g` is the gradient of the result `y`; args are all of the forward's arguments, defaults filled
        in. What a formula returns is fitted to its argument's shape and dtype by the engine.
        """
        self.formulas = formulas + (None,) * (self.arity - len(formulas))
        self.recorded = any(formulas)
        self.arrays = -len(self.signature.names) if self.signature.variadic else len(formulas)

    def evaluate(self, values: list[Any]) -> tuple[Array, Any]:
        """The result for plain arguments, and what `pullback` should find again."""
        return self.forward(*values), None

    def pullback(self, g: Any, y: Any, args: Sequence[Any], wanted: list[int], saved: Any) -> list[Any]:
        """The gradients of the arguments numbered in `wanted` (None: it has none), from that of the result `y`."""
        if self.signature.variadic:
            return [self.formulas[0](i, g, y, *args) for i in wanted]  # type: ignore[misc]
        formulas, found, given = self.formulas, [], (g, y, *args)
        for i in wanted:
            formula = formulas[i]
            found.append(formula and formula(*given))
        return found

    def __call__(self, *args: Any, **params: Any) -> Any:
        if params or len(args) != self.arity:
            args = self.signature.bind(args, params)
        values: list[Any] = []
        first, wanted, literal = None, False, 0  # literal: the first one's place, counted from 1
        for a in args:
            if isinstance(a, Node):
                if first is None:
                    first = a
                values.append(a.data)
                if a.requires_grad:
                    wanted = True
            else:
                values.append(a)
                if type(a) not in _USUAL and isinstance(a, _LITERALS):
                    literal = literal or len(values)
        if literal:
            arrays = self.arrays if self.arity >= 0 else len(args) + self.arrays
            if literal <= arrays:
                values = literals(values, arrays, None if first is None else first.data)
                args = tuple(a if isinstance(a, Node) else value for a, value in zip(args, values, strict=True))
        if first is None:
            return self.evaluate(values)[0]
        try:
            data, saved = self.evaluate(values)
        except (ValueError, TypeError, MemoryError) as error:
            raise explained(self.name, values, error) from error
        result = wrap(data)
        if getattr(data, "base", None) is not None:  # a view, perhaps: to change either is to change both
            first._changes = result._changes = first._changes or [0]
        if wanted and self.recorded and _mode.recording and data.dtype.kind == "f":
            result.requires_grad, result._op, result._args = True, self, args
            result._saved, result._born = saved, next(_clock)
        return result


@Op
def unbroadcast(a: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """`a`, a gradient, fitted to what it is the gradient of.

    Summed along the axes where that was broadcast, repeated along those where it was summed. Each of
    the two is the other's adjoint, so this op's gradient formula has nothing left to do.
    """
    if a.ndim > len(shape):
        a = a.sum(axis=tuple(range(a.ndim - len(shape))))
    axes = tuple(i - a.ndim for i in range(a.ndim) if shape[i - a.ndim] == 1 != a.shape[i])
    a = a.sum(axis=axes, keepdims=True) if axes else a
    a = a if a.shape == shape else array_module(a).broadcast_to(a, shape)
    return a if a.dtype == dtype else a.astype(dtype)


unbroadcast.vjp(lambda g, y, a, shape, dtype: g)
