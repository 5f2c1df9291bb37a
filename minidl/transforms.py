"""Functions of functions: gradients as functions, and the check that formulas are right."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import ops
from .backend import array_module
from .backward import gradients
from .errors import GradientError
from .graph import depends_only_on
from .node import wrap
from .operands import recorded
from .recording import paused, recording, transforms
from .tensor import Tensor


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


def check_grads(
    f: Callable[..., Any], *args: Any, order: int = 2, eps: float = 1e-6, atol: float = 1e-7, rtol: float = 1e-5
) -> None:
    """Compare the gradients of `f` at `args` with central differences, in float64.

    Args:
        f: a function of Tensors. It may return an array of any shape: a fixed random combination of its elements is
            checked.
        args: arrays or numbers, all of them differentiated.
        order: 2 checks the gradient of the gradient in the same way, 1 does not.
        eps: the step of the differences, in float64.
        atol: the absolute error that is allowed.
        rtol: the relative error that is allowed.

    Raises:
        AssertionError: naming order, argument, element, expected and got.
    """
    points = [np.array(a, dtype=np.float64) for a in (a.numpy() if isinstance(a, Tensor) else a for a in args)]
    rng = np.random.default_rng(0)
    weights: dict[Any, Any] = {}

    def weighted(y: Any, name: Any) -> Any:
        weights.setdefault(name, rng.uniform(0.5, 1.5, y.shape))
        return (y * weights[name]).sum()

    def scalar(*xs: Any) -> Any:
        return weighted(f(*xs), "value")

    everywhere = range(len(points))
    _compare(scalar, points, 1, eps, atol, rtol)
    if order > 1:
        first = grad(scalar, everywhere)
        _compare(lambda *xs: sum(weighted(g, i) for i, g in enumerate(first(*xs))), points, 2, eps, atol, rtol)


def _compare(f: Callable[..., Any], points: list[Any], order: int, eps: float, atol: float, rtol: float) -> None:
    """Raise `AssertionError` where the gradient of the scalar function `f` is not its difference quotient."""
    for k, (x, got) in enumerate(zip(points, grad(f, range(len(points)))(*points), strict=True)):
        for index in np.ndindex(x.shape):
            values = []
            for step in (eps, -eps):
                moved = x.copy()
                moved[index] += step
                values.append(f(*[Tensor(moved if i == k else p) for i, p in enumerate(points)]).item())
            expected = (values[0] - values[1]) / (2 * eps)
            if not np.isclose(got.numpy()[index], expected, atol=atol, rtol=rtol):
                raise AssertionError(
                    f"check_grads: order {order}, argument {k}, element {index}: "
                    f"expected {expected:.10g} by central differences, got {got.numpy()[index]:.10g}"
                )
