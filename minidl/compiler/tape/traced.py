"""Arrays that note what NumPy does with them."""

from collections.abc import Callable
from typing import Any

import numpy as np

# Methods of arrays that NumPy does in C, past its own protocols; each returns a new array.
_OPAQUE = (
    "argmax", "argmin", "argsort", "astype", "choose", "copy", "cumprod", "cumsum", "diagonal",
    "dot", "flatten", "nonzero", "partition", "ravel", "repeat", "reshape", "round",
    "searchsorted", "sort", "take", "trace",
)  # fmt: skip
# ... and those that tell Python a number, which a program does not know beforehand.
_NUMBERS = (
    "__bool__", "__complex__", "__float__", "__index__", "__int__", "item", "tobytes", "tolist",
)  # fmt: skip


class Traced(np.ndarray):
    """An array whose memory a tape knows: each call of NumPy on it is noted there.

    What is a view of it is known by its memory, however it was made.
    """

    tape: Any = None

    def __array_finalize__(self, template: Any) -> None:
        self.tape = getattr(template, "tape", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return self.tape.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return self.tape.function(function, args, options)

    def __getitem__(self, index: Any) -> Any:
        return self.tape.function(_getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tape.write(self, index, value)


def _getitem(array: Any, index: Any) -> Any:
    return array[index]


def _opaque(name: str) -> Callable[..., Any]:
    method = getattr(np.ndarray, name)

    def noted(self: Traced, *args: Any, **options: Any) -> Any:
        return self.tape.function(method, (self, *args), options)

    return noted


def _number(name: str) -> Callable[..., Any]:
    def read(self: Traced, *args: Any) -> Any:
        self.tape.fail(f"its numbers are read in Python, by {name.strip('_')}()")
        return getattr(plain(self), name)(*args)

    return read


for _name in _OPAQUE:
    setattr(Traced, _name, _opaque(_name))
for _name in _NUMBERS:
    setattr(Traced, _name, _number(_name))


def plain(value: Any) -> Any:
    """`value` with every traced array in it as an ordinary one, inside containers too."""
    if isinstance(value, Traced):
        return value.view(np.ndarray)
    if isinstance(value, tuple | list):
        return type(value)(plain(v) for v in value)
    if isinstance(value, dict):
        return {name: plain(v) for name, v in value.items()}
    if isinstance(value, slice):
        return slice(plain(value.start), plain(value.stop), plain(value.step))
    return value


def traced(tape: Any, array: np.ndarray) -> Traced:
    """A view of `array`, whose memory the tape knows, as a traced one."""
    view = array.view(Traced)
    view.tape = tape
    return view
