"""What NumPy did, as instructions on buffers: the tape of one training step."""

import threading
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import numpy as np

from ...node import Node
from ..emitter import Emitter
from ..program import Buffer, Slot
from .traced import Traced, TracedScalar, plain, traced

# Functions that tell Python nothing but shapes and types, ...
_ABOUT_SHAPES = {
    "can_cast", "may_share_memory", "ndim", "result_type", "shape", "shares_memory", "size",
}  # fmt: skip
# ... and those whose result has a shape that the numbers decide.
_DATA_SHAPED = {"argwhere", "compress", "extract", "flatnonzero", "nonzero", "unique"}
_DEFAULTS = {"keepdims": False, "where": True, "dtype": None}


class Tape(Emitter):
    """The instructions of a step, noted while it is made.

    `reason`: why they are not the whole of it; None if they are. `interrupted`: whether somebody
    else watched meanwhile, so that some may be missing.
    Memory is known by its addresses: an array in a known piece of memory is that buffer, or a view
    of it, however it came about. Any other array is a constant.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason: str | None = None
        self.interrupted = False
        self._thread: int | None = threading.get_ident()
        self._starts: list[int] = []  # of the known pieces of memory, in ascending order, ...
        self._pieces: list[tuple[int, Buffer, Any]] = []  # ... their ends, buffers and owners
        self._views: dict[Any, Buffer] = {}
        self._constants: dict[Any, tuple[Buffer, Any]] = {}
        self.ops: dict[Any, None] = {}  # that were called, in their order

    def listens(self) -> bool:
        """Whether what this thread does is noted."""
        return self._thread == threading.get_ident()

    def close(self) -> None:
        """Note nothing more."""
        self._thread = None

    def fail(self, reason: str) -> None:
        """The step cannot be recorded: note the first reason."""
        if self.listens():
            self.reason = self.reason or reason

    # Buffers

    def know(self, array: np.ndarray, name: str, kind: str, buffer: Buffer | None = None) -> Buffer:
        """A buffer that is the memory of a contiguous `array`."""
        if buffer is None:
            held = None if kind in ("work", "batch") else array
            buffer = Buffer(name, array.shape, array.dtype, kind, held)
            buffer.strides = None if array.flags.c_contiguous else array.strides
        start = array.ctypes.data
        i = bisect_right(self._starts, start)
        self._starts.insert(i, start)
        self._pieces.insert(i, (start + array.nbytes, buffer, array))
        return buffer

    def new(self, result: Any, buffer: Buffer | None = None) -> Traced:
        """`result` in memory of its own, which is a new work buffer, or is that of `buffer`."""
        kind = TracedScalar if isinstance(result, np.generic) else Traced
        array: Any = np.ndarray.__new__(kind, np.shape(result), result.dtype, order=_order(result))
        array.tape = self
        plain(array)[...] = result
        if buffer is None:
            buffer = self.work(array.shape, array.dtype, array.strides)
        self.know(array, buffer.name, "work", buffer)
        return array

    def found(self, array: Any) -> Buffer | None:
        """The buffer that an array is, as a whole or as a view; None if its memory is not known."""
        start = array.ctypes.data
        i = bisect_right(self._starts, start) - 1
        if i < 0 or start >= self._pieces[i][0]:
            return None
        _, root, owner = self._pieces[i]
        layout = array.shape, array.strides, array.dtype
        if start == self._starts[i] and layout == (owner.shape, owner.strides, owner.dtype):
            return root
        key = id(root), start, *layout
        if key not in self._views:
            self._count += 1
            view = Buffer(f"v{self._count}", array.shape, array.dtype, root.kind)
            view.root, view.start, view.strides = root, start - self._starts[i], array.strides
            self._views[key] = view
        return self._views[key]

    def buffer(self, value: Any) -> Buffer:
        """The buffer of an operand: known memory, or a constant."""
        if isinstance(value, np.ndarray):
            if not value.size:
                self.fail("an array in it is empty")
            known = self.found(value)
            if known is not None:
                return known
            if isinstance(value, Traced):
                self.fail("NumPy made an array of its data in a way that is not recorded")
        key = id(value) if isinstance(value, np.ndarray) else (type(value), repr(value))
        if key not in self._constants:
            array, name = value, repr(value)
            if isinstance(value, np.ndarray):  # which somebody may write into later
                array, name = plain(value).copy(), f"c{len(self._constants)}"
            kind = np.asarray(array)
            self._constants[key] = Buffer(name, kind.shape, kind.dtype, "constant", array), value
        return self._constants[key][0]

    def emit_to(
        self, op: str, out: tuple[Buffer, ...], args: tuple[Buffer, ...], **options: Any
    ) -> None:
        """Note an instruction that writes to these buffers."""
        if any(b.kind == "batch" for b in out):
            self.fail("it changes its batch in place")
        if any(b.kind in ("parameter", "constant") for b in out):
            self.fail("it changes a parameter or a constant in place")
        super().emit_to(op, out, args, **options)

    def held(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The arrays that are constants, each with a copy of what was in it when it was used."""
        arrays = self._constants.values()
        return [(value, b.array) for b, value in arrays if isinstance(value, np.ndarray)]

    def as_traced(self, value: Any) -> Any:
        """`value`, traced if it is an array whose memory is known."""
        if type(value) is np.ndarray and value.size and self.found(value) is not None:
            return traced(self, value)
        return value

    # Notes

    def ufunc(self, ufunc: np.ufunc, method: str, inputs: Any, options: Any) -> Any:
        """Call a ufunc, and note it."""
        if any(isinstance(a, Node) for a in inputs):
            return NotImplemented
        result = getattr(ufunc, method)(*plain(inputs), **plain(options))
        if not self.listens():
            return result
        if method == "at":
            self.fail(f"{ufunc.__name__}.at writes into an array")
            return result
        given = options.pop("out", None)
        if given is None:
            several = isinstance(result, tuple)
            results = tuple(self.new(r) for r in result) if several else (self.new(result),)
            returned = results if several else results[0]
        else:
            results, returned = given, given if len(given) > 1 else given[0]
            if any(self.found(out) is None for out in given):
                self.fail(f"{ufunc.__name__} writes into an array that is not the step's own")
        options = {k: v for k, v in options.items() if not _is_default(k, v)}
        op = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        outs = tuple(self.buffer(r) for r in results)
        if method == "reduce":
            inputs, options["axis"] = inputs[:1], _axis(inputs, options)
        if _is_plain_call(ufunc, method, inputs, options):
            self.emit_to(op, outs, tuple(map(self.buffer, inputs)), **options)
        else:  # what is in `out` counts where the result is not computed
            named = options if given is None else {**options, "out": tuple(given)}
            self.note_call(getattr(ufunc, method), outs, inputs, named)
        return returned

    def function(self, function: Callable[..., Any], args: Any, options: Any) -> Any:
        """Call any other function of NumPy's, and note it as a whole."""
        if _holds_node(args):
            return NotImplemented
        if function is np.concatenate and self.listens() and _joins_arrays(args, options):
            return self.concatenate(*args, **options)
        if function is np.clip and self.listens() and len(args) == 3 and not options:
            return self.clip(*args)
        if function.__name__ in _DATA_SHAPED or _is_mask(function, args):
            self.fail(f"the numbers decide about the shape of {function.__name__.strip('_')}()")
        result = function(*plain(args), **plain(options))
        if not self.listens() or function.__name__ in _ABOUT_SHAPES:
            return result
        if isinstance(result, tuple | list) and all(self._is_view(r) for r in result):
            return type(result)(traced(self, r) for r in result)
        if not isinstance(result, np.ndarray | np.generic):
            self.fail(f"its numbers are read in Python, by {function.__name__.strip('_')}()")
            return result
        if isinstance(result, np.ndarray) and self._is_view(result):
            return traced(self, result)
        made = self.new(result)
        self.note_call(function, (self.buffer(made),), args, options)
        return made

    def concatenate(self, arrays: Any, axis: int = 0) -> Any:
        """Join arrays, noted as copies of each."""
        result = np.concatenate(plain(arrays), axis)
        made, begin = self.new(result), 0
        for array in arrays:
            end = begin + array.shape[axis]
            place = np.moveaxis(plain(made), axis, 0)[begin:end]
            self.emit_to("copy", (self.buffer(np.moveaxis(place, 0, axis)),), (self.buffer(array),))
            begin = end
        return made

    def clip(self, array: Any, low: Any, high: Any) -> Any:
        """Limit numbers, noted as a maximum and a minimum."""
        above = array if low is None else np.maximum(array, low)
        return above if high is None else np.minimum(above, high)

    def note_call(
        self, function: Callable[..., Any], outs: tuple[Buffer, ...], args: Any, options: Any
    ) -> None:
        """Note ``out = function(*args, **options)``, to be called as it is."""
        name = function.__name__.strip("_")
        if name in ("astype", "copy") and len(outs) == 1:
            self.emit_to("copy", outs, (self.buffer(args[0]),))
            return
        operands: list[Buffer] = []
        template = self._template(args, operands), self._template(options, operands)
        self.emit_to("call", outs, tuple(operands), function=function, template=template)

    def write(self, target: Any, index: Any, value: Any) -> None:
        """``target[index] = value``, noted."""
        place = plain(target)[plain(index)] if target.ndim else plain(target)
        plain(target)[plain(index)] = plain(value)
        if not self.listens():
            return
        if not self._is_view(place):
            self.fail("it assigns to single elements of an array")
            return
        self.emit_to("copy", (self.buffer(place),), (self.buffer(value),))

    def _is_view(self, array: Any) -> bool:
        return isinstance(array, np.ndarray) and bool(array.size) and self.found(array) is not None

    def _template(self, value: Any, operands: list[Buffer]) -> Any:
        """`value` with each array in it as a buffer, which is appended to `operands`."""
        if isinstance(value, np.ndarray):
            operands.append(self.buffer(value))
            return Slot(len(operands) - 1)
        if isinstance(value, tuple | list):
            return type(value)(self._template(v, operands) for v in value)
        if isinstance(value, dict):
            return {name: self._template(v, operands) for name, v in value.items()}
        return value


def _is_plain_call(ufunc: np.ufunc, method: str, inputs: Any, options: Any) -> bool:
    """Whether a call is an instruction of its name: of NumPy's own, with no arrays as options."""
    if getattr(np, ufunc.__name__, None) is not ufunc or method not in ("__call__", "reduce"):
        return False
    if any(isinstance(option, np.ndarray) for option in options.values()):
        return False
    if ufunc.signature is not None or ufunc is np.multiply:  # which are names of other instructions
        return not options and all(np.ndim(a) == 2 or ufunc is np.multiply for a in inputs)
    return True


def _joins_arrays(args: Any, options: Any) -> bool:
    """Whether a call of concatenate is of arrays along one axis, with no other wishes."""
    axis = args[1] if len(args) > 1 else options.get("axis", 0)
    arrays = isinstance(args[0], list | tuple) and all(isinstance(a, np.ndarray) for a in args[0])
    return arrays and isinstance(axis, int) and not {*options} - {"axis"} and len(args) <= 2


def _holds_node(args: Any) -> bool:
    return any(
        isinstance(a, Node) or (isinstance(a, tuple | list) and _holds_node(a)) for a in args
    )


def _is_mask(function: Any, args: Any) -> bool:
    """Whether it is an index of booleans, that picks as many elements as are true."""
    if function.__name__ != "_getitem":
        return False
    parts = args[1] if isinstance(args[1], tuple) else (args[1],)
    return any(getattr(part, "dtype", None) == np.bool_ for part in parts)


def _is_default(name: str, value: Any) -> bool:
    """Whether an option says what NumPy would do without it."""
    if name == "initial":
        return str(value) == "<no value>"  # of which NumPy makes no secret but has no public name
    return name in _DEFAULTS and value is _DEFAULTS[name]


def _axis(inputs: Any, options: Any) -> Any:
    return inputs[1] if len(inputs) > 1 else options.get("axis", 0)


def _order(array: Any) -> Any:
    flags = getattr(array, "flags", None)
    return "F" if flags is not None and flags.f_contiguous and not flags.c_contiguous else "C"
