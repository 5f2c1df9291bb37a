"""The check that gradient formulas are right: against differences of the function itself."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .tensor import Tensor
from .transforms import grad


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
    # The weights are drawn once: with others at the next call, there would be no one function to differentiate.
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
