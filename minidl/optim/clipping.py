"""Gradients made smaller before an update: by their norm, or one by one."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..backend import array_module
from ..errors import OptionError
from ..recording import no_grad
from ..tensor import Tensor


def clip_grad_norm(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> float:
    """Scale all gradients so that their common norm is at most `max_norm`: g max_norm / ‖g‖ if ‖g‖ is larger.

    ‖g‖ is the Euclidean norm of all gradients as one vector (Pascanu et al. 2013). Between ``backward()`` and
    ``step()``, or in a callback's ``on_gradients(run)``: ``clip_grad_norm(run.model.parameters(), 1.0)``.

    Args:
        parameters: Tensors, or one; those without a gradient are passed over.
        max_norm: above 0.

    Returns:
        The norm before. If it is infinite or NaN, nothing is scaled.

    Raises:
        OptionError: for a `max_norm` that is not above 0.
    """
    check_limit("clip_grad_norm: max_norm", max_norm)
    gradients = _gradients(parameters)
    norm = math.sqrt(sum(_square(g.data) for g in gradients))
    if max_norm < norm < math.inf:
        with no_grad():
            for g in gradients:
                g *= max_norm / norm
    return norm


def clip_grad_value(parameters: Iterable[Tensor] | Tensor, max_value: float) -> None:
    """Limit each element of every gradient to between -`max_value` and `max_value`, which is above 0.

    Raises `OptionError` for a `max_value` that is not.
    """
    check_limit("clip_grad_value: max_value", max_value)
    for g in _gradients(parameters):
        array_module(g.data).clip(g.data, -max_value, max_value, out=g.data)
        g.changed()


def _square(gradient: Any) -> float:
    """The sum of the squares; in float64 where a square overflows, for such gradients above all are to be clipped."""
    with np.errstate(over="ignore"):
        total = float(array_module(gradient).vdot(gradient, gradient))
    if math.isfinite(total):
        return total
    wide = gradient.astype("float64")
    return float(array_module(wide).vdot(wide, wide))


def check_limit(name: str, limit: float) -> None:
    """Raise `OptionError` unless `limit`, called `name`, is a number above 0."""
    if isinstance(limit, bool) or not (isinstance(limit, int | float) and limit > 0):
        raise OptionError(f"{name} must be a number above 0, got {limit!r}")


def _gradients(parameters: Iterable[Tensor] | Tensor) -> list[Any]:
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in given if p.grad is not None]
