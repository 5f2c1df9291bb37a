"""Functions of functions: gradients as functions."""

from collections.abc import Callable, Sequence
from typing import Any, overload

from . import ops
from .backend import array_module
from .backward import gradients
from .errors import GradientError
from .graph import depends_only_on
from .hardware.arithmetic import computes
from .node import wrap
from .operands import recorded
from .recording import paused, recording, transforms
from .tensor import Tensor


@overload
def value_and_grad(f: Callable[..., Any], argnum: int = 0) -> Callable[..., tuple[Tensor, Tensor]]: ...
@overload
def value_and_grad(
    f: Callable[..., Any], argnum: Sequence[int]
) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]: ...
def value_and_grad(f: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., tuple[Any, Any]]:
    """A function with `f`'s arguments that returns ``(f(*args), gradient)``.

    Where something outside requires a gradient (an argument, or a Tensor that `f` uses besides), value and gradient
    can be differentiated again: the transforms nest. Otherwise, and under `no_grad`, they are plain Tensors without
    history.

    Args:
        f: a function that returns a Tensor of one element.
        argnum: the number of the argument to differentiate by, or a sequence of such numbers.

    Returns:
        The function. Its gradient is a Tensor of that argument's shape, zeros if `f` does not use it; for a sequence
        of numbers, a tuple of these.

    Raises:
        GradientError: in a call, if `f` returns anything but a single element.
    """
    numbers = [argnum] if isinstance(argnum, int) else list(argnum)

    @computes
    def transformed(*args: Any) -> tuple[Any, Any]:
        inputs, alone = list(args), bool(paused())
        with recording(True):
            for i in numbers:
                x = inputs[i]
                # a node of its own, so that only the way through this argument counts
                inputs[i] = ops.positive(Tensor(x)) if recorded(x) else Tensor(x, requires_grad=True)
            chosen = [inputs[i] for i in numbers]
            value = _differentiated(f, inputs)
            alone = alone or (not any(map(recorded, args)) and depends_only_on(value, chosen))
            if value.requires_grad:
                found = gradients(value, chosen, create_graph=not alone)
            else:
                found = [wrap(array_module(x.data).zeros_like(x.data)) for x in chosen]
        return value.detach() if alone else value, found[0] if isinstance(argnum, int) else tuple(found)

    return transformed


def _differentiated(f: Callable[..., Any], inputs: list[Any]) -> Any:
    before = transforms.set(transforms.get() + 1)
    try:
        value = f(*inputs)
    finally:
        transforms.reset(before)
    if not isinstance(value, Tensor) or value.size != 1:
        raise GradientError(f"grad: the function must return a Tensor of one element, not {value!r}")
    return value


@overload
def grad(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Tensor]: ...
@overload
def grad(f: Callable[..., Any], argnum: Sequence[int]) -> Callable[..., tuple[Tensor, ...]]: ...
def grad(f: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function with `f`'s arguments that returns the gradient of `f`.

    Args:
        f: a function that returns a Tensor of one element.
        argnum: the number of the argument to differentiate by, or a sequence of such numbers.

    Returns:
        The function, which returns the gradient as `value_and_grad` does; it can be differentiated again.

    Raises:
        GradientError: in a call, if `f` returns anything but a single element.
    """
    transformed = value_and_grad(f, argnum)
    return lambda *args: transformed(*args)[1]
