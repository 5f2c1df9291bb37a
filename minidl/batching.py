"""A function of one sample, as a function of a batch."""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.lib.array_utils import normalize_axis_index

from . import ops
from .errors import OptionError, ShapeError
from .hardware.arithmetic import computes
from .ops.shape import along
from .tensor import Tensor
from .trees import filled, leaves, mapped


def vmap(f: Callable[..., Any], in_axes: int | Sequence[int | None] | None = 0) -> Callable[..., Any]:
    """A function that calls `f` for each slice of its arguments, and stacks the results.

    It is a loop. So it is right for every op, for gradients of any order, and for any Python in `f`, which may decide
    by values, and draw random numbers, for each slice anew; and it takes the time of that many calls. It spares writing
    the loop, as for the gradients of each sample, ``vmap(grad(loss), in_axes=(None, 0, 0))``, and no work: what is to
    be fast, write for the whole batch, as ops and layers take it.

    Args:
        f: a function of arrays, or of dicts, lists and tuples of arrays, that returns Tensors or such of Tensors.
        in_axes: the axis along which arguments are cut in slices: one for all, or one for each. An argument with None
            is passed as it is, and so are keywords.

    Returns:
        The function. What it returns has a new first axis, along which the results lie.

    Raises:
        OptionError: if `in_axes` does not fit the arguments, or there is nothing to be cut.
        ShapeError: if the axes are not of one length, or of length 0, or the results differ in form or shape.
    """

    @computes
    def batched(*args: Any, **keywords: Any) -> Any:
        axes = _axes(in_axes, len(args))
        tensors = [
            arg if axis is None else mapped(_tensor, arg, vectors=True) for arg, axis in zip(args, axes, strict=True)
        ]
        results = [
            f(*[_slice(tree, axis, i) for tree, axis in zip(tensors, axes, strict=True)], **keywords)
            for i in range(_length(tensors, axes))
        ]
        return _stacked(results)

    return batched


def _tensor(leaf: Any, place: str) -> Tensor:
    return leaf if isinstance(leaf, Tensor) else Tensor(leaf)


def _axes(in_axes: int | Sequence[int | None] | None, count: int) -> list[int | None]:
    """The axis of each of `count` arguments."""
    axes = list(in_axes) if isinstance(in_axes, Sequence) else [in_axes] * count
    if len(axes) != count:
        raise OptionError(f"vmap: in_axes={in_axes!r} is for {len(axes)} arguments, but {count} were given by position")
    return axes


def _length(trees: list[Any], axes: list[int | None]) -> int:
    """How many slices there are."""
    lengths: dict[str, int] = {}

    def note(number: int, axis: int) -> Callable[[Tensor, str], None]:
        def noted(leaf: Tensor, place: str) -> None:
            if not leaf.ndim:
                raise ShapeError(
                    f"vmap: argument {number}{place} is a number, with no axis to cut: give it in_axes None"
                )
            lengths[f"argument {number}{place}"] = leaf.shape[normalize_axis_index(axis, leaf.ndim)]

        return noted

    for number, (tree, axis) in enumerate(zip(trees, axes, strict=True)):
        if axis is not None:
            mapped(note(number, axis), tree)
    if not lengths:
        raise OptionError("vmap: there is no argument to be cut in slices: in_axes is None for all, or they are empty")
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        found = ", ".join(f"{place} has {length}" for place, length in lengths.items())
        raise ShapeError(f"vmap: the axes to be cut must be of one length, and not empty, but {found}")
    return next(iter(lengths.values()))


def _slice(tree: Any, axis: int | None, i: int) -> Any:
    if axis is None:
        return tree
    return mapped(lambda leaf, place: leaf[along(normalize_axis_index(axis, leaf.ndim), i)], tree)


def _stacked(results: list[Any]) -> Any:
    """A tree like each of `results`, with their leaves stacked."""
    first, *others = map(leaves, results)
    for i, found in enumerate(others, 1):
        if [_shape(leaf) for leaf in found] != [_shape(leaf) for leaf in first]:
            raise ShapeError(
                f"vmap: the results must be of one form and shape, but those of slice 0 have {[*map(_shape, first)]}, "
                f"of slice {i} {[*map(_shape, found)]}"
            )
    return filled(
        results[0], [ops.stack([_tensor(leaf, "") for leaf in column]) for column in zip(first, *others, strict=True)]
    )


def _shape(leaf: Any) -> tuple[int, ...]:
    return getattr(leaf, "shape", ())
