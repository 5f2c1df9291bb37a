"""Elements picked by index; the gradient puts them back there."""

from collections.abc import Sequence
from typing import Any, Never

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..arrays import ArrayLike, as_array
from ..autograd import Op, unbroadcast
from ..backend import Array, array_module
from ..elsewhere import refuse_options
from ..errors import ShapeError
from ..operands import as_operands
from .elementwise import where
from .shape import along, plain, ravel, reshape


@Op
def getitem(a: Array, index: Any) -> Array:
    """``a[index]``, for any index that NumPy takes; a view for slices and numbers, a copy otherwise.

    An element picked several times gets the sum of the gradients. Raises `IndexError` for an index out of
    bounds; on the GPU, where CuPy would have to wait to see it, one in an array of indices wraps around.
    """
    try:
        return a[index]
    except IndexError as error:
        if "arrays used as indices" not in str(error):
            raise
        raise IndexError(f"{error}: numbers become float32, unless they are Tensor(numbers, dtype=int)") from error


@Op
def scatter(values: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of `shape` with `values` added at `index`: what `getitem` does, read backwards."""
    xp = array_module(values)
    a = xp.zeros(shape, values.dtype)
    if _picks_once(index):
        a[index] = values
    else:
        xp.add.at(a, index, values)
    return a


getitem.vjp(lambda g, y, a, index: scatter(g, index, a.shape))
scatter.vjp(lambda g, y, values, index, shape: getitem(g, index))


def _picks_once(index: Any) -> bool:
    """Whether `index` holds no array of integers: then it picks no element twice, and assigning is much faster."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, int | np.integer | slice) or _is_mask(part)
        for part in parts
    )


def _is_mask(part: Any) -> bool:
    return hasattr(part, "dtype") and part.dtype.kind == "b"


def take(a: Array, indices: ArrayLike, axis: int | None = None) -> Any:
    """The elements of `a` at `indices` along `axis` (None: of `a` flattened), as ``a[:, indices]`` for axis 1.

    The result has `indices`' shape in place of that axis.
    """
    (a,), indices = as_operands("take", a), as_array(plain(indices), "take")
    if axis is None:
        return getitem(ravel(a), indices)
    return getitem(a, along(normalize_axis_index(axis, a.ndim), indices))


def take_along_axis(arr: Array, indices: ArrayLike, axis: int | None = -1) -> Any:
    """NumPy's take_along_axis: for axis 1, ``result[i, j] = arr[i, indices[i, j]]``.

    What `argsort` and `argmax` (keepdims=True) return picks the sorted and the largest elements.
    """
    (arr,), indices = as_operands("take_along_axis", arr), as_array(plain(indices), "take_along_axis")
    if axis is None:
        arr, axis = ravel(arr), 0
    xp, ndim = array_module(indices), arr.ndim
    axis = normalize_axis_index(axis, ndim)
    # The other axes' own numbers, each along its own axis, so that they broadcast with `indices`.
    rest = [xp.arange(n).reshape((-1,) + (1,) * (ndim - 1 - i)) for i, n in enumerate(arr.shape)]
    return getitem(arr, (*rest[:axis], indices, *rest[axis + 1 :]))


@Op
def _repeat(a: Array, repeats: int, axis: int) -> Array:
    return a.repeat(repeats, axis)


def _repeat_vjp(g: Any, y: Any, a: Any, repeats: int, axis: int) -> Any:
    # The copies of an element get an axis of their own, over which the gradient is summed.
    before, after = a.shape[: axis + 1], a.shape[axis + 1 :]
    grouped = reshape(g, (*before, repeats, *after))
    return reshape(unbroadcast(grouped, (*before, 1, *after), g.dtype), a.shape)


_repeat.vjp(_repeat_vjp)


def repeat(a: Array, repeats: ArrayLike, axis: int | None = None) -> Any:
    """Each element of `a` `repeats` times in a row along `axis` (None: of `a` flattened).

    `repeats`: one number, or one for each element along the axis.
    """
    (a,) = as_operands("repeat", a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis_index(axis, a.ndim)
    if isinstance(repeats, int | np.integer):
        return _repeat(a, int(repeats), axis)
    return take(a, np.repeat(np.arange(a.shape[axis]), plain(repeats)), axis)


def select(condlist: Sequence[Any], choicelist: Sequence[Array], default: Array = 0) -> Any:
    """Element by element the first of the choices whose condition holds; `default` where none does.

    As `where` (see there what a choice must not be where it is not taken). Raises `ShapeError` unless there is a
    condition for each choice.
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise ShapeError(f"select: {len(condlist)} conditions do not fit {len(choicelist)} choices")
    *choices, chosen = as_operands("select", *choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        chosen = where(condition, choice, chosen)
    return chosen


@Op
def argsort(a: Array, axis: int | None = -1) -> Array:
    """The indices that sort `a` along `axis`, equal elements in their order; no gradient."""
    return array_module(a).argsort(a, axis, kind="stable")


argsort.vjp(None)


def sort(a: Array, axis: int | None = -1, **other: Never) -> Any:
    """`a` in ascending order along `axis` (None: of `a` flattened), NaN last; each gradient goes where its element was.

    Of equal elements, the first in `a` counts as the smaller.
    """
    refuse_options("sort", ("a", "axis"), other)
    (a,) = as_operands("sort", a)
    return take_along_axis(a, argsort(plain(a), axis), axis)
