"""On a quadratic a linear rule is a matrix: its eigenvalues tell whether it converges, and up to which learning rate.

The rule itself is run, on the unit vectors of (θ, state); no matrix is written down.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..optim.rule import Rule
from ..transforms import grad
from .functions import Function

LARGEST = 1e6  # learning rate times curvature, up to which a limit is looked for


def update_matrix(rule: Rule, curvature: float, lr: Any) -> np.ndarray:
    """What one step of `rule` does to (θ, state) on ½·curvature·θ²: a matrix for each learning rate in `lr`.

    The step is linear there, so its columns are the steps from (1, 0) and (0, 1).
    """
    size = 1 + len(rule.state)
    columns = []
    for unit in np.eye(size):
        theta, *state = (np.full(np.shape(lr), value) for value in unit)
        columns.append(
            np.stack([np.broadcast_to(x, np.shape(lr)) for x in rule(theta, curvature * theta, *state, lr=lr, t=1)])
        )
    return np.moveaxis(np.stack(columns, axis=1), (0, 1), (-2, -1))


def spectral_radius(rule: Rule, curvatures: Sequence[float], lr: Any) -> Any:
    """The factor by which a step of `rule` shrinks (below 1) or blows up the error in the long run.

    On a quadratic with these `curvatures`, the eigenvalues of its Hessian.
    """
    return np.max([np.abs(np.linalg.eigvals(update_matrix(rule, h, lr))).max(axis=-1) for h in curvatures], axis=0)


def is_linear(rule: Rule) -> bool:
    """Whether a step is linear in (θ, state) if g is linear in θ: tried out on numbers."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.5, 2, (2, 1 + len(rule.state), 1))

    def step(x: np.ndarray) -> np.ndarray:
        theta, *state = x
        return np.array(rule(theta, 0.7 * theta, *state, lr=0.1, t=3))

    with np.errstate(all="ignore"):
        return bool(np.allclose(step(a) - 2 * step(b), step(a - 2 * b), rtol=1e-9, atol=1e-12))


def largest_stable_lr(rule: Rule, curvature: float) -> float | None:
    """The learning rate up to which `rule` converges on ½·curvature·θ²; None for a rule that is not linear.

    Gradient descent: 2 / curvature; momentum: 2 (1 + β) / curvature; and so on for any linear rule of your own.
    """
    if not (is_linear(rule) and curvature > 0):
        return None

    def stable(lr: float) -> bool:
        return bool(spectral_radius(rule, [curvature], lr) < 1)

    low, high = 0.0, 1.0 / curvature
    while stable(high) and high * curvature < LARGEST:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if stable(middle) else (low, middle)
    return low


def hessian(f: Function, start: Sequence[float]) -> np.ndarray | None:
    """The second derivatives of `f`, (coordinates, coordinates), if they are the same everywhere; else None."""
    gradient = grad(f)
    rng = np.random.default_rng(0)

    def found(at: np.ndarray) -> np.ndarray:  # exact for a quadratic, whose gradient is linear
        columns = [gradient(at + step).numpy() - gradient(at - step).numpy() for step in np.eye(len(start))]
        return np.array(columns) / 2

    here, there = found(np.array(start, float)), found(rng.standard_normal(len(start)))
    return (here + here.T) / 2 if np.allclose(here, there, rtol=1e-9, atol=1e-9) else None


def curvatures(f: Function, start: Sequence[float]) -> np.ndarray | None:
    """The eigenvalues of the Hessian of `f`, if it is the same everywhere, as a quadratic's is."""
    matrix = hessian(f, start)
    return None if matrix is None else np.linalg.eigvalsh(matrix)


def excess(rule: Rule, lr: Any, curved: np.ndarray | None) -> tuple[float, float] | None:
    """Learning rate times the largest curvature, and the most of it that is stable, where the first is too much.

    None where it is not, or cannot be told: no quadratic, a rule that is not linear, a rate that changes.
    """
    if curved is None or rule.scheduled or callable(lr) or not is_linear(rule):
        return None
    steepest = float(curved.max())
    limit = largest_stable_lr(rule, steepest)
    return None if limit is None or lr < limit else (lr * steepest, limit * steepest)
