"""The interpreter's instructions for recorded steps: NumPy's functions on arrays of any layout."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...backend import Array
from ...errors import UnsupportedError
from ..program import Buffer, Instruction, Slot, filled
from .cblas import product, sum_of_rows
from .conditions import check_apart, check_places, divides_exactly, in_float32
from .jit import instruction_set as isa
from .jit import opcodes
from .layers import exp_and_log
from .loops import MOST_PARTS, loops, spread
from .shared_layers import SharedLayers
from .table import Code, address

F32 = np.dtype(np.float32)
_KINDS = {
    np.dtype(bool): opcodes.BOOL,
    np.dtype(np.int64): opcodes.INT64,
    np.dtype(np.float64): opcodes.FLOAT64,
}


class RecordedLayers(SharedLayers):
    """Assembles instructions of a recorded step. Raises `UnsupportedError` for others.

    `checks`: what is to be called before a step, and raises if its batch holds what it must not.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.checks: list[Callable[[], None]] = []

    def assembled(self, step: Instruction) -> Code:
        """The interpreter's instructions for one of a program's."""
        name, _, method = step.op.partition(".")
        if hasattr(self, f"_{step.op}"):
            return super().assembled(step)
        ufunc = getattr(np, name, None)
        if isinstance(ufunc, np.ufunc) and len(step.out) == 1:
            if not method:
                return self._ufunc(ufunc, step.out[0], step.args, **step.options)
            if method == "reduce":
                return self._reduce(ufunc, step.out[0], step.args[0], **step.options)
        raise UnsupportedError(f"machine code has no {step.op}")

    # Operands

    def _at(self, buffer: Buffer, element: int = 0) -> int:
        array = buffer.array
        integers = array.dtype == np.int64 and array.ndim == 1
        if not (array.flags.c_contiguous and (array.dtype == F32 or integers)):
            raise UnsupportedError(f"machine code computes in float32, in C's order: {buffer.name}")
        return address(array) + array.itemsize * element

    def _float(self, buffer: Buffer) -> Array:
        """The array of an operand as float32: a number, or an array that has that dtype."""
        array = buffer.array
        if not isinstance(array, np.ndarray) or (array.ndim == 0 and buffer.kind == "constant"):
            array = np.array(array, F32)
            self._keep_alive.append(array)
        if array.dtype != F32:
            raise UnsupportedError(f"machine code computes in float32, {buffer.name} is not")
        return array

    # Products

    def _matmul(self, y: Buffer, a: Buffer, b: Buffer, transposed: bool = False) -> Code:
        right = self._float(b).T if transposed else self._float(b)
        return self._product(self._float(a), right, y)

    def _weight_gradient(self, out: Buffer, x: Buffer, d: Buffer) -> Code:
        if len(x.array) == 1:
            return loops(np.multiply, [self._float(x).T, self._float(d), out.array])
        return self._product(self._float(x).T, self._float(d), out)

    def _product(self, a: Array, b: Array, y: Buffer) -> Code:
        self._at(y)
        if a.shape[1] > 1:
            return [product(a, b, y.array)]
        zero = np.zeros((), F32)  # NumPy's sum begins with it, which makes +0 of -0
        self.keep(zero)
        code = loops(np.multiply, [a, b, y.array])
        return [*code, *loops(np.add, [y.array, zero, y.array])]

    def _sum_rows(self, out: Buffer, d: Buffer) -> Code:
        batch = len(d.array)
        if batch == 1:
            return super()._sum_rows(out, d)
        ones: Array = np.ones(batch, F32)
        self.keep(ones)
        self._at(out)
        return [sum_of_rows(ones, self._float(d).reshape(batch, -1), out.array)]

    # Losses

    def _cross_entropies(
        self, losses: Buffer, e: Buffer, total: Buffer, logits: Buffer, labels: Buffer
    ) -> Code:
        batch, classes = logits.shape
        return [
            isa.CrossEntropies(
                batch=batch,
                classes=classes,
                logits=self._at(logits),
                labels=self._classes(labels),
                losses=self._at(losses),
                e=self._at(e),
                total=self._at(total),
                picked=self._ones(batch),
                **exp_and_log(),
            )
        ]

    def _cross_entropies_back(
        self, d: Buffer, e: Buffer, total: Buffer, labels: Buffer, g: Buffer
    ) -> Code:
        classes, batch = e.shape
        array = self._float(g)
        if array.ndim and not array.flags.c_contiguous and array.strides != (0,):
            raise UnsupportedError("machine code reads gradients that lie together")
        return [
            isa.CrossEntropiesBack(
                batch=batch,
                classes=classes,
                e=self._at(e),
                total=self._at(total),
                labels=self._classes(labels),
                g=address(array),
                step_g=array.strides[0] if array.ndim else 0,
                d=self._at(d),
            )
        ]

    def _softmax_cross_entropy(
        self,
        loss: Buffer,
        right: Buffer,
        d: Buffer,
        logits: Buffer,
        labels: Buffer,
        share: float = 1.0,
    ) -> Code:
        self._classes(labels)
        return super()._softmax_cross_entropy(loss, right, d, logits, labels, share)

    def _classes(self, labels: Buffer) -> int:
        """The address of labels, which have to be int64."""
        if labels.dtype != np.int64:
            raise UnsupportedError(f"machine code takes labels of int64, not {labels.dtype}")
        return self._at(labels)

    # NumPy's functions

    def _multiply(self, out: Buffer, *args: Buffer) -> Code:
        return self._ufunc(np.multiply, out, args)

    def _copy(self, out: Buffer, source: Buffer) -> Code:
        if out.array.dtype != F32:
            raise UnsupportedError("machine code copies float32")
        check_apart(out.array, [source.array])
        made, code = self._converted(source)
        return [*code, *loops(np.positive, [made, out.array])]

    def _ufunc(
        self, ufunc: np.ufunc, out: Buffer, args: tuple[Buffer, ...], **options: Any
    ) -> Code:
        if ufunc.signature is not None or ufunc.nin > 2 or options.keys() - {"casting", "subok"}:
            raise UnsupportedError(f"machine code has no {ufunc.__name__} with {options}")
        casting = options.get("casting", "same_kind")
        arrays = [b.array for b in args]
        check_apart(out.array, arrays)
        if all(isinstance(a, np.ndarray) and a.dtype == bool for a in arrays):
            return loops(ufunc, [*arrays, out.array])
        if not (in_float32(ufunc, arrays) or divides_exactly(ufunc, arrays, casting)):
            raise UnsupportedError(f"NumPy's {ufunc.__name__} of these is not one of float32")
        code: Code = []
        for i, buffer in enumerate(args):
            arrays[i], conversion = self._converted(buffer)
            code += conversion
        return [*code, *loops(ufunc, [*arrays, out.array])]

    def _converted(self, buffer: Buffer) -> tuple[Array, Code]:
        """An operand as float32, and the code that makes it so."""
        array = buffer.array
        if not isinstance(array, np.ndarray) or array.dtype == F32 or buffer.kind == "constant":
            return self._float(buffer), []
        if array.dtype not in _KINDS or not array.flags.c_contiguous:
            raise UnsupportedError(f"machine code does not convert {array.dtype}")
        made = np.empty(array.shape, F32)
        self._keep_alive.append(made)
        source, kind = address(array), _KINDS[array.dtype]
        return made, [isa.Convert(array.size, source, address(made), kind)]

    def _reduce(
        self, ufunc: np.ufunc, out: Buffer, source: Buffer, axis: Any, **options: Any
    ) -> Code:
        if set(options) - {"keepdims", "dtype"} or options.get("dtype", F32) != F32:
            raise UnsupportedError(f"machine code has no {ufunc.__name__}.reduce with {options}")
        array, code = self._converted(source)
        result = out.array
        axes = range(array.ndim) if axis is None else np.atleast_1d(axis) % array.ndim
        kept = tuple(1 if i in axes else n for i, n in enumerate(array.shape))
        if result.dtype != F32 or not (array.flags.c_contiguous and result.flags.c_contiguous):
            raise UnsupportedError("machine code reduces contiguous arrays of float32")
        target = result.reshape(kept)
        if ufunc is np.add:
            begin: Array = np.zeros((), F32)
            self.keep(begin)
        elif ufunc in (np.maximum, np.minimum):  # which begin with an element
            begin = array[
                tuple(slice(0, 1) if i in axes else slice(None) for i in range(array.ndim))
            ]
        else:
            raise UnsupportedError(f"machine code has no {ufunc.__name__}.reduce")
        into = np.broadcast_to(target, array.shape)  # by steps of 0
        return [*code, *loops(np.positive, [begin, target]), *loops(ufunc, [into, array, into])]

    # Functions that are called as a whole

    def _call(self, *buffers: Buffer, function: Any, template: Any) -> Code:
        name = function.__name__.strip("_")
        assemble = getattr(self, f"_call_{name}", None)
        outs = len(buffers) - _slots(template)
        if assemble is None or outs != 1:
            raise UnsupportedError(f"machine code has no {name}")
        positional, named = filled(template, buffers[1:])
        return list(assemble(buffers[0], *positional, **named))

    def _call_where(self, out: Buffer, condition: Any, x: Any, y: Any) -> Code:
        dtype = out.array.dtype
        arrays = [_number(x, dtype), _number(y, dtype)]
        for array in arrays:
            self.keep(array)
        kinds = {F32: isa.Where, np.dtype(np.float64): isa.WhereDouble}
        if (
            condition.array.dtype != bool
            or {a.dtype for a in arrays} - {dtype}
            or dtype not in kinds
        ):
            raise UnsupportedError("machine code chooses between floating numbers of one dtype")

        def make(size: int, repeats: int, at: Any, steps: Any, jumps: Any) -> Any:
            return kinds[dtype](size, repeats, *at, *steps, *jumps)

        return spread([condition.array, *arrays, out.array], make)

    def _call_getitem(self, out: Buffer, source: Buffer, index: Any) -> Code:
        array = self._float(source)
        rows = _row_and_class(index, array.shape)
        if rows is not None:
            places = self._places(rows, array.shape[1], axis=1), self._at(out)
            return [isa.Pick(*_two(array), self._at(source), *places)]
        if isinstance(index, tuple) and len(index) == 1:
            (index,) = index
        if _is_rows(index, array):
            places = self._places(index, len(array), axis=0), self._at(out)
            height, width = _two(array)
            return [isa.Rows(index.array.size, width, height, self._at(source), *places)]
        views = _views(array, index, out.array)
        return [i for there, here in views for i in loops(np.positive, [there, here])]

    def _places(self, index: Buffer, size: int, axis: int) -> int:
        """The address of numbers that pick along an axis; that they fit is looked at beforehand."""
        if index.kind != "batch":
            raise UnsupportedError("machine code picks by numbers that the batch holds")
        self.checks.append(partial(check_places, index.array, size, axis))
        return self._at(index)

    def _call_scatter(self, out: Buffer, values: Buffer, index: Any, shape: Any) -> Code:
        array = self._float(values)
        rows = _row_and_class(index, out.array.shape)
        if rows is not None:
            places = self._places(rows, out.array.shape[1], axis=1), self._at(out)
            return [isa.Put(*_two(out.array), self._at(values), *places)]
        zero = np.zeros((), F32)
        self.keep(zero)
        code = loops(np.positive, [zero, out.array])
        for there, here in _views(out.array, index, array):
            code += loops(np.add, [there, here, there])
        return code

    def _call_cumsum(self, out: Buffer, source: Buffer, axis: Any, dtype: Any = None) -> Code:
        array, result = self._float(source), out.array
        if axis is None or dtype is not None or array.shape[axis] > MOST_PARTS:
            raise UnsupportedError("machine code adds up few numbers along an axis")
        array, result = np.moveaxis(array, axis, 0), np.moveaxis(result, axis, 0)
        code = loops(np.positive, [array[0], result[0]])
        for k in range(1, len(array)):
            code += loops(np.add, [result[k - 1], array[k], result[k]])
        return code


def _slots(template: Any) -> int:
    """How many operands a template takes."""
    if isinstance(template, Slot):
        return 1
    parts = template.values() if isinstance(template, dict) else template
    return sum(map(_slots, parts)) if isinstance(template, tuple | list | dict) else 0


def _number(value: Any, dtype: np.dtype[Any]) -> Array:
    """An operand's array; a number as one of this dtype."""
    array = value.array if isinstance(value, Buffer) else value
    return array if isinstance(array, np.ndarray) else np.array(array, dtype)


def _row_and_class(index: Any, shape: tuple[int, ...]) -> Buffer | None:
    """The classes, if an index picks one element of each row: (0 1 2 ..., classes)."""
    if not (isinstance(index, tuple) and len(index) == len(shape) == 2):
        return None
    rows, classes = index
    if not (isinstance(rows, Buffer) and isinstance(classes, Buffer)) or rows.kind != "constant":
        return None
    every = np.array_equal(rows.array, np.arange(shape[0]))
    return classes if every and classes.dtype == np.int64 else None


def _two(matrix: Array) -> tuple[int, int]:
    rows, columns = matrix.shape
    return rows, columns


def _is_rows(index: Any, array: Array) -> bool:
    """Whether an index picks rows of a matrix by numbers that each batch has of its own."""
    numbers = isinstance(index, Buffer) and index.dtype == np.int64 and len(index.shape) == 1
    return numbers and array.ndim == 2


def _views(array: Array, index: Any, picked: Array) -> list[tuple[Array, Array]]:
    """Pairs of views: parts of `array` that an index picks, and where they are in `picked`.

    Of indices with no array there is one; of an array of constants there is one for each number.
    """
    parts = index if isinstance(index, tuple) else (index,)
    lists = [i for i, part in enumerate(parts) if isinstance(part, Buffer)]
    if not lists:
        return [(_view(array, parts), picked)]
    numbers = parts[lists[0]]
    before = all(isinstance(part, slice) for part in parts[: lists[0]])
    if len(lists) > 1 or not before or numbers.kind != "constant" or numbers.array.ndim != 1:
        raise UnsupportedError("machine code picks by constants along one axis")
    if len(numbers.array) > MOST_PARTS or numbers.array.dtype.kind not in "iu":
        raise UnsupportedError(f"machine code picks up to {MOST_PARTS} by number")
    axis = lists[0]
    found = []
    for k, number in enumerate(numbers.array):
        place = (*parts[:axis], int(number), *parts[axis + 1 :])
        found.append((_view(array, place), _view(picked, (slice(None),) * axis + (k,))))
    return found


def _view(array: Array, place: tuple[Any, ...]) -> Array:
    """The view ``array[place]``: an array of one element too, of which NumPy makes a scalar."""
    view = array[place if any(part is ... for part in place) else (*place, ...)]
    if view.size and not np.may_share_memory(view, array):  # by a list: NumPy makes a copy
        raise UnsupportedError("machine code picks by slices, numbers and arrays")
    return view
