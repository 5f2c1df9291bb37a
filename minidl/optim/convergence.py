"""Does a schedule meet the two conditions under which stochastic gradient descent converges (note B 1.2)?

    Σ α_k = ∞        the steps can carry the parameters any distance
    Σ α_k² < ∞       the noise of the gradients dies out

(Robbins & Monro 1951. The note prints the second as Σ α_2k, which even α_k = 1/k would fail.)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import OptionError

_HORIZON = 9  # powers of ten: how far a user's function is looked at


@dataclass(frozen=True)
class RobbinsMonro:
    """The answer to both conditions, None where there is none, and why; true if both are met.

    `proven` tells an answer from the schedule's formula from one that rests on sampled values.
    """

    sum_diverges: bool | None
    squares_converge: bool | None
    proven: bool
    reason: str

    def __bool__(self) -> bool:
        return bool(self.sum_diverges and self.squares_converge)


def robbins_monro(schedule: Callable[[int], Any]) -> RobbinsMonro:
    """Whether ``Σ schedule(k)`` diverges and ``Σ schedule(k)²`` converges, with the reason in words.

    A schedule of `schedules` is judged by its formula. Any other function of k is sampled up to k = 10⁹:
    an estimate, and the reason says so. Raises `OptionError` if `schedule` is not a function of k, or
    gives values that are negative or not finite.
    """
    if not callable(schedule):
        raise OptionError(f"robbins_monro: expected a schedule (k -> number), got {schedule!r}")
    order = getattr(schedule, "order", None)
    if order is not None and math.isnan(order):
        return RobbinsMonro(None, None, False, "α_k depends on losses still to come: no answer")
    if order is not None:
        return _judged(order, True, "")
    order = _estimated(schedule)
    seen = f"as far as k = 10^{_HORIZON} (sampled, not proven) "
    if order is None:
        return RobbinsMonro(None, None, False, seen + "α_k follows no power of k: no answer")
    return _judged(order, False, seen)


def _judged(order: float, proven: bool, seen: str) -> RobbinsMonro:
    diverges, converge = order <= 1, order > 0.5
    if order == 0:
        how = "tends to a constant above 0"
    elif order == math.inf:
        how = "falls faster than any power of k, or to 0"
    else:
        how = "falls like " + {1.0: "1/k", 0.5: "1/√k"}.get(order, f"1/k^{order:.3g}")
    first = "Σ α_k = ∞ holds" if diverges else "Σ α_k is finite: the parameters can only travel so far"
    second = "Σ α_k² < ∞ holds" if converge else "Σ α_k² = ∞: the noise of the gradients never dies out"
    return RobbinsMonro(diverges, converge, proven, f"{seen}α_k {how}. {first}. {second}.")


def _estimated(schedule: Callable[[int], Any]) -> float | None:
    """The power of k by which `schedule` seems to fall; None if it follows none."""
    ks = [round(10**power) for power in np.linspace(3, _HORIZON, 25)]
    values = np.array([float(schedule(k)) for k in ks])
    if not np.all((values >= 0) & (values < math.inf)):
        raise OptionError("robbins_monro: the schedule gives values that are negative or not finite")
    if values[-1] == 0:
        return math.inf
    if np.any(values == 0):
        return None
    slopes = (-np.diff(np.log(values)) / np.diff(np.log(ks)))[-8:]
    if slopes.min() > 1.5:
        return math.inf if slopes[-1] > 2 * slopes[0] else float(slopes.mean())
    if slopes.max() - slopes.min() > 0.05:
        return None
    order = float(slopes.mean())
    near = min((0.0, 0.5, 1.0), key=lambda p: abs(p - order))  # the borders are meant exactly: 1/√k, 1/k
    return near if abs(near - order) < 0.02 else order if order > 0 else None
