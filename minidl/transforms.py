"""Functions of functions: gradients as functions."""

from collections.abc import Callable, Sequence
from typing import Any, overload

from .evaluation import evaluate, numbers_of, pulled_back, returns_one_element, takes_argnum
from .hardware.arithmetic import computes
from .tensor import Tensor
from .trees import filled


@overload
def value_and_grad(f: Callable[..., Any], argnum: int = 0) -> Callable[..., tuple[Tensor, Tensor]]: ...
@overload
def value_and_grad(
    f: Callable[..., Any], argnum: Sequence[int]
) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]: ...
@takes_argnum
def value_and_grad(f: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., tuple[Any, Any]]:
    """A function with `f`'s arguments that returns ``(f(*args), gradient)``.

    Where something outside requires a gradient (an argument, or a Tensor that `f` uses besides), value and gradient
    can be differentiated again: the transforms nest. Otherwise, and under `no_grad`, they are plain Tensors without
    history.

    Args:
        f: a function that returns a Tensor of one element.
        argnum: the number of the argument to differentiate by, or a sequence of such numbers. The argument is an array,
            or a dict, list or tuple of arrays, to any depth; a list of numbers is a vector. Keywords pass through.

    Returns:
        The function. Its gradient is a Tensor of that argument's shape, zeros if `f` does not use it; for a dict, list
        or tuple, such a one of gradients; for a sequence of numbers, a tuple of these.

    Raises:
        GradientError: in a call, if `f` returns anything but a single element.
        OptionError: in a call, if there is no argument of that number by position.
        DTypeError: in a call, if the argument holds what has no gradient, integers for example.
    """
    numbers, several, check = numbers_of(argnum), isinstance(argnum, Sequence), returns_one_element("grad")

    @computes
    def transformed(*args: Any, **keywords: Any) -> tuple[Any, Any]:
        found = evaluate("grad", f, args, keywords, numbers, check)
        gradient = pulled_back(found.value, found.tensors, None, create_graph=not found.alone)
        inputs = tuple(found.inputs) if several else found.inputs[0]
        return found.result(found.value), filled(inputs, gradient)

    return transformed


@overload
def grad(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Tensor]: ...
@overload
def grad(f: Callable[..., Any], argnum: Sequence[int]) -> Callable[..., tuple[Tensor, ...]]: ...
@takes_argnum
def grad(f: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function with `f`'s arguments that returns the gradient of `f`.

    Args:
        f: a function that returns a Tensor of one element.
        argnum: the number of the argument to differentiate by, or a sequence of such numbers; see `value_and_grad`.

    Returns:
        The function, which returns the gradient as `value_and_grad` does; it can be differentiated again.

    Raises:
        GradientError: in a call, if `f` returns anything but a single element.
    """
    transformed = value_and_grad(f, argnum)
    return lambda *args, **keywords: transformed(*args, **keywords)[1]
