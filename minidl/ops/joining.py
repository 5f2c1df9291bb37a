"""NumPy's further ways of joining arrays and taking them apart, made of `concatenate` and `split`."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..backend import Array
from ..errors import ShapeError
from ..operands import as_operands
from .shape import broadcast_to, concatenate, ravel, reshape, split, transpose


def _each(name: str, arrays: tuple[Any, ...], padded: Any) -> Any:
    found = [reshape(a, padded(a.shape)) for a in as_operands(name, *arrays)]
    return found[0] if len(found) == 1 else tuple(found)


def atleast_1d(*arys: Array) -> Any:
    """The array, a number as a vector of one; of several arrays, a tuple of them."""
    return _each("atleast_1d", arys, lambda shape: shape or (1,))


def atleast_2d(*arys: Array) -> Any:
    """The array with new axes in front, so that there are two; of several arrays, a tuple of them."""
    return _each("atleast_2d", arys, lambda shape: (1,) * (2 - len(shape)) + shape)


def atleast_3d(*arys: Array) -> Any:
    """The array with new axes around a vector, or behind a matrix, so that there are three; of several, a tuple."""
    return _each("atleast_3d", arys, lambda shape: (1,) * (2 - len(shape)) + shape + (1,) if len(shape) < 3 else shape)


def vstack(tup: Sequence[Array]) -> Any:
    """Arrays joined along the first axis, vectors as rows."""
    return concatenate([atleast_2d(a) for a in as_operands("vstack", *tup)])


def hstack(tup: Sequence[Array]) -> Any:
    """Arrays joined along the second axis, vectors along their only one."""
    parts = [atleast_1d(a) for a in as_operands("hstack", *tup)]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


def dstack(tup: Sequence[Array]) -> Any:
    """Arrays joined along the third axis, as `atleast_3d` makes it."""
    return concatenate([atleast_3d(a) for a in as_operands("dstack", *tup)], 2)


def column_stack(tup: Sequence[Array]) -> Any:
    """Arrays joined along the second axis, vectors as columns."""
    parts = as_operands("column_stack", *tup)
    return concatenate([a if a.ndim > 1 else transpose(atleast_2d(a)) for a in parts], 1)


def append(arr: Array, values: Array, axis: int | None = None) -> Any:
    """`arr` with `values` behind it along `axis`; for None both are flattened first."""
    return concatenate(as_operands("append", arr, values), axis)


def array_split(ary: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """`split`, where the sections need not be equal: the first ones are longer by one. Raises `ShapeError` for none."""
    (ary,) = as_operands("array_split", ary)
    if isinstance(indices_or_sections, int | np.integer):
        sections = int(indices_or_sections)
        if sections < 1:
            raise ShapeError(f"array_split: expected at least one section, got {sections}")
        each, longer = divmod(ary.shape[normalize_axis_index(axis, ary.ndim)], sections)
        indices_or_sections = [i * each + min(i, longer) for i in range(1, sections)]
    return split(ary, indices_or_sections, axis)


def vsplit(ary: Array, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """`split` along the first axis."""
    return split(ary, indices_or_sections, 0)


def hsplit(ary: Array, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """`split` along the second axis; of a vector, along its only one."""
    (ary,) = as_operands("hsplit", ary)
    return split(ary, indices_or_sections, min(1, ary.ndim - 1))


def dsplit(ary: Array, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """`split` along the third axis."""
    return split(ary, indices_or_sections, 2)


def broadcast_arrays(*arrays: Array) -> tuple[Any, ...]:
    """Each array as `broadcast_to` the shape that they have together."""
    found = as_operands("broadcast_arrays", *arrays)
    shape = np.broadcast_shapes(*[a.shape for a in found])
    return tuple(broadcast_to(a, shape) for a in found)


def meshgrid(*xi: Array, sparse: bool = False, indexing: Literal["xy", "ij"] = "xy") -> tuple[Any, ...]:
    """A grid's coordinates from those along its axes: an array for each axis, each of the grid's shape.

    The first of `xi` runs along the second axis and the second along the first for "xy", in their order for "ij". If
    `sparse`, each array has length 1 along the other axes. Raises `ShapeError` for another `indexing`.
    """
    if indexing not in ("xy", "ij"):
        raise ShapeError(f"meshgrid: indexing {indexing!r}: choose 'xy' or 'ij'")
    vectors = [ravel(x) for x in as_operands("meshgrid", *xi)]
    places = list(range(len(vectors)))
    if indexing == "xy":
        places[:2] = reversed(places[:2])
    grid = [
        reshape(x, [-1 if place == axis else 1 for axis in range(len(vectors))])
        for x, place in zip(vectors, places, strict=True)
    ]
    return tuple(grid) if sparse else broadcast_arrays(*grid)
