"""Trees: dicts, lists and tuples of arrays, to any depth, which functions are given and return. None holds nothing."""

from collections.abc import Callable, Iterable
from typing import Any

from .ops.shape import rebuilt

_BRANCHES = (dict, list, tuple)


def mapped(function: Callable[[Any, str], Any], tree: Any, vectors: bool = False, place: str = "") -> Any:
    """A tree like `tree`, with ``function(leaf, place)`` for each leaf; a place is written as it is found: ['w'][0].

    With `vectors`, lists and tuples of nothing but numbers are leaves too: they count as arrays.
    """
    if not isinstance(tree, _BRANCHES):
        return None if tree is None else function(tree, place)
    if isinstance(tree, dict):
        return {key: mapped(function, value, vectors, f"{place}[{key!r}]") for key, value in tree.items()}
    if vectors and _is_vector(tree):
        return function(tree, place)
    return rebuilt(tree, [mapped(function, value, vectors, f"{place}[{i}]") for i, value in enumerate(tree)])


def _is_vector(value: Any) -> bool:
    """Whether `value` counts as one array: a number, a Tensor without axes, or lists of such to any depth."""
    if isinstance(value, list | tuple):
        return all(map(_is_vector, value))
    return not isinstance(value, dict) and value is not None and getattr(value, "ndim", 0) == 0


def leaves(tree: Any) -> list[Any]:
    """The leaves of `tree`, in order."""
    if not isinstance(tree, _BRANCHES):
        return [] if tree is None else [tree]
    return [leaf for value in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(value)]


def filled(tree: Any, values: Iterable[Any]) -> Any:
    """A tree like `tree` with `values` as its leaves, in order."""
    rest = iter(values)
    return mapped(lambda leaf, place: next(rest), tree)
