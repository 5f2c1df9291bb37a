"""The first half of the engine: ops, and what they record.

An `Op` is a forward function and one gradient formula per argument. Called on plain arrays it
returns a plain array; called on Tensors, a Tensor that remembers the op and its arguments. The
other half, the backward pass through what was recorded, is backward.py.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec

from . import hooks
from .backend import Array, array_module
from .node import Node as Node
from .node import ancestors as ancestors
from .node import clock
from .node import wrap as wrap
from .operands import AS_THEY_ARE, prepared, refuse_gradient, settled
from .recording import paused
from .recording import recording as recording
from .signature import Signature, as_minidl_error, parameters

__all__ = ["Op"]

P = ParamSpec("P")


class Op(Generic[P]):
    """A forward function, which sees plain arrays only, and one gradient formula per array argument.

    Its first arguments are the arrays, as many as `vjp` is given formulas; the others are parameters
    (axis, shape, ...). A forward ``f(*arrays, param=...)`` takes any number of arrays, and one formula
    for them all that is also given the argument's index.
    """

    def __init__(self, forward: Callable[P, Any]) -> None:
        functools.update_wrapper(self, forward, updated=())  # to touch its __dict__ would slow it down
        self.name, self.signature = forward.__name__, Signature(forward)
        self.forward, self.arity = self.signature.flat(forward), self.signature.arity
        self.formulas: tuple[Callable[..., Any] | None, ...] = ()
        self.arrays = 0  # how many of the arguments are arrays (of a variadic op: all but the parameters)
        self.parameters = slice(0)  # where the others are
        self.recorded = False  # whether any of them has a gradient formula
        self.whole = False  # whether a recorded step repeats a call as it is, once: others wait for it

    def vjp(self, *formulas: Callable[..., Any] | None) -> None:
        """Take a formula ``(g, y, *args) -> gradient`` for each array argument; None where there is none.

        `g` is the gradient of the result `y`; args are all of the forward's arguments, defaults filled
        in. What a formula returns is fitted to its argument's shape and dtype by the engine.
        """
        self.formulas = formulas + (None,) * (self.arity - len(formulas))
        self.recorded = any(formulas)
        self.arrays = -len(self.signature.names) if self.signature.variadic else len(formulas)
        self.parameters = slice(self.arrays, None) if self.arrays else slice(0)

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

    def __call__(self, *args: P.args, **params: P.kwargs) -> Any:
        if params or len(args) != self.arity:
            args = self.signature.bind(args, params)  # type: ignore[assignment]  # P has no name for what it binds
        values: list[Any] = []
        first = last = None  # the first Tensor, and the last that wants a gradient
        unusual = 0  # the number, from 1, of the first argument that may not be what a forward can take
        for a in args:
            if isinstance(a, Node):
                if first is None:
                    first = a
                values.append(a._array)
                if a.requires_grad:
                    last = a
            else:
                values.append(a)
                if type(a) not in AS_THEY_ARE:
                    unusual = unusual or len(values)
        if unusual:
            arrays = self.arrays if self.arity >= 0 else len(args) + self.arrays
            if unusual <= arrays or not settled(args[unusual - 1 :]):
                args = prepared(self.name, args, arrays)  # type: ignore[assignment]
                values = [a._array if isinstance(a, Node) else a for a in args]
                nodes = [a for a in args if isinstance(a, Node)]
                first = nodes[0] if nodes else None
                last = next((a for a in reversed(nodes) if a.requires_grad), None)
        watcher = hooks.watcher
        if first is None:
            return (self.evaluate(values) if watcher is None else watcher.evaluate(self, values))[0]
        try:
            data, saved = self.evaluate(values) if watcher is None else watcher.evaluate(self, values)
        except (ValueError, TypeError, MemoryError) as error:
            raise as_minidl_error(self.name, values, error) from error
        result = wrap(data)
        if getattr(data, "base", None) is not None:  # a view, perhaps: to change either is to change both
            if first._changes is None:
                first._changes = [0]
            result._changes = first._changes
        if last is not None and self.recorded and not paused() and data.dtype.kind == "f":
            if last is not args[0]:
                for a in args[self.parameters]:
                    if a is last:
                        refuse_gradient(self.name, a)
            result.requires_grad, result._op, result._args = True, self, args
            result._saved, result._born = saved, next(clock)
            if watcher is not None:
                watcher.record(result, args, saved)
        return result

    def __repr__(self) -> str:
        """Such as ``<minidl.sum(a, axis=None, keepdims=False, dtype=None)>``; `help` begins with it."""
        return f"<{self.__module__.partition('.')[0]}.{self.name}{parameters(self)}>"

    def __reduce__(self) -> str:  # pickled by name, as functions are
        return self.__qualname__  # type: ignore[attr-defined]


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
