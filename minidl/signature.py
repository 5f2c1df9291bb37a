"""From the call of an op to one flat tuple of arguments; from NumPy's errors to minidl's."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from .backend import out_of_memory, same_backend
from .elsewhere import refuse_options
from .errors import DTypeError, MinidlError, ShapeError, UnsupportedError


class Signature:
    """The parameters of a function, read once: what `inspect.signature` knows, at a tenth of its cost."""

    def __init__(self, function: Callable[..., Any]) -> None:
        code = function.__code__
        if code.co_flags & 0x08 or (code.co_flags & 0x04 and code.co_argcount):  # CO_VARKEYWORDS, CO_VARARGS
            raise UnsupportedError(
                f"{function.__name__}: an op's forward is f(a, b, param=...) or f(*arrays, param=...): give each "
                f"parameter a name, and if there is *arrays, let it take all arrays"
            )
        positional = code.co_varnames[: code.co_argcount]
        defaults = function.__defaults__ or ()
        self.function = function.__name__
        self.names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.positional = len(positional)
        self.variadic = bool(code.co_flags & 0x04)  # CO_VARARGS
        self.arity = -1 if self.variadic else len(self.names)
        self.defaults = dict(zip(positional[len(positional) - len(defaults) :], defaults, strict=True))
        self.defaults |= function.__kwdefaults__ or {}
        self.tail = tuple(self.defaults.get(name) for name in self.names)
        self.required = sum(name not in self.defaults for name in self.names)

    def bind(self, args: tuple[Any, ...], params: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments in the order of the signature, defaults filled in.

        Raises `TypeError`, as a plain function would, for unknown, missing or doubled arguments.
        """
        if not (params or self.variadic) and self.required <= len(args) <= len(self.names):
            return args + self.tail[len(args) :]
        given = {} if self.variadic else dict(zip(self.names, args, strict=False))
        wrong = [name for name in params if name not in self.names or name in given]
        given = self.defaults | params | given
        missing = [name for name in self.names if name not in given]
        refuse_options(self.function, self.names, wrong)
        if missing or (not self.variadic and len(args) > len(self.names)):
            fault = f"misses {missing}" if missing else f"got {len(args)} arguments"
            raise TypeError(f"{self.function}({', '.join(self.names)}) {fault}")
        return (args if self.variadic else ()) + tuple(given[name] for name in self.names)

    def flat(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, to be called with what `bind` returns: its keyword-only parameters come last there."""
        names = self.names[self.positional :]
        if not names:
            return function
        cut = -len(names)
        return lambda *args: function(*args[:cut], **dict(zip(names, args[cut:], strict=True)))


def parameters(function: Callable[..., Any]) -> str:
    """The parameters of `function` in brackets, with their defaults and without their types."""
    found = inspect.signature(function).parameters.values()
    return str(inspect.Signature([parameter.replace(annotation=parameter.empty) for parameter in found]))


# How Python words a call that does not fit the function: a mistake in the op's own code, not in what it was given.
_MISCALLED = re.compile(r"\(\) (takes|got|missing) ")


def as_minidl_error(name: str, values: list[Any], error: Exception) -> Exception:
    """The error to raise for one that the array library raised inside op `name`."""
    if isinstance(error, MinidlError | MemoryError):
        return error if isinstance(error, MinidlError) else out_of_memory(name, values, error)
    same_backend(name, *values)
    shown = ", ".join(f"{v.dtype}{list(v.shape)}" for v in values if hasattr(v, "shape"))
    message = f"{name}: {str(error).strip().removeprefix(f'{name}: ')} (given {shown})"
    if isinstance(error, ValueError):
        return ShapeError(message)
    return TypeError(message) if _MISCALLED.search(str(error)) else DTypeError(message)
