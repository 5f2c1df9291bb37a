"""Tensor: the array that users hold, with NumPy's operators and methods, one line each."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from . import autograd, ops, sweep
from .autograd import Node, recording, wrap
from .backend import array_module, backend_of, current_backend, to_backend, to_numpy
from .errors import BackendError, DTypeError, GradientError, ShapeError, UnsupportedError
from .ops.shape import plain

Axis = int | tuple[int, ...] | None


def no_grad() -> AbstractContextManager[None]:
    """A context manager and a decorator: within it nothing is recorded, in this thread."""
    return recording(False)


class Tensor(Node):
    """An n-dimensional array that remembers how it was made, so that gradients can flow back.

    `data`: a NumPy or CuPy array is wrapped, not copied, and keeps its dtype and its place; Python
    numbers and lists become float32 on `backend` (by default the one that `use_backend` chose).
    `requires_grad`: whether gradients are wanted for it; ``backward`` then leaves them in ``.grad``,
    a Tensor of the same shape and dtype. Raises `DTypeError` if an integer Tensor should require one, or for
    what is no number, and `ShapeError` for ragged lists.
    """

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None, backend: str | None = None) -> None:
        data = plain(data)
        if not hasattr(data, "dtype"):
            try:
                data = np.asarray(data, dtype)
            except ValueError as error:
                raise ShapeError(f"Tensor: {error}: nested lists must be of equal lengths at each depth") from error
            data = data.astype(np.float32) if dtype is None and data.dtype.kind in "iuf" else data
            backend = backend or current_backend()
        data = to_backend(np.asarray(data) if isinstance(data, np.generic) else data, backend or backend_of(data))
        super().__init__(data if dtype is None else array_module(data).asarray(data, dtype=dtype))
        if self.data.dtype.kind not in "fiub":
            raise DTypeError(f"Tensor: cannot hold dtype {self.data.dtype}: give real numbers or booleans")
        if requires_grad and self.data.dtype.kind != "f":
            raise DTypeError(
                f"Tensor: dtype {self.data.dtype} cannot require a gradient: only floating ones can (dtype='float32')"
            )
        self.requires_grad = requires_grad

    shape = property(lambda self: self.data.shape, doc="The length of each axis, a tuple of ints.")
    dtype = property(lambda self: self.data.dtype, doc="The elements' NumPy dtype.")
    ndim = property(lambda self: self.data.ndim, doc="The number of axes.")
    size = property(lambda self: self.data.size, doc="The number of elements.")
    backend = property(lambda self: backend_of(self.data), doc="Where it lives: 'numpy' or 'cupy'.")
    T = property(lambda self: ops.transpose(self), doc="The axes reversed.")

    def backward(self, grad: Any = None, *, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add the gradient of this result to the ``.grad`` of every leaf that it was made from.

        `grad`, of this result's shape, is the gradient that arrives here; without it the result must
        hold one element, and 1 arrives. The graph is freed afterwards unless `retain_graph`;
        `create_graph` (which retains it) makes the gradients differentiable. Raises `ShapeError` if
        `grad` does not fit; `GradientError` if nothing was recorded, if the graph was freed, or if an
        array that it needs was changed in place; then no ``.grad`` has been touched.
        """
        sweep.backward(self, grad, retain_graph, create_graph)

    def zero_grad(self) -> None:
        """Forget the gradient: ``.grad`` becomes None."""
        self.grad = None

    def detach(self) -> "Tensor":
        """The same array (shared, not copied) with no history."""
        self._changes = self._changes or [0]
        alone: Tensor = wrap(self.data)
        alone._changes = self._changes
        return alone

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array, without history; on the CPU it shares memory with this Tensor."""
        return to_numpy(self.data)

    def item(self) -> Any:
        """The only element, as a Python number. Raises `ValueError` if there is not exactly one."""
        return self.data.item()

    def tolist(self) -> Any:
        """The values as nested Python lists."""
        return self.data.tolist()

    def to(self, backend: str) -> "Tensor":
        """This Tensor on `backend`, ``"numpy"`` or ``"cupy"``; gradients find their way back."""
        return self if backend == self.backend else ops.transfer(self, backend)

    def _in_place(self, op: Callable[..., Any], other: Any) -> "Tensor":
        if autograd._mode.recording and (self.requires_grad or getattr(other, "requires_grad", False)):
            if self.requires_grad and self._op is None:
                raise GradientError(
                    "an in-place operator on a leaf that requires a gradient would destroy the value that its gradient "
                    "belongs to: write x = x + y, or update parameters inside `with minidl.no_grad():`"
                )
            return op(self, other)
        self.data[...] = op(self.data, plain(other))
        self.changed()
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        if autograd._mode.recording and (self.requires_grad or getattr(value, "requires_grad", False)):
            raise GradientError(
                "assignment into a Tensor cannot be recorded: build the result with minidl.where(mask, a, b), "
                "concatenate or stack; or assign inside `with minidl.no_grad():` if no gradient should pass"
            )
        self.data[plain(index)] = plain(value)
        self.changed()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            what = (
                f"{ufunc.__name__}.{method}" if method != "__call__" else f"{ufunc.__name__} with {', '.join(options)}="
            )
            raise UnsupportedError(f"numpy.{what} does not take a Tensor: write a plain expression such as x = x + y")
        return ops.numpy_function(ufunc)(*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return ops.numpy_function(function)(*args, **options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.backend != "numpy":
            raise BackendError("a Tensor on the GPU does not become a NumPy array by itself: call .numpy()")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        body = np.array2string(self.numpy(), separator=", ", prefix="Tensor(", threshold=100)
        extra = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        extra += "" if self.backend == "numpy" else f", backend={self.backend!r}"
        return f"Tensor({body}{extra}{', requires_grad=True' if self.requires_grad else ''})"

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> "Iterator[Tensor]":
        return iter([self[i] for i in range(len(self))])

    __array_priority__ = 1000  # ndarray * Tensor must reach the Tensor, CuPy's ndarray included
    __hash__ = Node.__hash__

    # fmt: off
    # What NumPy's array has under the same name means the same here; see minidl's function of that name.
    def __bool__(self) -> bool: return bool(self.data)
    def __float__(self) -> float: return float(self.data)
    def __int__(self) -> int: return int(self.data)
    def __index__(self) -> int: return self.data.__index__()
    def __getitem__(self, index: Any) -> "Tensor": return ops.getitem(self, plain(index))

    def __pos__(self) -> "Tensor": return ops.positive(self)
    def __neg__(self) -> "Tensor": return ops.negative(self)
    def __abs__(self) -> "Tensor": return ops.absolute(self)

    def __add__(self, other: Any) -> "Tensor": return ops.add(self, other)
    def __radd__(self, other: Any) -> "Tensor": return ops.add(other, self)
    def __sub__(self, other: Any) -> "Tensor": return ops.subtract(self, other)
    def __rsub__(self, other: Any) -> "Tensor": return ops.subtract(other, self)
    def __mul__(self, other: Any) -> "Tensor": return ops.multiply(self, other)
    def __rmul__(self, other: Any) -> "Tensor": return ops.multiply(other, self)
    def __truediv__(self, other: Any) -> "Tensor": return ops.divide(self, other)
    def __rtruediv__(self, other: Any) -> "Tensor": return ops.divide(other, self)
    def __pow__(self, other: Any) -> "Tensor": return ops.power(self, other)
    def __rpow__(self, other: Any) -> "Tensor": return ops.power(other, self)
    def __matmul__(self, other: Any) -> "Tensor": return ops.matmul(self, other)
    def __rmatmul__(self, other: Any) -> "Tensor": return ops.matmul(other, self)

    def __iadd__(self, other: Any) -> "Tensor": return self._in_place(ops.add, other)
    def __isub__(self, other: Any) -> "Tensor": return self._in_place(ops.subtract, other)
    def __imul__(self, other: Any) -> "Tensor": return self._in_place(ops.multiply, other)
    def __itruediv__(self, other: Any) -> "Tensor": return self._in_place(ops.divide, other)
    def __ipow__(self, other: Any) -> "Tensor": return self._in_place(ops.power, other)

    def __eq__(self, other: Any) -> "Tensor": return ops.equal(self, other)  # type: ignore[override]
    def __ne__(self, other: Any) -> "Tensor": return ops.not_equal(self, other)  # type: ignore[override]
    def __lt__(self, other: Any) -> "Tensor": return ops.less(self, other)
    def __le__(self, other: Any) -> "Tensor": return ops.less_equal(self, other)
    def __gt__(self, other: Any) -> "Tensor": return ops.greater(self, other)
    def __ge__(self, other: Any) -> "Tensor": return ops.greater_equal(self, other)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> "Tensor": return ops.sum(self, axis, keepdims)
    def mean(self, axis: Axis = None, keepdims: bool = False) -> "Tensor": return ops.mean(self, axis, keepdims)
    def var(self, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> "Tensor": return ops.var(self, axis, ddof, keepdims)
    def std(self, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> "Tensor": return ops.std(self, axis, ddof, keepdims)
    def max(self, axis: Axis = None, keepdims: bool = False) -> "Tensor": return ops.max(self, axis, keepdims)
    def min(self, axis: Axis = None, keepdims: bool = False) -> "Tensor": return ops.min(self, axis, keepdims)
    def prod(self, axis: Axis = None, keepdims: bool = False) -> "Tensor": return ops.prod(self, axis, keepdims)
    def cumsum(self, axis: int | None = None) -> "Tensor": return ops.cumsum(self, axis)
    def argmax(self, axis: int | None = None, keepdims: bool = False) -> "Tensor": return ops.argmax(self, axis, keepdims)
    def argmin(self, axis: int | None = None, keepdims: bool = False) -> "Tensor": return ops.argmin(self, axis, keepdims)
    def clip(self, min: Any = None, max: Any = None) -> "Tensor": return ops.clip(self, min, max)
    def dot(self, other: Any) -> "Tensor": return ops.dot(self, other)
    def trace(self) -> "Tensor": return ops.trace(self)
    def reshape(self, *shape: Any) -> "Tensor": return ops.reshape(self, shape[0] if len(shape) == 1 else shape)
    def ravel(self) -> "Tensor": return ops.ravel(self)
    def transpose(self, *axes: Any) -> "Tensor": return ops.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)
    def swapaxes(self, axis1: int, axis2: int) -> "Tensor": return ops.swapaxes(self, axis1, axis2)
    def squeeze(self, axis: Axis = None) -> "Tensor": return ops.squeeze(self, axis)
    def repeat(self, repeats: Any, axis: int | None = None) -> "Tensor": return ops.repeat(self, repeats, axis)
    def take(self, indices: Any, axis: int | None = None) -> "Tensor": return ops.take(self, plain(indices), axis)
    def sort(self, axis: int = -1) -> "Tensor": return ops.sort(self, axis)
    def astype(self, dtype: Any) -> "Tensor": return ops.astype(self, dtype)
    # fmt: on


autograd.kind = Tensor
