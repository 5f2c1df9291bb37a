"""New Tensors: zeros, ones, grids and random numbers, under NumPy's names; float32, on the current backend."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import ops
from .arrays import ArrayLike, DTypeLike, common_dtype
from .backend import array_module, current_backend, generator, to_backend
from .errors import DTypeError
from .operands import as_operands
from .ops.namesakes import NAMESAKES
from .ops.shape import plain
from .tensor import Tensor

__all__ = ["arange", "array", "asarray", "eye", "full", "linspace", "ones", "rand", "randn", "zeros"]


def zeros(shape: int | Sequence[int], dtype: DTypeLike = np.float32, *, requires_grad: bool = False) -> Tensor:
    """Zeros of `shape`, one number or a tuple. Raises `DTypeError` for a second number, ``zeros(2, 3)``."""
    return _new(np.zeros(shape, _dtype("zeros", shape, dtype)), requires_grad)


def ones(shape: int | Sequence[int], dtype: DTypeLike = np.float32, *, requires_grad: bool = False) -> Tensor:
    """Ones of `shape`, one number or a tuple. Raises `DTypeError` for a second number, ``ones(2, 3)``."""
    return _new(np.ones(shape, _dtype("ones", shape, dtype)), requires_grad)


def _dtype(name: str, shape: Any, dtype: Any) -> Any:
    if isinstance(dtype, int):
        raise DTypeError(f"{name}: {dtype} is no dtype: give the shape as one tuple, {name}(({shape}, {dtype}))")
    return dtype


def full(shape: int | Sequence[int], fill_value: ArrayLike, dtype: DTypeLike | None = None) -> Tensor:
    """`fill_value`, broadcast to `shape`; a Tensor's gradient is summed over it. Numbers and lists become float32."""
    filled: Tensor = ops.copy(ops.broadcast_to(Tensor(fill_value, dtype=dtype), shape))
    return filled


def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike = np.float32) -> Tensor:
    """The matrix of `N` rows and `M` columns (None: N) with 1 on the diagonal `k` above the main one, else 0."""
    return _new(np.eye(N, M, k, dtype))


def arange(start: float, stop: float | None = None, step: float = 1, dtype: DTypeLike = np.float32) -> Tensor:
    """The numbers from `start` to before `stop`, `step` apart; ``arange(n)`` counts from 0.

    As all numbers they become float32, which no index may be: ``arange(n, dtype=int)`` is for those.
    """
    start, stop = (0, start) if stop is None else (start, stop)
    return _new(np.arange(start, stop, step).astype(dtype))


def linspace(
    start: ArrayLike, stop: ArrayLike, num: int = 50, endpoint: bool = True, dtype: DTypeLike | None = None
) -> Tensor:
    """`num` numbers, equally far apart, from `start` to `stop` (without `endpoint`: to one before it).

    Between arrays or Tensors they lie along a new first axis, and the gradient goes to both ends.
    """
    if all(isinstance(end, int | float) for end in (start, stop)):
        return _new(np.linspace(start, stop, num, endpoint).astype(dtype or np.float32))
    start, stop = (Tensor(end) if isinstance(end, list | tuple) else end for end in (start, stop))
    first, last = as_operands("linspace", start, stop)
    share = np.arange(num) / (num - endpoint or 1)
    share = array_module(plain(first)).asarray(share, dtype=common_dtype([first, last, 1.0]))
    share = share.reshape((num,) + (1,) * max(first.ndim, last.ndim))
    return Tensor(first * (1 - share) + last * share, dtype=dtype)


NAMESAKES[np.linspace] = linspace


def rand(*shape: int, dtype: DTypeLike = np.float32, requires_grad: bool = False) -> Tensor:
    """Numbers drawn evenly from [0, 1), by a stream that `minidl.seed` begins: the same on both backends."""
    draw: Any = generator("sample").random
    return _new(draw(_one(shape), np.dtype(dtype)), requires_grad)


def randn(*shape: int, dtype: DTypeLike = np.float32, requires_grad: bool = False) -> Tensor:
    """Numbers drawn from the normal distribution of mean 0 and variance 1, by a stream that `minidl.seed` begins."""
    draw: Any = generator("sample").standard_normal
    return _new(draw(_one(shape), np.dtype(dtype)), requires_grad)


def _one(shape: tuple[Any, ...]) -> Any:
    """A shape that was given as numbers, or as one tuple."""
    return shape[0] if len(shape) == 1 else shape


def _new(array: Any, requires_grad: bool = False) -> Tensor:
    return Tensor(to_backend(np.asarray(array), current_backend()), requires_grad)


def array(data: Any, dtype: DTypeLike | None = None) -> Tensor:
    """``Tensor(data)`` in memory of its own: recorded, if `data` is; lists and numbers become float32."""
    return Tensor(data, dtype=dtype).copy()


def asarray(data: Any, dtype: DTypeLike | None = None) -> Tensor:
    """``Tensor(data)``: of the same memory where `data` is an array, recorded if it is."""
    return Tensor(data, dtype=dtype)
