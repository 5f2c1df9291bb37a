"""Functions to minimise, and `descend`: note A's function, and those that the notes only draw, which are ours.

Each takes a point ``x`` (a Tensor or an array whose first axis counts the coordinates) and is written in
minidl's operations, so autodiff gives its gradient, and a whole grid of points goes through it at once.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..ops import softplus, tanh
from ..optim.rule import Rule
from ..transforms import grad

Function = Callable[[Any], Any]

START = (-5.0, -2.0)  # where note A's runs on `bowl` begin
CURVATURES = (0.2, 4.0)  # the eigenvalues of the Hessian of `bowl`
DOMAIN = ((-5.5, 1.0), (-3.0, 1.0))  # of note A's pictures of `bowl`


def bowl(x: Any) -> Any:
    """Note A's f(x) = 0.1·x1² + 2·x2²: twenty times steeper in x2 than in x1. Its minimum is at (0, 0)."""
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


def slope(x: np.ndarray) -> np.ndarray:
    """The gradient of `bowl`, by autodiff."""
    return grad(bowl)(x).numpy()


def quadratic(steep: float, flat: float, degrees: float = 0.0) -> Function:
    """The quadratic whose Hessian has these two eigenvalues, the axis of the first turned by so many degrees."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def f(x: Any) -> Any:
        along, across = cos * x[0] + sin * x[1], cos * x[1] - sin * x[0]
        return 0.5 * steep * along**2 + 0.5 * flat * across**2

    return f


def rosenbrock(x: Any) -> Any:
    """(1 - x1)² + 100·(x2 - x1²)²: a bent valley, whose floor is all but level (Rosenbrock 1960; not in the notes)."""
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def parabola(x: Any) -> Any:
    """x²: where a learning rate is too small, right or too large (ours; note A draws a bowl without numbers)."""
    return x[0] ** 2


def plateau(x: Any) -> Any:
    """A slope A to B, a plateau at B, a slope B to C, the global minimum at C (ours, for note A's A-B-C picture).

    The derivative is -1 on A-B (x < 3), about -0.02 around B (3 < x < 7), -1 again on B-C, and +1 behind C
    (x = 10): softplus(k·(x - c))/k is a kink at c, rounded off over a width of 1/k.
    """

    def kink(centre: float) -> Any:
        return softplus(6 * (x[0] - centre)) / 6

    return 10 - x[0] + 0.98 * kink(3) - 0.98 * kink(7) + 2 * kink(10)


def two_valleys(x: Any) -> Any:
    """(x² - 1)² + 0.3x: a local minimum near x = 0.96, the global one near x = -1.04 (ours)."""
    return (x[0] ** 2 - 1) ** 2 + 0.3 * x[0]


def saddle(x: Any) -> Any:
    """x1²/2 + x2⁴/4 - x2²/2: a saddle point at (0, 0) between two minima at (0, -1) and (0, 1) (ours)."""
    return 0.5 * x[0] ** 2 + 0.25 * x[1] ** 4 - 0.5 * x[1] ** 2


def fading(x: Any) -> Any:
    """tanh: flat far from 0, so that the gradient all but vanishes there (ours)."""
    return tanh(x[0])


class Moment(NamedTuple):
    """One step of a descent: its number `t`, the gradient, and (θ, *state) before and after; all are arrays."""

    t: int
    g: np.ndarray
    before: tuple[np.ndarray, ...]
    after: tuple[np.ndarray, ...]


def moments(rule: Rule, f: Function, start: Any, lr: Any, steps: int) -> Iterator[Moment]:
    """The steps of `rule` on `f`, as `descend` makes them; the gradient is autodiff's."""
    gradient = grad(lambda x: f(x).sum())
    theta = np.array(start, dtype=np.float64)
    values = (theta, *rule.init(theta))
    for t in range(1, steps + 1):
        g = gradient(values[0]).numpy()
        after = rule(values[0], g, *values[1:], lr=lr, t=t)
        yield Moment(t, g, values, after)
        values = after


def descend(rule: Rule, f: Function, start: Any, lr: Any, steps: int = 20) -> np.ndarray:
    """The path of `rule` on `f`: (steps + 1, *start's shape), the start first; the gradient is autodiff's.

    With `start` of shape (coordinates, K), and with `lr` or hyperparameters that are arrays of K numbers, K runs are
    made at once. For a rule whose parameters look ahead (Nesterov) the path is that of θ itself.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is a result too
        return path_of(rule, start, moments(rule, f, start, lr, steps))


def path_of(rule: Rule, start: Any, steps: Iterable[Moment]) -> np.ndarray:
    """The points that a descent passes, the start first: θ itself, where the parameters look ahead."""
    return np.array([np.array(start, dtype=np.float64), *(rule.at(m.t).iterate(*m.after) for m in steps)])


def after_20(rule: Rule, lr: float) -> str:
    """The line that note A prints at the end of 20 steps of `rule` on `bowl`."""
    return f"epoch 20, {point(descend(rule, bowl, START, lr)[-1])}"


def point(x: np.ndarray) -> str:
    """A point as note A prints it; a zero keeps its sign."""
    return f"x1: {x[0]:f}, x2: {x[1]:f}"
