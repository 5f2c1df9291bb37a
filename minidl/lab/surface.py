"""Screen 1: what the page asks of a surface. Every number is `teach`'s: race, descend, stability, the ledger."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..optim.hyperparameters import Range
from ..optim.rule import Rule
from ..teach import Race, race
from ..teach.formula import formula
from ..teach.functions import Function, descend, point, quadratic
from ..teach.stability import curvatures, excess, hessian, is_linear, spectral_radius
from ..teach.surfaces import SURFACES, Surface
from .lanes import LANE, STEPS, entrant
from .presets import ROWS, agreement
from .schema import RefusedError, choice, listed, nullable, real, record, text, whole

NAMES = (*SURFACES, "quadratic", "formula")
FAR = 1e6
MOST = 8_000  # steps of a race, of all lanes together
SURFACE = record(
    {"name": choice(*NAMES)},
    {
        "formula": (text(500), ""),
        "curvatures": (listed(real(-100, 100), 2, 2), [4.0, 0.2]),
        "angle": (real(-180, 180), 0.0),
    },
)
BLANK: dict[str, Any] = SURFACE({"name": "formula", "formula": "x1 + x2"}, "surface")
NOTE = choice("A", "B", "code")
RACE = {
    "surface": SURFACE,
    "start": listed(real(-FAR, FAR), 1, 2),
    "lanes": listed(LANE, 1, 12),
    "steps": whole(1, STEPS),
    "note": NOTE,
}
MAP = {"surface": SURFACE, "start": listed(real(-FAR, FAR), 1, 2), "lane": LANE, "steps": whole(1, STEPS), "note": NOTE}
PRESET = {"preset": (nullable(choice(*ROWS)), None)}
MEASURED = 60  # steps of the races of a measured map


def surface(spec: dict[str, Any]) -> Surface:
    """The surface of a message. Raises `OptionError` for a formula that is none."""
    name = spec["name"]
    if name == "quadratic":
        steep, flat = spec["curvatures"]
        written = f"½·{steep:g}·u² + ½·{flat:g}·v²"
        least = ((0.0, 0.0),) if min(steep, flat) > 0 else ()
        return Surface(quadratic(steep, flat, spec["angle"]), written, (-5.0, -2.0), ((-5.5, 5.5), (-4.0, 4.0)), least)
    if name == "formula":
        f = formula(spec["formula"])
        return Surface(f, spec["formula"], (-1.5, 1.0), ((-3.0, 3.0), (-3.0, 3.0)))
    return SURFACES[name]


def begun(shape: Surface, start: Sequence[float]) -> list[float]:
    """A start of as many coordinates as the surface has. Raises `RefusedError`."""
    if len(start) != len(shape.start):
        needed = len(shape.start)
        raise RefusedError("schema", f"start: {len(start)} coordinates", f"this surface has {needed}: give {needed}")
    return list(start)


def field(message: dict[str, Any]) -> dict[str, Any]:
    """The values of a surface over its domain: n × n, by rows of x2; of one coordinate n."""
    shape, n = surface(message["surface"]), message["n"]
    domain = message["domain"] or [list(interval) for interval in shape.domain]
    if len(domain) != len(shape.domain) or any(low >= high for low, high in domain):
        raise RefusedError("schema", "domain", "give an interval, from less to more, for each coordinate")
    axes = [np.linspace(low, high, n) for low, high in domain]
    with np.errstate(all="ignore"):
        grid = np.stack(np.meshgrid(*axes))
        values = np.broadcast_to(np.asarray(shape.f(grid), np.float64), grid.shape[1:])
    return {
        "written": shape.written,
        "domain": domain,
        "start": list(shape.start),
        "minima": [list(least) for least in shape.minima],
        "n": n,
        "values": [_short(x) for x in values.ravel()],
    }


def raced(message: dict[str, Any]) -> Race:
    """The race of a message. Raises `OptionError` for rules and formulas that there are not."""
    shape, note, steps = surface(message["surface"]), message["note"], message["steps"]
    if steps * len(message["lanes"]) > MOST:
        raise RefusedError("limit", f"{len(message['lanes'])} lanes of {steps} steps", f"ask for {MOST} steps in all")
    entrants = [entrant(lane, note, steps) for lane in message["lanes"]]
    return race(shape.f, entrants, begun(shape, message["start"]), steps)


def answer(message: dict[str, Any], run: Race) -> dict[str, Any]:
    """What the page draws of a race: paths, values, who diverged and why, who is nearest at each step."""
    shape = surface(message["surface"])
    with np.errstate(all="ignore"):
        curved = curvatures(shape.f, message["start"])
        distances = [_distances(lane.path, lane.values, shape.minima) for lane in run.lanes]
        lanes: list[dict[str, Any]] = [
            {
                "rule": lane.rule.name,
                "path": [[_sent(x) for x in axis] for axis in lane.path.T],
                "values": [_sent(x) for x in lane.values],
                "distance": [_sent(x) for x in far],
                "end": point(lane.path[-1]) if lane.path.shape[1] == 2 else f"x: {lane.path[-1][0]:f}",
                "diverged": lane.diverged,
                "excess": excess(lane.rule, lane.lr, curved) if lane.diverged is not None else None,
                "radius": _radius(lane.rule, lane.lr, curved),
                "settings": _shown(lane.rule, lane.lr),
            }
            for lane, far in zip(run.lanes, distances, strict=True)
        ]
    best = [_least([far[t] for far in distances]) for t in range(message["steps"] + 1)]
    found: dict[str, Any] = {"lanes": lanes, "nearest": best, "by": "distance" if shape.minima else "value"}
    found["domain"] = _domain(shape, run)
    if message["preset"] is not None:
        found["checks"] = agreement(message["preset"], [lane["end"] for lane in lanes], message["steps"])
    return found


def _radius(rule: Rule, lr: Any, curved: np.ndarray | None) -> float | None:
    """By what a step multiplies the error in the long run; None where rule or surface are not linear, or change."""
    if curved is None or rule.scheduled or callable(lr) or not is_linear(rule):
        return None
    return _sent(float(spectral_radius(rule, [float(x) for x in curved], lr)))


def curvature(message: dict[str, Any], coordinate: int) -> float | None:
    """The second derivative along a coordinate, if the surface is a quadratic whose axes are the coordinates."""
    with np.errstate(all="ignore"):
        matrix = hessian(surface(message["surface"]).f, message["start"])
    if matrix is None or not np.allclose(matrix, np.diag(np.diag(matrix)), atol=1e-9):
        return None
    found = float(matrix[coordinate, coordinate])
    return found if found > 0 else None


def stability(message: dict[str, Any]) -> dict[str, Any]:
    """A map over learning rate and the first share (β, ρ) of a rule.

    For a linear rule on a quadratic the spectral radius of its step, from the rule itself; else what was measured: the
    logarithm of f after some steps, for a race at every point of the map.
    """
    shape, n = surface(message["surface"]), message["n"]
    start = begun(shape, message["start"])
    rule, lr = entrant({**message["lane"], "schedule": "constant", "fork": None}, message["note"], message["steps"])
    share = share_of(rule)
    with np.errstate(all="ignore"):
        curved = curvatures(shape.f, start)
    linear = curved is not None and is_linear(rule) and curved.max() > 0
    high = 4 / float(curved.max()) if linear and curved is not None else 1.0
    high = message["high"] or _round(max(high, 1.5 * lr))
    rates, shares = np.linspace(high / n, high, n), np.linspace(0.0, 0.99, n if share else 1)
    lrs, betas = np.meshgrid(rates, shares)
    varied = rule if share is None else rule.replaced({share: betas})
    with np.errstate(all="ignore"):
        if linear and curved is not None:
            values = np.asarray(spectral_radius(varied, [float(x) for x in curved], lrs))
        else:
            values = _measured(rule, share, shape.f, start, lrs, betas)
    return {
        "kind": "radius" if linear else "measured",
        "share": share,
        "high": high,
        "n": n,
        "rows": len(shares),
        "steps": MEASURED,
        "values": [_short(x) for x in np.broadcast_to(values, lrs.shape).ravel()],
    }


def _measured(
    rule: Rule, share: str | None, f: Function, start: list[float], lrs: np.ndarray, betas: np.ndarray
) -> np.ndarray:
    """log10 of f after some steps, above the least that any of the races found."""
    varied = rule if share is None else rule.replaced({share: betas.ravel()})
    begin = np.repeat(np.array(start)[:, None], lrs.size, axis=1)
    values = f(descend(varied, f, begin, lrs.ravel(), MEASURED)[-1])
    found = np.asarray(values, np.float64).reshape(lrs.shape)
    return np.log10(np.maximum(found - min(0.0, float(np.nanmin(found, initial=0.0))), 1e-12))


def _domain(shape: Surface, run: Race) -> list[list[float]]:
    """The surface's domain, made larger for paths that leave it; not for what goes farther than its own size away."""
    found = []
    for axis, (low, high) in enumerate(shape.domain):
        room = high - low
        points = np.concatenate([lane.path[:, axis] for lane in run.lanes])
        near = points[(points >= low - room / 2) & (points <= high + room / 2)]
        tenth = room / 10
        least, most = (float(near.min()), float(near.max())) if near.size else (low, high)
        below = 0.0 if least >= low else tenth * math.ceil((low - least) / tenth + 0.3)
        above = 0.0 if most <= high else tenth * math.ceil((most - high) / tenth + 0.3)
        found.append([round(low - below, 6), round(high + above, 6)])
    return found


def share_of(rule: Rule) -> str | None:
    """The first share of a rule, β or ρ, which a map varies beside the learning rate."""
    for name in rule.numbers():
        allowed = rule.hyperparameters[name]
        if isinstance(allowed, Range) and allowed.below == 1 and name != "ema":
            return name
    return None


def _round(x: float) -> float:
    """The next of 1, 2, 5, 10, ... from `x` on."""
    power = 10.0 ** math.floor(math.log10(x)) if x > 0 else 1.0
    return next(power * step for step in (1, 2, 5, 10) if power * step >= x * (1 - 1e-9))


def _distances(path: np.ndarray, values: np.ndarray, minima: Sequence[Sequence[float]]) -> np.ndarray:
    """How far each point is from the nearest minimum; the value of f where no minimum is known."""
    if not minima:
        return values
    return np.min([np.linalg.norm(path - np.array(least), axis=1) for least in minima], axis=0)


def _least(numbers: list[float]) -> int | None:
    """Which of them is least; None if several are, or none is a number."""
    finite = [x for x in numbers if math.isfinite(x)]
    if not finite or numbers.count(min(finite)) > 1:
        return None
    return numbers.index(min(finite))


def _shown(rule: Rule, lr: Any) -> dict[str, str]:
    """All that the lane runs with, its note's convention included, in words."""
    settings = {"lr": lr} | {name: getattr(rule, name) for name in rule.hyperparameters if name != "ema"}
    return {name: f"{value:g}" if type(value) is float else str(value) for name, value in settings.items()}


def _sent(x: float) -> float | None:
    """A number as JSON has it: infinity and NaN are null."""
    return float(x) if math.isfinite(x) else None


def _short(x: float) -> float | None:
    """The same, for a picture: six digits."""
    return float(f"{x:.6g}") if math.isfinite(x) else None
