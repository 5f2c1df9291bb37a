"""Where `backward` stores a leaf's gradient: in its slot of an optimizer's flat vector, or in an array of its own."""

import operator
import weakref
from collections.abc import Container, Sequence
from typing import Any

from . import hooks
from .backend import array_module
from .errors import GradientError
from .node import Node, wrap


def assign(leaf: Node, value: Any, slot: Any) -> None:
    """Let `value`, a copy of its array elsewhere, be the array of `leaf`, and its gradient be stored in `slot`."""
    leaf._array, leaf._slot = value, slot


def slot_of(leaf: Node) -> Any:
    """The array in which `backward` stores the gradient of `leaf`; None if no optimizer has one for it."""
    return leaf._slot


def deposited(leaf: Node, gradient: Any) -> Any:
    """`gradient` as a Tensor for ``leaf.grad``: always a copy, so that no two leaves share one.

    If somebody still holds the Tensor that was stored in the same slot before, that moves to memory of its own first.
    """
    slot = leaf._slot
    if not _fits(leaf, slot):
        slot = array_module(leaf._array).empty_like(leaf._array)  # no optimizer has it, or `data` was replaced since
    elif _held(leaf) is not None:
        _held(leaf)._array = slot.copy()
    if gradient is not slot:  # it was made there: see `vacant`
        hooks.write(operator.setitem, slot, ..., gradient)
    left = wrap(slot)
    leaf._left = weakref.ref(left)
    return left


def vacant(args: Sequence[Any], wanted: list[int], known: Container[Node]) -> dict[int, Any]:
    """Where the first gradients of those `args` may be made that are leaves, to be stored there: by their numbers.

    What is there then is nobody's: until it is stored, ``leaf.grad`` is None. `known` have gradients already.
    """
    return {i: leaf._slot for i in wanted if _is_vacant(leaf := args[i]) and leaf not in known}


def _is_vacant(leaf: Node) -> bool:
    return leaf.grad is None and leaf._op is None and _fits(leaf, leaf._slot) and _held(leaf) is None


def _fits(leaf: Node, slot: Any) -> bool:
    array = leaf._array
    return type(slot) is type(array) and slot.shape == array.shape and slot.dtype == array.dtype


def _held(leaf: Node) -> Any:
    """The Tensor that was stored in the slot of `leaf`, if somebody still holds it."""
    kept = None if leaf._left is None else leaf._left()
    return kept if kept is not None and kept._array is leaf._slot else None


def accumulated(leaf: Node, gradient: Any, create_graph: bool) -> Any:
    """What ``leaf.grad`` is to be once `gradient` has been added to it, in place unless a graph hangs on it."""
    if create_graph:
        return gradient if leaf.grad is None else leaf.grad + gradient
    hooks.write(operator.iadd, leaf.grad._array, gradient)
    leaf.grad.changed()
    return leaf.grad


def check_held(leaf: Node) -> None:
    """Raise `GradientError` if ``leaf.grad`` was set to something that a gradient cannot be added to."""
    held = leaf.grad
    if not isinstance(held, Node) or held._array.shape != leaf._array.shape:
        shown = f"a Tensor of shape {held._array.shape}" if isinstance(held, Node) else f"a {type(held).__name__}"
        raise GradientError(
            f"the .grad of a Tensor of shape {leaf._array.shape} was set to {shown}, and cannot be added to: set it to "
            f"None, or to a Tensor of that shape"
        )
