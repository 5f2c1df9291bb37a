"""Node: an array and how it was made, as the engine sees a Tensor."""

import copy
import itertools
from operator import attrgetter
from typing import Any

import numpy as np
from numpy import ndarray

from .arrays import Array, as_array
from .backend import Backend, array_module, backend_of
from .errors import DTypeError, GradientError

# Counts down, so that heapq (a min-heap) pops the newest node first.
clock = itertools.count(-1, -1)
_HERE = ("_changes", "_slot", "_left", "_born")  # what means something in this process only


class Node:
    """An array and how it was made; `minidl.Tensor` is a Node with operators and methods."""

    grad: Any = None  # these are what a leaf begins with; a result has its own of those that differ
    requires_grad = False
    _changes: list[int] | None = None  # when the array was last changed in place; shared with its views
    _slot: Array = None  # where an optimizer wants this leaf's gradient: a part of its flat vector
    _left: Any = None  # a weak reference to the Tensor that was last stored in that slot
    _op: Any = None  # what made it; None for a leaf
    _args: Any = None  # that op's arguments; None for a leaf, and once the graph is freed
    _saved: Any = None  # what a kernel's forward left for its backward
    _born = 0  # after its arguments: birth order is a topological order. Leaves count as oldest

    def __init__(self, array: Array) -> None:
        self._array = array

    @property
    def data(self) -> Array:
        """The array itself, NumPy's or CuPy's. Writing into it is not noticed by graphs that use it; assigning is.

        An array that is assigned is taken as it is, shape and dtype too; a Tensor's values are copied; lists and
        numbers become an array of the old one's dtype. Raises `DTypeError` for what is no number, `ShapeError` for
        ragged lists.
        """
        return self._array

    @data.setter
    def data(self, value: Any) -> None:
        self._array = _replacement(self, value)
        self._changes = [next(clock)]  # a list of its own: views go on with the old array

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis, a tuple of ints."""
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The elements' NumPy dtype."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    @property
    def backend(self) -> Backend:
        """Where it lives: 'numpy' or 'cupy'."""
        return backend_of(self._array)

    def changed(self) -> None:
        """Note an in-place change of `data`: an older graph that saved it will then refuse to use it."""
        self._changes = self._changes or [0]
        self._changes[0] = next(clock)

    def __copy__(self) -> Any:
        self._changes = self._changes or [0]  # the same memory: a change of either is a change of both
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        if self._op is None:
            twin.grad = twin._slot = twin._left = None  # no two leaves share a gradient
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        for node in reversed(ancestors(self)):  # oldest first, so that each one's arguments are there: no recursion
            if id(node) not in memo:
                memo[id(node)] = twin = object.__new__(type(node))
                kept = {name: value for name, value in vars(node).items() if name not in ("_slot", "_left")}
                vars(twin).update({name: copy.deepcopy(value, memo) for name, value in kept.items()})
        return memo[id(self)]

    def __getstate__(self) -> dict[str, Any]:
        if self._op is not None:
            raise GradientError(
                f"a Tensor of shape {self._array.shape}, the result of {self._op.name}, cannot be pickled with its "
                f"history: pickle x.detach() (or, if a module keeps it as an attribute, set that to None first)"
            )
        return {name: value for name, value in vars(self).items() if name not in _HERE}


result_class: type[Node] = Node  # what ops return: tensor.py makes it Tensor


def wrap(array: Array) -> Any:
    """A Tensor around `array`, with none of the constructor's conversions."""
    node: Any = _new(result_class)
    node._array = array if type(array) is ndarray or not isinstance(array, np.generic) else np.asarray(array)
    return node


_new = object.__new__  # looked up once, as `ndarray` is: every op's result comes by here


def ancestors(node: Node, oldest: int = 0) -> list[Node]:
    """`node`, and all that it was made from as far as that is recorded, newest first: leaves come last.

    The walk does not go beyond results that were born before `oldest`.
    """
    found, seen = [node], {node}
    for one in found:
        if one._args is not None and one._born <= oldest:
            for a in one._args:
                if isinstance(a, Node) and a not in seen:
                    seen.add(a)
                    found.append(a)
    return sorted(found, key=_birth)


_birth = attrgetter("_born")


def _replacement(node: Node, value: Any) -> Array:
    """The array that `value` is for ``node.data = value``."""
    old = node._array
    # a Tensor's array is copied, or two Tensors would share memory, and no graph of the one know of the other
    array = value._array.copy() if isinstance(value, Node) else as_array(value, "data")
    if array.dtype.kind in "fiub" and isinstance(value, np.generic | float | int | list | tuple):
        array = array_module(old).asarray(array, dtype=old.dtype)
    if array.dtype.kind not in ("f" if node.requires_grad else "fiub"):
        reason = ", and this Tensor requires a gradient" if node.requires_grad else ""
        raise DTypeError(
            f"data: cannot hold dtype {array.dtype}{reason}: convert it first, .astype({str(old.dtype)!r})"
        )
    return array
