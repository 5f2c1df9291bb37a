"""The surfaces that a race may be on, by name: the function, where a descent begins, what of it is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

from . import functions
from .functions import DOMAIN, START, Function

Interval = tuple[float, float]


@dataclass(frozen=True)
class Surface:
    """A function of one coordinate or two.

    `written` is its formula, `start` where a descent begins, `domain` the interval of each coordinate that is looked
    at, `minima` where it is least (none, if that is not known).
    """

    f: Function
    written: str
    start: tuple[float, ...]
    domain: tuple[Interval, ...]
    minima: tuple[tuple[float, ...], ...] = ()


SURFACES: Mapping[str, Surface] = {
    "bowl": Surface(functions.bowl, "0.1·x₁² + 2·x₂²", START, DOMAIN, ((0.0, 0.0),)),
    "saddle": Surface(
        functions.saddle,
        "x₁²/2 + x₂⁴/4 − x₂²/2",
        (2.0, 1e-3),
        ((-2.5, 2.5), (-1.8, 1.8)),
        ((0.0, -1.0), (0.0, 1.0)),
    ),
    "rosenbrock": Surface(
        functions.rosenbrock, "(1 − x₁)² + 100·(x₂ − x₁²)²", (-1.5, 1.0), ((-2.0, 2.0), (-1.0, 3.0)), ((1.0, 1.0),)
    ),
    "plateau": Surface(functions.plateau, "10 − x + 0.98·((x − 3)₊ − (x − 7)₊) + 2·(x − 10)₊", (0.0,), ((-1.0, 12.0),)),
    "two-valleys": Surface(functions.two_valleys, "(x² − 1)² + 0.3·x", (1.5,), ((-1.7, 1.7),)),
    "parabola": Surface(functions.parabola, "x²", (-4.0,), ((-5.0, 5.0),), ((0.0,),)),
}
