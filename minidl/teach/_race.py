"""Rules side by side on one surface: where each ends, which diverged, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..display.figures import INK, new_figure, style
from ..errors import OptionError
from ..optim.rule import Rule
from ..transforms import grad
from .functions import Function, descend
from .plots import COLOURS, contours
from .stability import is_linear, largest_stable_lr

FAR = 1e6  # from the start: a run that is farther away has diverged


@dataclass(frozen=True)
class Lane:
    """One rule's run: `path` (steps + 1, coordinates), `values` of the function along it.

    `diverged` is the step at which it left, None if it did not; `why`, in words, is empty if it is not known.
    """

    label: str
    rule: Rule
    lr: float
    path: np.ndarray
    values: np.ndarray
    diverged: int | None
    why: str


class Race:
    """Several `Lane`s, as `race` ran them: ``print(it)`` shows a table, `plot` the paths."""

    def __init__(self, f: Function, lanes: Sequence[Lane]) -> None:
        self._f, self.lanes = f, list(lanes)

    def text(self) -> str:
        """A line per rule: where it ended, the function there, its least value on the way, and what went wrong."""
        table = [["rule", "end", "f at the end", "least f", "at step"]]
        for lane in self.lanes:
            least = int(np.nanargmin(lane.values))
            end = ", ".join(f"{x:.6g}" for x in lane.path[-1])
            table.append([lane.label, f"({end})", f"{lane.values[-1]:.6g}", f"{lane.values[least]:.6g}", str(least)])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        gone = [lane for lane in self.lanes if lane.diverged is not None]
        lines += [f"{lane.label} diverged at step {lane.diverged}{lane.why and f': {lane.why}'}" for lane in gone]
        return "\n".join(lines)

    def plot(self) -> Any:
        """A matplotlib figure: the paths on level lines (of two coordinates), and the function over the steps.

        Raises `MissingExtraError` without matplotlib.
        """
        with style():
            return _drawn(self._f, self.lanes)

    def __str__(self) -> str:
        return self.text()


def race(f: Function, entrants: Sequence[tuple[Rule, float]], start: Sequence[float], steps: int = 20) -> Race:
    """Let rules descend `f` from one start, each with its learning rate: ``[(rules.SGD(), 0.4), ...]``.

    Args:
        f: a function of a point, written in minidl's operations; see teach/functions.py and `formula`.
        entrants: rules and learning rates.
        start: the coordinates.
        steps: of each.

    Raises `OptionError` if nobody runs.
    """
    if not entrants:
        raise OptionError("race: give at least one rule and its learning rate")
    curvatures = _curvatures(f, start)
    lanes = []
    for rule, lr in entrants:
        path = descend(rule, f, list(start), lr, steps)
        with np.errstate(all="ignore"):
            values = np.array([float(np.asarray(f(x))) for x in path])
            away = np.linalg.norm(path - path[0], axis=1)
        left = np.flatnonzero(~(away < FAR) | ~np.isfinite(values))
        growing = bool(values[-1] > 10 * max(abs(values[0]), 1e-12)) and len(left) == 0
        diverged = int(left[0]) if len(left) else (int(np.argmax(values > values[0])) if growing else None)
        why = "" if diverged is None else _why(rule, lr, curvatures)
        lanes.append(Lane(_label(rule, lr), rule, lr, path, values, diverged, why))
    return Race(f, lanes)


def _label(rule: Rule, lr: float) -> str:
    """The rule, its rate, and the hyperparameters that are not the defaults."""
    others = [n for n in rule.hyperparameters if getattr(rule, n) != getattr(type(rule), n)]
    return ", ".join([f"{rule.name} lr={lr:g}", *(f"{n}={getattr(rule, n)}" for n in others)])


def _curvatures(f: Function, start: Sequence[float]) -> np.ndarray | None:
    """The eigenvalues of the Hessian of `f`, if it is the same everywhere, as a quadratic's is."""
    gradient = grad(f)
    rng = np.random.default_rng(0)

    def hessian(at: np.ndarray) -> np.ndarray:  # exact for a quadratic, whose gradient is linear
        columns = [gradient(at + step).numpy() - gradient(at - step).numpy() for step in np.eye(len(start))]
        return np.array(columns) / 2

    here, there = hessian(np.array(start, float)), hessian(rng.standard_normal(len(start)))
    if not np.allclose(here, there, rtol=1e-9, atol=1e-9):
        return None
    found: np.ndarray = np.linalg.eigvalsh((here + here.T) / 2)
    return found


def _why(rule: Rule, lr: float, curvatures: np.ndarray | None) -> str:
    """Why a rule diverges on a quadratic: its rate is above what is stable for the largest curvature."""
    if curvatures is None or not is_linear(rule):
        return ""
    steepest = float(curvatures.max())
    limit = largest_stable_lr(rule, steepest)
    if limit is None or lr < limit:
        return ""
    return (
        f"lr times the largest curvature is {lr * steepest:.4g}, and {limit * steepest:.4g} is the most that is stable"
    )


def _drawn(f: Function, lanes: Sequence[Lane]) -> Any:
    plane = lanes[0].path.shape[1] == 2
    figure, axes = new_figure(2 if plane else 1, width=4.8, height=3.8)
    if plane:
        points = np.concatenate([lane.path for lane in lanes if lane.diverged is None] or [lanes[0].path[:2]])
        low, high = points.min(axis=0), points.max(axis=0)
        room = 0.15 * np.maximum(high - low, 1.0)
        with np.errstate(all="ignore"):
            contours(axes[0][0], f, list(zip(low - room, high + room, strict=True)))
        for number, lane in enumerate(lanes):
            axes[0][0].plot(*lane.path.T, markersize=3.5, linewidth=1.4, **_look(lane, number))
        axes[0][0].plot(*lanes[0].path[0], marker="o", markersize=9, color=INK, fillstyle="none", linestyle="none")
    last = axes[0][-1]
    for number, lane in enumerate(lanes):
        end = f": {lane.values[-1]:.4g}" if lane.diverged is None else f": diverged at {lane.diverged}"
        last.plot(lane.values, markersize=3.5, label=lane.label + end, **_look(lane, number))
    usual = np.concatenate([lane.values[np.isfinite(lane.values)] for lane in lanes])
    if usual.min() > 0:
        last.set_yscale("log")
    last.set(xlabel="step", ylabel="f", title="the function along the way")
    last.locator_params(axis="x", integer=True)
    last.legend()
    return figure


def _look(lane: Lane, number: int) -> dict[str, Any]:
    return {
        "color": COLOURS.get(lane.rule.name, INK),
        "marker": "osD^vPX*<>"[number % 10],
        "linestyle": ["-", "--", "-.", ":"][number % 4],
    }
