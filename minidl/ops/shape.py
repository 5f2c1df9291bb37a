"""Shape, order of axes, dtype and backend of arrays; joining and splitting."""

from collections.abc import Iterable, Sequence
from typing import Any, Never

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .. import operands
from ..arrays import DTypeLike, common_dtype
from ..autograd import Node, Op, unbroadcast
from ..backend import Array, Backend, array_module, backend_of, to_backend
from ..elsewhere import refuse_options
from ..errors import ShapeError
from ..operands import as_operands

Axis = int | tuple[int, ...] | None
Shape = int | Sequence[int]


def plain(value: Any) -> Any:
    """`value`, with every Tensor in it (also inside tuples and lists) replaced by its array."""
    if isinstance(value, tuple | list):
        return rebuilt(value, map(plain, value))
    return value._array if isinstance(value, Node) else value


def rebuilt(value: tuple[Any, ...] | list[Any], parts: Iterable[Any]) -> Any:
    """A tuple, named tuple or list like `value`, of other `parts`."""
    make = getattr(type(value), "_make", type(value))
    return make(parts)


def along(axis: int, piece: Any) -> tuple[Any, ...]:
    """The index that takes `piece` along `axis` (not negative) and everything along the axes before it."""
    return (slice(None),) * axis + (piece,)


@Op
def reshape(a: Array, shape: Shape) -> Array:
    """`a` with another shape of the same size, of which one length may be -1; a view where memory allows.

    Raises `ShapeError` if the sizes differ.
    """
    return a.reshape(shape)


reshape.vjp(lambda g, y, a, shape: reshape(g, a.shape))


def ravel(a: Array) -> Any:
    """`a` with one axis, its elements in row-major order; a view where memory allows."""
    (a,) = as_operands("ravel", a)
    return reshape(a, (a.size,))


@Op
def transpose(a: Array, axes: Sequence[int] | None = None) -> Array:
    """A view of `a` whose axis i is `a`'s axis ``axes[i]``; without `axes`, their order is reversed."""
    return a.transpose(axes)


transpose.vjp(lambda g, y, a, axes: transpose(g, _inverse(axes)))


def _inverse(axes: Sequence[int] | None) -> Sequence[int] | None:
    return None if axes is None else sorted(range(len(axes)), key=lambda i: axes[i] % len(axes))


@Op
def swapaxes(a: Array, axis1: int, axis2: int) -> Array:
    """A view of `a` with two axes exchanged."""
    return a.swapaxes(axis1, axis2)


swapaxes.vjp(lambda g, y, a, axis1, axis2: swapaxes(g, axis1, axis2))


@Op
def moveaxis(a: Array, source: Shape, destination: Shape) -> Array:
    """A view of `a` with axes moved from `source` to `destination`; the others keep their order."""
    return array_module(a).moveaxis(a, source, destination)


moveaxis.vjp(lambda g, y, a, source, destination: moveaxis(g, destination, source))


@Op
def squeeze(a: Array, axis: Axis = None) -> Array:
    """A view of `a` without axes of length 1: those in `axis`, or all. Raises `ShapeError` if one is longer."""
    return a.squeeze(axis)


squeeze.vjp(lambda g, y, a, axis: reshape(g, a.shape))


@Op
def expand_dims(a: Array, axis: int | tuple[int, ...]) -> Array:
    """A view of `a` with new axes of length 1, which get the numbers in `axis`."""
    return array_module(a).expand_dims(a, axis)


expand_dims.vjp(lambda g, y, a, axis: reshape(g, a.shape))


@Op
def broadcast_to(array: Array, shape: Shape) -> Array:
    """A view (with NumPy, read-only) of `array`, repeated to `shape` by NumPy's rules of broadcasting."""
    return array_module(array).broadcast_to(array, shape)


broadcast_to.vjp(lambda g, y, array, shape: g)


@Op
def flip(m: Array, axis: Axis = None) -> Array:
    """A view of `m` with the order of the elements reversed along `axis`: one, several, or (None) all."""
    return array_module(m).flip(m, axis)


flip.vjp(lambda g, y, m, axis: flip(g, axis))


@Op
def roll(a: Array, shift: Shape, axis: Axis = None) -> Array:
    """The elements of `a` moved on by `shift` along `axis`, those at the end coming in at the start.

    Without `axis`, `a` is flattened for it. Several shifts go with several axes.
    """
    return array_module(a).roll(a, shift, axis)


roll.vjp(lambda g, y, a, shift, axis: roll(g, _opposite(shift), axis))


def _opposite(shift: Shape) -> Shape:
    return tuple(-s for s in shift) if isinstance(shift, Sequence) else -shift


@Op
def tile(A: Array, reps: Shape) -> Array:
    """`A` laid side by side ``reps[i]`` times along axis i; the shorter of shape and reps gets 1s in front."""
    return array_module(A).tile(A, reps)


def _tile_vjp(g: Any, y: Any, a: Any, reps: Shape) -> Any:
    counts = np.atleast_1d(reps).tolist()
    counts = [1] * (y.ndim - len(counts)) + counts
    shape = (1,) * (y.ndim - a.ndim) + a.shape
    # Each axis of y is taken apart into (repetition, element); the gradient is summed over the repetitions.
    tiles = [length for pair in zip(counts, shape, strict=True) for length in pair]
    one = tuple(length for n in shape for length in (1, n))
    return reshape(unbroadcast(reshape(g, tiles), one, g.dtype), a.shape)


tile.vjp(_tile_vjp)


@Op
def _concatenate(*arrays: Array, axis: int) -> Array:
    return array_module(next(iter(arrays), None)).concatenate(arrays, axis)


def _concatenate_vjp(i: int, g: Any, y: Any, *args: Any) -> Any:
    *arrays, axis = args
    axis %= y.ndim
    start = sum(a.shape[axis] for a in arrays[:i])
    return g[along(axis, slice(start, start + arrays[i].shape[axis]))]


_concatenate.vjp(_concatenate_vjp)


def concatenate(arrays: Sequence[Array], axis: int | None = 0, **other: Never) -> Any:
    """`arrays`, equal in shape but for `axis`, joined along it; with axis None each is flattened first.

    Raises `ShapeError` if the shapes do not fit.
    """
    refuse_options("concatenate", ("arrays", "axis"), other)
    if axis is None:
        return _concatenate(*[ravel(a) for a in as_operands("concatenate", *arrays)], axis=0)
    return _concatenate(*arrays, axis=axis)


@Op
def _stack(*arrays: Array, axis: int) -> Array:
    numbers = {int, float, bool}.intersection(map(type, arrays))
    if numbers:  # they would widen the arrays among them
        xp = array_module(next((a for a in arrays if type(a) not in numbers), None))
        arrays = tuple(xp.asarray(a, dtype=common_dtype(arrays)) for a in arrays)
    return array_module(next(iter(arrays), None)).stack(arrays, axis)


_stack.vjp(lambda i, g, y, *args: g[along(args[-1] % y.ndim, i)])


def stack(arrays: Sequence[Array], axis: int = 0, **other: Never) -> Any:
    """`arrays`, all of one shape, joined along a new axis with the number `axis`. Raises `ShapeError` otherwise."""
    refuse_options("stack", ("arrays", "axis"), other)
    return _stack(*arrays, axis=axis)


operands.stack = stack


def split(ary: Array, indices_or_sections: int | Sequence[int], axis: int = 0, **other: Never) -> list[Any]:
    """`ary` cut along `axis` into so many equal sections, or before each of the given indices: a list of views.

    Raises `ShapeError` if the sections cannot be equal.
    """
    refuse_options("split", ("ary", "indices_or_sections", "axis"), other)
    (ary,) = as_operands("split", ary)
    axis = normalize_axis_index(axis, ary.ndim)
    length = ary.shape[axis]
    if isinstance(indices_or_sections, int | np.integer):
        if indices_or_sections < 1 or length % indices_or_sections:
            raise ShapeError(f"split: axis {axis}, of length {length}, has no {indices_or_sections} equal sections")
        cuts = [length // indices_or_sections * i for i in range(1, indices_or_sections)]
    else:
        cuts = list(indices_or_sections)
    return [ary[along(axis, slice(a, b))] for a, b in zip([0, *cuts], [*cuts, length], strict=True)]


@Op
def copy(a: Array) -> Array:
    """The same elements in memory of their own."""
    return a.copy()


copy.vjp(lambda g, y, a: g)


@Op
def zeros_like(a: Array, dtype: DTypeLike | None = None) -> Array:
    """Zeros of the shape, the backend and (without `dtype`) the dtype of `a`; nothing is recorded."""
    return array_module(a).zeros_like(a, dtype)


@Op
def ones_like(a: Array, dtype: DTypeLike | None = None) -> Array:
    """Ones of the shape, the backend and (without `dtype`) the dtype of `a`; nothing is recorded."""
    return array_module(a).ones_like(a, dtype)


zeros_like.vjp(None)
ones_like.vjp(None)


@Op
def full_like(a: Array, fill_value: Array, dtype: DTypeLike | None = None) -> Array:
    """`fill_value`, broadcast to the shape of `a`, on its backend and (without `dtype`) in its dtype."""
    filled = array_module(a).empty_like(a, dtype)
    filled[...] = fill_value  # CuPy's full_like takes numbers alone
    return filled


full_like.vjp(None, lambda g, y, a, fill_value, dtype: g)


@Op
def astype(x: Array, dtype: DTypeLike) -> Array:
    """A copy of `x` with another dtype. The gradient returns in `x`'s own; through integers none passes."""
    return x.astype(dtype)


astype.vjp(lambda g, y, x, dtype: g)


@Op
def transfer(a: Array, backend: Backend) -> Array:
    """`a` on the backend of that name, ``"numpy"`` or ``"cupy"``, a view if it is there; its gradient is moved back.

    Raises `BackendError` if the backend is unknown, not installed, or finds no GPU.
    """
    moved = to_backend(a, backend)
    return moved if moved is not a else a.view()


transfer.vjp(lambda g, y, a, backend: transfer(g, backend_of(plain(a))))
