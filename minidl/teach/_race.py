"""Rules side by side on one surface: where each ends, which diverged, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..display.figures import INK, new_figure, style
from ..errors import OptionError
from ..optim.rule import Rule
from ._ledger.entry import Entry
from .functions import Function, Moment, moments, path_of
from .plots import COLOURS, contours
from .stability import curvatures, excess

FAR = 1e6  # from the start: a run that is farther away has diverged


@dataclass(frozen=True)
class Lane:
    """One rule's run: `path` (steps + 1, coordinates), `values` of the function along it.

    `diverged` is the step at which it left, None if it did not; `why`, in words, is empty if it is not known. `steps`
    are what the rule computed with.
    """

    label: str
    rule: Rule
    lr: Any  # a number, or a schedule: a function of the steps already made
    path: np.ndarray
    values: np.ndarray
    diverged: int | None
    why: str
    steps: Sequence[Moment] = field(default=(), repr=False)

    def entry(self, t: int, coordinate: int) -> Entry:
        """What step `t` (from 1) did to a coordinate (0: x1), as a ledger's entry: the rule with its numbers.

        Raises `OptionError` if there is no such step or coordinate.
        """
        count = self.path.shape[1]
        if not (1 <= t <= len(self.steps) and 0 <= coordinate < count):
            raise OptionError(
                f"entry({t}, {coordinate}): the steps are 1 to {len(self.steps)}, the coordinates 0 to {count - 1}"
            )
        names = ("theta", *self.rule.state)
        moment = self.steps[t - 1]
        before, after = (
            {name: float(values[coordinate]) for name, values in zip(names, arrays, strict=True)}
            for arrays in (moment.before, moment.after)
        )
        gone = [m.t for m in self.steps[:t] if not np.isfinite(m.after[0][coordinate])]
        return Entry(
            where=f"x{coordinate + 1}",
            rule=self.rule.at(t),
            lr=float(self.lr(t - 1) if callable(self.lr) else self.lr),
            t=t,
            g=float(moment.g[coordinate]),
            before=before,
            after=after,
            dtype=moment.after[0].dtype,
            first=self.entry(1, coordinate) if t > 1 else None,
            diverged=gone[0] if gone else None,
        )


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


def race(f: Function, entrants: Sequence[tuple[Rule, Any]], start: Sequence[float], steps: int = 20) -> Race:
    """Let rules descend `f` from one start, each with its learning rate: ``[(rules.SGD(), 0.4), ...]``.

    Args:
        f: a function of a point, written in minidl's operations; see teach/functions.py and `formula`.
        entrants: rules and learning rates, which may be schedules.
        start: the coordinates.
        steps: of each.

    Raises `OptionError` if nobody runs.
    """
    if not entrants:
        raise OptionError("race: give at least one rule and its learning rate")
    with np.errstate(all="ignore"):
        curved = curvatures(f, start)
    lanes = []
    for rule, lr in entrants:
        with np.errstate(all="ignore"):
            made = [*moments(rule, f, list(start), lr, steps)]
            path = path_of(rule, list(start), made)
            values = np.array([float(np.asarray(f(x))) for x in path])
            away = np.linalg.norm(path - path[0], axis=1)
        left = np.flatnonzero(~(away < FAR) | ~np.isfinite(values))
        growing = bool(values[-1] > 10 * max(abs(values[0]), 1e-12)) and len(left) == 0
        diverged = int(left[0]) if len(left) else (int(np.argmax(values > values[0])) if growing else None)
        why = "" if diverged is None else _why(rule, lr, curved)
        lanes.append(Lane(_label(rule, lr), rule, lr, path, values, diverged, why, made))
    return Race(f, lanes)


def _label(rule: Rule, lr: Any) -> str:
    """The rule, its rate, and the hyperparameters that are not the defaults."""
    others = [n for n in rule.hyperparameters if getattr(rule, n) != getattr(type(rule), n)]
    return ", ".join(
        [f"{rule.name} lr={lr if callable(lr) else format(lr, 'g')}", *(f"{n}={getattr(rule, n)}" for n in others)]
    )


def _why(rule: Rule, lr: Any, curved: np.ndarray | None) -> str:
    """Why a rule diverges on a quadratic: its rate is above what is stable for the largest curvature."""
    found = excess(rule, lr, curved)
    if found is None:
        return ""
    return f"lr times the largest curvature is {found[0]:.4g}, and {found[1]:.4g} is the most that is stable"


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
