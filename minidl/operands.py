"""From the arguments of a call to an op's operands: lists, numbers and foreign arrays are converted.

Numbers and lists never widen a Tensor beside them, and a Tensor inside a list stays recorded.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import Array, as_array, common_dtype, converts
from .backend import array_module
from .errors import GradientError
from .node import Node
from .recording import paused

stack: Any = None  # minidl.stack: how a list with Tensors in it becomes one; ops/shape.py puts it here
# The types of arguments with which nothing has to be done. Those that `converts` lets pass are added as they are met.
AS_THEY_ARE: set[type] = {np.ndarray, float, int, bool, str, slice, type(None), type(...)}
SCALARS: set[type] = set()  # types that stand for NumPy's scalars, and have `beside(dtype)`


def holds(value: Any, wanted: Callable[[Node], bool]) -> bool:
    """Whether `value` is a Tensor that is `wanted`, or has one in it, lists and tuples being searched."""
    if isinstance(value, Node):
        return wanted(value)
    if isinstance(value, list | tuple):
        for v in value:
            if type(v) not in AS_THEY_ARE and holds(v, wanted):
                return True
    return False


def recorded(value: Any) -> bool:
    """Whether a gradient is wanted for `value`, or for a Tensor in it."""
    return holds(value, lambda node: node.requires_grad)


def settled(params: Sequence[Any]) -> bool:
    """Whether nothing needs to be done to `params`: no NumPy scalars in them, no Tensors inside."""
    for p in params:
        if type(p) is tuple:
            for v in p:
                if type(v) is not int and type(v) not in AS_THEY_ARE:
                    return False
        elif type(p) not in AS_THEY_ARE:
            if converts(type(p)):
                return False
            AS_THEY_ARE.add(type(p))
    return True


def prepared(name: str, args: Sequence[Any], count: int) -> tuple[Any, ...]:
    """`args` of the op called `name`, of which the first `count` are arrays, ready for its forward.

    A list with Tensors in it is stacked (and recorded), any other becomes an array; so does whatever else is read as
    one. Beside a Tensor, lists take the dtype of its floating operands (float32 if there is none), and NumPy's
    scalars become Python's, which do not widen. Raises `GradientError` for a parameter in which there is a Tensor
    that wants a gradient, and `ShapeError` for ragged lists.
    """
    found, lists, scalars, like = list(args), [], [], None
    for i, a in enumerate(args):
        if isinstance(a, Node):
            like = a._array if like is None else like
            if i >= count:
                refuse_gradient(name, a)
        elif isinstance(a, np.generic) or type(a) in SCALARS:
            scalars.append(i)
        elif type(a) in AS_THEY_ARE:
            continue
        elif i >= count:
            refuse_gradient(name, a)
        elif not isinstance(a, list | tuple):
            found[i] = as_array(a, name) if converts(type(a)) else a
        elif holds(a, lambda node: True):
            found[i] = stack(a)
            like = found[i]._array if like is None else like
        else:
            lists.append(i)
    if like is not None:
        for i in scalars:
            found[i] = found[i].item() if isinstance(found[i], np.generic) else found[i].beside(like.dtype)
    if lists:
        arrays = [_plain(a) for a in found[:count] if hasattr(a, "dtype") and not isinstance(a, np.generic)]
        floating = {a.dtype for a in arrays if a.dtype.kind == "f"}
        dtype = None if not floating else np.result_type(*floating) if len(floating) > 1 else next(iter(floating))
        for i in lists:
            found[i] = _array_of(name, found[i], like, dtype)
    return tuple(found)


def refuse_gradient(name: str, parameter: Any) -> None:
    """Raise `GradientError` if a `parameter` of the op called `name` is recorded: it would lose its gradient."""
    if not paused() and recorded(parameter):
        raise GradientError(
            f"{name}: one of its parameters is (or holds) a Tensor that requires a gradient, and none passes through a "
            f"parameter: give .detach() of it, or .item(), if that is meant"
        )


def as_operands(name: str, *given: Any) -> list[Any]:
    """What was `given` to the function called `name`: Tensors and arrays, numbers too, none of which widens another."""
    if all(isinstance(a, Node) or type(a) is np.ndarray for a in given):
        return list(given)
    found = prepared(name, given, len(given))
    arrays = [_plain(a) for a in found if hasattr(a, "dtype")]
    like = arrays[0] if arrays else None
    return [
        a if hasattr(a, "dtype") else array_module(like).asarray(a, dtype=common_dtype([*arrays, a])) for a in found
    ]


def unwrapped(value: Any) -> Any:
    """What is to be written into an array: the array of a Tensor, and of whatever else is read as one."""
    return (
        value if type(value) in AS_THEY_ARE else value._array if isinstance(value, Node) else as_array(value, "write")
    )


def _plain(value: Any) -> Any:
    return value._array if isinstance(value, Node) else value


def _array_of(name: str, value: Any, like: Array, dtype: Any) -> Array:
    array = as_array(value, name)
    if like is None:
        return array
    if dtype is None and array.dtype.kind == "f":
        dtype = np.float32
    return array_module(like).asarray(array, dtype=dtype)
