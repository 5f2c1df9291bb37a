"""Where `backward` stores a leaf's gradient: in its slot of an optimizer's flat vector, or in an array of its own."""

import operator
import weakref
from typing import Any

from . import hooks
from .backend import array_module
from .errors import GradientError
from .graph import check_recorded
from .node import Node, wrap


def assign(leaf: Node, value: Any, slot: Any) -> None:
    """Let `value`, a copy of its array elsewhere, be the array of `leaf`, and its gradient be stored in `slot`."""
    leaf._array, leaf._slot = value, slot


# Results whose gradient is stored as a leaf's is, as somebody has asked for it; by id, as Tensors compare by element.
_retained: "weakref.WeakValueDictionary[int, Node]" = weakref.WeakValueDictionary()


def retain_grad(result: Node) -> None:
    """Have ``backward`` store the gradient of this `result` in ``.grad``, as it does a leaf's.

    Without that it is None, and `minidl.gradients` gives it. Raises `GradientError` if nothing was recorded.
    """
    check_recorded("retain_grad()", result)
    _retained[id(result)] = result


def retained() -> set[Node]:
    """The results whose gradients are to be stored."""
    return {result for reference in _retained.valuerefs() if (result := reference()) is not None}


def slot_of(leaf: Node) -> Any:
    """The array in which `backward` stores the gradient of `leaf`; None if no optimizer has one for it."""
    return leaf._slot


def deposited(leaf: Node, gradient: Any) -> Any:
    """`gradient` as a Tensor for ``leaf.grad``: always a copy, so that no two leaves share one.

    (But for one that a kernel has written into the leaf's own slot: see kernels/slots.py.)
    """
    array, slot = leaf._array, leaf._slot
    if type(slot) is not type(array) or slot.shape != array.shape or slot.dtype != array.dtype:
        slot = array_module(array).empty_like(array)  # no optimizer has it, or `data` was replaced since
    else:
        release(leaf)
    if gradient is not slot:
        hooks.write(operator.setitem, slot, ..., gradient)
    left = wrap(slot)
    leaf._left = weakref.ref(left)
    return left


def release(leaf: Node) -> None:
    """Before the slot of `leaf` is written to: whoever holds the Tensor stored there before, keeps its numbers."""
    kept = None if leaf._left is None else leaf._left()
    if kept is not None and kept._array is leaf._slot:
        kept._array = leaf._slot.copy()


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
