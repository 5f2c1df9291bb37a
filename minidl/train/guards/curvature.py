"""The curvature of the loss, and whether a rule is stable there."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...backend import Array, array_module
from ...backward import gradients
from ...optim.rule import Rule

_FAR = 1e3  # times the distance at the start


def curvatures(f: Callable[[], Any], parameters: Sequence[Any], count: int) -> Iterator[float]:
    """Ever better estimates, from below, of the largest eigenvalue of the Hessian of `f`, which returns a Tensor.

    Power iteration from the gradient: v becomes H v / ‖H v‖, and the estimate is vᵀ H v. H v is the gradient of gᵀ v,
    with g recorded once (Pearlmutter 1994): the Hessian itself is never formed. Ends early where H v is zero.
    """
    slope = gradients(f(), parameters, create_graph=True)
    v = [g.data for g in slope]
    for _ in range(count):
        length = math.sqrt(_dot(v, v))
        if not 0 < length < math.inf:
            return
        v = [part / part.dtype.type(length) for part in v]
        along = sum(((g * part).sum() for g, part in zip(slope, v, strict=True)), start=0)
        h = [part.data for part in gradients(along, parameters)]
        yield _dot(v, h)
        v = h


def _dot(a: Sequence[Array], b: Sequence[Array]) -> float:
    return math.fsum(float(array_module(x).vdot(x, y)) for x, y in zip(a, b, strict=True))


def leaves(rule: Rule, lr: float, curvature: float, steps: int = 200) -> bool:
    """Whether `rule` diverges on ``curvature · θ² / 2``: tried out on one number."""
    theta, *state = (1.0, *rule.init(1.0))
    for t in range(1, steps + 1):
        theta, *state = rule(theta, curvature * theta, *state, lr=lr, t=t)
        if not abs(theta) < _FAR:
            return True
    return False
