"""Tensor: the array that users hold, with NumPy's operators and methods, one line each."""

import operator
from collections.abc import Callable, Iterator
from typing import Any, Never

import numpy as np

from . import backward, deposit, hooks, node, ops
from .arrays import ArrayLike, DTypeLike
from .backend import Backend, to_numpy
from .construct import source
from .dlpack import Exported
from .errors import BackendError, DTypeError, GradientError, UnsupportedError
from .hardware.arithmetic import computes
from .methods import Methods
from .node import Node, wrap
from .operands import recorded, unwrapped
from .ops.namesakes import numpy_function
from .ops.shape import Axis, plain
from .recording import paused, transforms
from .signature import as_minidl_error


class Tensor(Exported, Methods):
    """An n-dimensional array that remembers how it was made, so that gradients can flow back.

    Args:
        data: a NumPy or CuPy array is wrapped, not copied, and keeps its dtype and its backend; Python numbers and
            lists become float32 on `backend`. What else is read as an array (pandas, ``numpy.matrix``, pyarrow, ...)
            is one, see arrays.py. A Tensor, or lists with Tensors in them, which are stacked, stay recorded if they
            are; otherwise the memory is shared.
        requires_grad: whether gradients are wanted for it; ``backward`` then stores them in ``.grad``, a Tensor of
            the same shape and dtype.
        dtype: that of the elements, if `data` is to be converted.
        backend: "numpy" or "cupy"; for numbers and lists by default the one that `use_backend` chose.

    Raises:
        DTypeError: if an integer Tensor should require a gradient; for what is no number, masked or sparse.
        ShapeError: for ragged lists.
        GradientError: for a new leaf (requires_grad=True) of what requires a gradient already.
    """

    grad: "Tensor | Any"  # None before the first backward; Any, so that nobody has to rule that out at each use

    def __init__(
        self, data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None, backend: Backend | None = None
    ) -> None:
        if type(data) is np.ndarray and data.dtype.kind in "fiub" and dtype is None and backend is None:
            self._array = data
        else:
            made = source(data, requires_grad, dtype, backend)
            if isinstance(made, Node):
                vars(self).update(vars(made))
            else:
                self._array = made
        if requires_grad:
            if self._array.dtype.kind != "f":
                raise DTypeError(
                    f"Tensor: dtype {self.dtype} cannot require a gradient: only floating ones can (dtype='float32')"
                )
            self.requires_grad = True

    @property
    def T(self) -> "Tensor":  # noqa: N802 (NumPy's name)
        """The axes reversed."""
        return ops.transpose(self)

    @computes
    def backward(
        self, grad: ArrayLike | None = None, *, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add the gradient of this result to the ``.grad`` of every leaf that it was made from.

        Args:
            grad: the gradient that arrives here, of this result's shape; without it the result must hold one
                element, and 1 arrives.
            retain_graph: keep the graph, for another backward; else it is freed.
            create_graph: record the gradients, so that they can be differentiated again; retains the graph, too.

        Raises:
            ShapeError: if `grad` does not fit.
            GradientError: if nothing was recorded, if the graph was freed, or if an array that it needs was changed
                in place. Then no ``.grad`` has been touched.
        """
        backward.backward(self, grad, retain_graph, create_graph)

    def zero_grad(self) -> None:
        """Forget the gradient: ``.grad`` becomes None."""
        self.grad = None

    retain_grad = deposit.retain_grad

    def detach(self) -> "Tensor":
        """The same array (shared, not copied) with no history."""
        alone: Tensor = wrap(self._array)
        if self._changes is None:
            self._changes = [0]
        alone._changes = self._changes
        return alone

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array, without history; on the CPU it shares memory with this Tensor."""
        return to_numpy(self._array)

    def item(self) -> Any:
        """The only element, as a Python number. Raises `ValueError` if there is not exactly one."""
        return self._array.item()

    def tolist(self) -> Any:
        """The values as nested Python lists."""
        return self._array.tolist()

    def to(self, backend: Backend) -> "Tensor":
        """This Tensor on `backend`, ``"numpy"`` or ``"cupy"``; gradients are moved back."""
        return self if backend == self.backend else ops.transfer(self, backend)

    def _in_place(self, write: Callable[..., Any], op: Callable[..., Any], other: Any) -> "Tensor":
        if not paused() and (self.requires_grad or recorded(other)):
            if self.requires_grad and self._op is None:
                raise GradientError(
                    "an in-place operator on a leaf that requires a gradient would destroy the value that its gradient "
                    "belongs to: write x = x + y, or update parameters inside `with minidl.no_grad():`"
                )
            return self._kept_dtype(op(self, other))
        value = unwrapped(other)
        try:
            hooks.write(write, self._array, value)
        except (ValueError, TypeError) as error:
            raise as_minidl_error(write.__name__, [self._array, value], error) from error
        self.changed()
        return self

    def _kept_dtype(self, result: "Tensor") -> "Tensor":
        if not np.can_cast(result.dtype, self.dtype, "same_kind"):
            raise DTypeError(
                f"in place, {self.dtype} cannot take {result.dtype}: write x = x + y, or .astype() one of them"
            )
        return result if result.dtype == self.dtype else ops.astype(result, self.dtype)

    def __setitem__(self, index: Any, value: Any) -> None:
        if not paused() and (self.requires_grad or recorded(value)):
            raise GradientError(
                "assignment into a Tensor cannot be recorded: build the result with minidl.where(mask, a, b), "
                "concatenate or stack; or assign inside `with minidl.no_grad():` if no gradient should pass"
            )
        index, value = plain(index), unwrapped(value)
        hooks.write(operator.setitem, self._array, index, value)
        self.changed()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if options.get("out") is not None and not any(isinstance(out, Tensor) for out in options["out"]):
            raise UnsupportedError(
                f"numpy.{ufunc.__name__} with out= (so array += tensor too) cannot write a Tensor into an array: for a "
                f"parameter p, `with minidl.no_grad(): p -= lr * p.grad`; for an array, array += tensor.numpy()"
            )
        if method != "__call__" or options:
            what = (
                f"{ufunc.__name__}.{method}" if method != "__call__" else f"{ufunc.__name__} with {', '.join(options)}="
            )
            raise UnsupportedError(f"numpy.{what} does not take a Tensor: write a plain expression such as x = x + y")
        return numpy_function(ufunc)(*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return numpy_function(function)(*args, **options)

    # Not dtype[Any]: an ndarray's operators would then claim the Tensor beside it, for type checkers, as one of theirs.
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, np.dtype[np.generic]]:
        if self.backend != "numpy":
            raise BackendError("a Tensor on the GPU does not become a NumPy array by itself: call .numpy()")
        if self.requires_grad and transforms.get() and not paused():
            raise GradientError(
                "inside a function that is being differentiated NumPy was about to make an array of a Tensor, without "
                "its gradient: of several Tensors make one with minidl.stack or minidl.Tensor([...]); where no "
                "gradient is meant to pass, say so with .numpy()"
            )
        return np.array(self._array, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        body = np.array2string(self.numpy(), separator=", ", prefix="Tensor(", threshold=100)
        extra = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        extra += "" if self.backend == "numpy" else f", backend={self.backend!r}"
        return f"Tensor({body}{extra}{', requires_grad=True' if self.requires_grad else ''})"

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> "Iterator[Tensor]":
        return iter([self[i] for i in range(len(self))])

    __array_priority__ = 1000  # ndarray * Tensor must reach the Tensor, CuPy's ndarray included
    __pandas_priority__ = 5000  # and so must Series * Tensor
    __hash__ = Node.__hash__

    # fmt: off
    # What NumPy's array has under the same name means the same here; see minidl's function of that name.
    def __bool__(self) -> bool: return bool(self._array)
    def __float__(self) -> float: return float(self._array)
    def __int__(self) -> int: return int(self._array)
    def __index__(self) -> int: return self._array.__index__()
    def __getitem__(self, index: Any) -> "Tensor": return ops.getitem(self, plain(index))

    def __pos__(self) -> "Tensor": return ops.positive(self)
    def __neg__(self) -> "Tensor": return ops.negative(self)
    def __abs__(self) -> "Tensor": return ops.absolute(self)

    def __add__(self, other: ArrayLike) -> "Tensor": return ops.add(self, other)
    def __radd__(self, other: ArrayLike) -> "Tensor": return ops.add(other, self)
    def __sub__(self, other: ArrayLike) -> "Tensor": return ops.subtract(self, other)
    def __rsub__(self, other: ArrayLike) -> "Tensor": return ops.subtract(other, self)
    def __mul__(self, other: ArrayLike) -> "Tensor": return ops.multiply(self, other)
    def __rmul__(self, other: ArrayLike) -> "Tensor": return ops.multiply(other, self)
    def __truediv__(self, other: ArrayLike) -> "Tensor": return ops.divide(self, other)
    def __rtruediv__(self, other: ArrayLike) -> "Tensor": return ops.divide(other, self)
    def __pow__(self, other: ArrayLike) -> "Tensor": return ops.power(self, other)
    def __rpow__(self, other: ArrayLike) -> "Tensor": return ops.power(other, self)
    def __matmul__(self, other: ArrayLike) -> "Tensor": return ops.matmul(self, other)
    def __rmatmul__(self, other: ArrayLike) -> "Tensor": return ops.matmul(other, self)

    def __iadd__(self, other: ArrayLike) -> "Tensor": return self._in_place(operator.iadd, ops.add, other)
    def __isub__(self, other: ArrayLike) -> "Tensor": return self._in_place(operator.isub, ops.subtract, other)
    def __imul__(self, other: ArrayLike) -> "Tensor": return self._in_place(operator.imul, ops.multiply, other)
    def __itruediv__(self, other: ArrayLike) -> "Tensor": return self._in_place(operator.itruediv, ops.divide, other)
    def __ipow__(self, other: ArrayLike) -> "Tensor": return self._in_place(operator.ipow, ops.power, other)

    def __eq__(self, other: Any) -> "Tensor": return ops.equal(self, other)  # type: ignore[override]
    def __ne__(self, other: Any) -> "Tensor": return ops.not_equal(self, other)  # type: ignore[override]
    def __lt__(self, other: ArrayLike) -> "Tensor": return ops.less(self, other)
    def __le__(self, other: ArrayLike) -> "Tensor": return ops.less_equal(self, other)
    def __gt__(self, other: ArrayLike) -> "Tensor": return ops.greater(self, other)
    def __ge__(self, other: ArrayLike) -> "Tensor": return ops.greater_equal(self, other)

    # What is `other`, such as PyTorch's dim=, the op refuses, and says what it is called here.
    def sum(self, axis: Axis = None, keepdims: bool = False, **other: Never) -> "Tensor": return ops.sum(self, axis, keepdims, **other)
    def mean(self, axis: Axis = None, keepdims: bool = False, **other: Never) -> "Tensor": return ops.mean(self, axis, keepdims, **other)
    def var(self, axis: Axis = None, ddof: float = 0, keepdims: bool = False, **other: Never) -> "Tensor": return ops.var(self, axis, ddof, keepdims, **other)
    def std(self, axis: Axis = None, ddof: float = 0, keepdims: bool = False, **other: Never) -> "Tensor": return ops.std(self, axis, ddof, keepdims, **other)
    def max(self, axis: Axis = None, keepdims: bool = False, **other: Never) -> "Tensor": return ops.max(self, axis, keepdims, **other)
    def min(self, axis: Axis = None, keepdims: bool = False, **other: Never) -> "Tensor": return ops.min(self, axis, keepdims, **other)
    def prod(self, axis: Axis = None, keepdims: bool = False, **other: Never) -> "Tensor": return ops.prod(self, axis, keepdims, **other)
    def cumsum(self, axis: int | None = None, **other: Never) -> "Tensor": return ops.cumsum(self, axis, **other)
    def argmax(self, axis: int | None = None, keepdims: bool = False, **other: Never) -> "Tensor": return ops.argmax(self, axis, keepdims, **other)
    def argmin(self, axis: int | None = None, keepdims: bool = False, **other: Never) -> "Tensor": return ops.argmin(self, axis, keepdims, **other)
    def clip(self, min: ArrayLike | None = None, max: ArrayLike | None = None) -> "Tensor": return ops.clip(self, min, max)
    def round(self, decimals: int = 0) -> "Tensor": return ops.round(self, decimals)
    def dot(self, other: ArrayLike) -> "Tensor": return ops.dot(self, other)
    def reshape(self, *shape: Any) -> "Tensor": return ops.reshape(self, shape[0] if len(shape) == 1 else shape)
    def ravel(self) -> "Tensor": return ops.ravel(self)
    def transpose(self, *axes: Any) -> "Tensor": return ops.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)
    def swapaxes(self, axis1: int, axis2: int) -> "Tensor": return ops.swapaxes(self, axis1, axis2)
    def squeeze(self, axis: Axis = None, **other: Never) -> "Tensor": return ops.squeeze(self, axis, **other)
    def repeat(self, repeats: ArrayLike, axis: int | None = None) -> "Tensor": return ops.repeat(self, repeats, axis)
    def take(self, indices: ArrayLike, axis: int | None = None) -> "Tensor": return ops.take(self, plain(indices), axis)
    def sort(self, axis: int = -1, **other: Never) -> "Tensor": return ops.sort(self, axis, **other)
    def astype(self, dtype: DTypeLike) -> "Tensor": return ops.astype(self, dtype)
    # fmt: on


node.result_class = Tensor
