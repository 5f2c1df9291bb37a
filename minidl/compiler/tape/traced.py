"""Arrays that note what NumPy does with them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops.shape import rebuilt

# Methods of arrays that NumPy does in C, past its own protocols; each returns a new array.
_OPAQUE = (
    "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "compress", "copy",
    "cumprod", "cumsum", "diagonal", "dot", "flatten", "nonzero", "ravel", "repeat", "reshape",
    "round", "searchsorted", "take", "trace",
)  # fmt: skip
# ... those that write into it, ...
_WRITES = "byteswap", "fill", "partition", "put", "resize", "setfield", "sort"
# ... and those that tell Python a number, which a program does not know beforehand.
_NUMBERS = (
    "__bool__", "__complex__", "__contains__", "__float__", "__index__", "__int__", "__iter__",
    "dump", "dumps", "item", "tobytes", "tofile", "tolist",
)  # fmt: skip


class Traced(np.ndarray):
    """An array whose memory a tape knows: each call of NumPy on it is noted there.

    What is a view of it is known by its memory, however it was made.
    """

    tape: Any = None

    def __array_finalize__(self, template: Any) -> None:
        self.tape = getattr(template, "tape", None)

    @property
    def flat(self) -> Any:
        """Element by element, which nothing here sees."""
        self._fail("flat")
        return plain(self).flat

    def __reduce__(self) -> Any:  # a copy of it knows of no tape
        return plain(self).__reduce__()

    def __deepcopy__(self, memo: Any) -> Any:
        return plain(self).copy()

    def _fail(self, name: str) -> None:
        if self.tape is not None:
            self.tape.fail(f"its numbers are read or written in Python, by {name}()")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        tape = self.tape or _tape_of((*inputs, *options.values()))
        if tape is None:
            return getattr(ufunc, method)(*plain(inputs), **plain(options))
        return tape.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        tape = self.tape or _tape_of((*args, *options.values()))
        if tape is None:
            return function(*plain(args), **plain(options))
        return tape.function(function, args, options)

    def __getitem__(self, index: Any) -> Any:
        if self.tape is None:
            return plain(self)[plain(index)]
        return self.tape.function(_getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.tape is None:
            plain(self)[plain(index)] = plain(value)
        else:
            self.tape.write(self, index, value)


class TracedScalar(Traced):
    """One number, where NumPy gives a scalar and no array: beside a Tensor it widens nothing."""

    def beside(self, dtype: Any) -> Any:
        """This number as NumPy takes Python's beside an array of `dtype`."""
        if np.dtype(dtype).kind == "f" or self.dtype.kind == np.dtype(dtype).kind:
            return self.astype(dtype)
        self._fail("item")
        return plain(self).item()


def _tape_of(values: Any) -> Any:
    """The tape of the first traced array in `values`, containers too, that has one."""
    for value in values:
        found = value.tape if isinstance(value, Traced) else None
        if isinstance(value, tuple | list):
            found = _tape_of(value)
        if found is not None:
            return found
    return None


def _getitem(array: Any, index: Any) -> Any:
    return array[index]


def _opaque(name: str) -> Callable[..., Any]:
    method = getattr(np.ndarray, name)

    def noted(self: Traced, *args: Any, **options: Any) -> Any:
        if self.tape is None:
            return method(plain(self), *plain(args), **plain(options))
        return self.tape.function(method, (self, *args), options)

    return noted


def _unseen(name: str) -> Callable[..., Any]:
    def read(self: Traced, *args: Any, **options: Any) -> Any:
        self._fail(name.strip("_"))
        return getattr(plain(self), name)(*args, **options)

    return read


for _name in _OPAQUE:
    setattr(Traced, _name, _opaque(_name))
for _name in (*_NUMBERS, *_WRITES):
    setattr(Traced, _name, _unseen(_name))


def plain(value: Any) -> Any:
    """`value` with every traced array in it as an ordinary one, inside containers too."""
    if isinstance(value, Traced):
        return value.view(np.ndarray)
    if isinstance(value, tuple | list):
        return rebuilt(value, map(plain, value))
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
