"""Functions read as symbols: NumPy's calls are followed while a function and its gradient are computed once.

`written` hands a function arrays that note, beside each number, the expression that it is. The function runs as it
always does, its gradient formulas too, on numbers; what NumPy was asked to do becomes the equation. So no derivative is
stated a second time, and an operation that nobody foresaw here is an error and not a wrong formula.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backward import gradients
from ..errors import UnsupportedError
from ..node import wrap
from ..operands import AS_THEY_ARE
from ..optim.javascript import function
from ..optim.symbols import Symbol, apply
from .functions import Function

_MOVING = {"reshape", "broadcast_to", "squeeze", "expand_dims", "transpose", "ravel", "copy"}  # numbers as they are


class Followed(np.ndarray):
    """An array whose elements have expressions, in `parts`, an array of Symbols and numbers of the same shape."""

    parts: Any = None

    @classmethod
    def made(cls, values: Any, parts: Any) -> "Followed":
        """An array of `values` that are `parts`."""
        found = np.asarray(values).view(cls)
        found.parts = np.broadcast_to(np.asarray(parts, object), found.shape)
        return found

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, Followed) else x for x in inputs]
        if method == "reduce" and ufunc is np.add and out is None:
            values = np.add.reduce(plain[0], **options)
            axis, keep = options.get("axis", 0), options.get("keepdims", False)
            return Followed.made(values, np.sum(_parts(inputs[0]), axis=axis, keepdims=keep))
        options.pop("where", None) if options.get("where") is True else None
        if method != "__call__" or options.keys() - {"dtype", "casting"} or out is not None or ufunc.nout != 1:
            raise UnsupportedError(f"numpy.{ufunc.__name__}.{method} cannot be followed")
        each = np.frompyfunc(functools.partial(_applied, ufunc), ufunc.nin, 1)
        return Followed.made(ufunc(*plain, **options), each(*map(_parts, inputs)))

    def __array_function__(self, called: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = called.__name__
        plain = [np.asarray(x) if isinstance(x, Followed) else x for x in args]
        if name == "where" and len(args) == 3 and not kwargs:
            each = np.frompyfunc(functools.partial(apply, "where"), 3, 1)
            return Followed.made(np.where(*plain), each(*map(_parts, args)))
        if name in ("zeros_like", "ones_like"):
            return called(*plain, **kwargs)
        if name == "sum":
            return np.add.reduce(args[0], **({"axis": None} | kwargs))
        if name in _MOVING:
            return Followed.made(called(*plain, **kwargs), called(_parts(args[0]), *args[1:], **kwargs))
        raise UnsupportedError(f"numpy.{name} cannot be followed")

    def __bool__(self) -> bool:
        raise UnsupportedError("a function that asks whether a number is large or small has no one equation: use where")

    def __getitem__(self, key: Any) -> Any:
        return Followed.made(np.asarray(self)[key], _parts(self)[key])

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """The same numbers."""
        return Followed.made(np.asarray(self).reshape(*shape), _parts(self).reshape(*shape))

    def astype(self, dtype: Any, *options: Any, **more: Any) -> Any:
        """The same numbers, where the dtype is a floating one: a truth value is 0 or 1."""
        parts = _parts(self)
        if self.dtype.kind == "b":
            parts = np.frompyfunc(lambda x: apply("where", x, 1.0, 0.0), 1, 1)(parts)
        return Followed.made(np.asarray(self).astype(dtype), parts)

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **_: Any) -> Any:
        """The sum."""
        return np.add.reduce(self, axis=axis, keepdims=keepdims)


AS_THEY_ARE.add(Followed)  # an op takes such an array as it is


def _applied(ufunc: np.ufunc, *parts: Any) -> Any:
    """The Symbol of an operation; the number, where nothing in it is a symbol."""
    if any(isinstance(part, Symbol) for part in parts):
        return apply(ufunc.__name__, *parts)
    return ufunc(*parts).item()


def _parts(x: Any) -> Any:
    """The expressions of an array; of any other number, itself."""
    if not isinstance(x, Followed):
        return np.asarray(np.asarray(x).tolist(), object) if np.ndim(x) else np.asarray(x).item()
    if x.parts is None:
        raise UnsupportedError("an array's view was made in a way that cannot be followed")
    return x.parts


def followed(f: Function, at: Sequence[float]) -> tuple[list[Symbol], Any, list[Any]]:
    """`f` and its gradient as Symbols: the coordinates, the value, and the derivatives; `at` is where f is computed."""
    coordinates = [Symbol(f"x{i + 1}") for i in range(len(at))]
    inputs = [wrap(Followed.made(np.array([float(x)]), [symbol])) for x, symbol in zip(at, coordinates, strict=True)]
    for x in inputs:
        x.requires_grad = True
    value = f(inputs).sum()
    return coordinates, _one(value), [_one(g) for g in gradients(value, inputs)]


def _one(tensor: Any) -> Any:
    array = tensor.data
    return _parts(array).reshape(-1)[0] if isinstance(array, Followed) else np.asarray(array).reshape(-1)[0].item()


def written(f: Function, at: Sequence[float], name: str) -> str:
    """``name(x1, x2)`` in JavaScript: the value of `f`, and its gradient as autodiff computes it.

    Raises `UnsupportedError` for a function that cannot be followed, or that has no one equation.
    """
    coordinates, value, gradient = followed(f, at)
    known = {x: str(x.op) for x in coordinates}
    slots = ", ".join(["{}"] * len(gradient))
    return function(name, ", ".join(known.values()), [value, *gradient], f"[{{}}, [{slots}]]", known)
