"""The stages of a study of four panels: tune, report, look again where a search was too small, and stop.

What each stage does is a function of what the table holds, so a study that was cut off goes on where it was.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .panel_training import POINTS, TWIN
from .panels import CHAINS, PANELS, RULES, Cell, Change, Tier, borders, settings_at, space
from .plan import Row, halton
from .space import ranges
from .statistics import paired_difference, worst_for_diverged
from .table import Table

TUNING_SEED = 0
REPORT_SEEDS = range(1000, 2000)  # a tier takes the first; never those that were tuned by
TEST_SHARE = 4  # of the report's seeds so many times fewer look at the test set
INITIAL = math.log(10)  # the loss of a network that knows nothing of ten classes
CARRIED = ("P2", "P3")  # panels whose winners are among the trials of P4, whose space holds theirs


@dataclass(frozen=True)
class Winner:
    """The best trial of a rule in a panel: `losses` are those of its report, (seeds,), inf where it diverged."""

    point: int
    config: dict[str, Any]
    tuned: float
    flags: tuple[Change, ...]
    losses: np.ndarray


class FourPanels:
    """What a table holds of a study of four panels, of this tier and these workloads."""

    def __init__(self, table: Table, tier: Tier, workloads: Sequence[str]) -> None:
        self.table, self.tier, self.workloads = table, tier, workloads
        self.seeds = REPORT_SEEDS[: tier.seeds]

    def described(self) -> dict[str, Any]:
        """What makes two of these the same study."""
        tier = self.tier
        sizes = {"trials": tier.trials, "epochs": tier.epochs, "samples": tier.samples, "hidden": list(tier.hidden)}
        asked = {"study": "four panels", "tier": tier.name, "workloads": [*self.workloads], "seeds": len(self.seeds)}
        return asked | sizes

    def carry_out(self, carry: Callable[[], None]) -> None:
        """All stages; `carry` carries out what is planned."""
        self.table.add(self.described(), self._first_round(PANELS[:3]))
        carry()
        for rows in (self._first_round(("P4",)), self._reports(0)):
            self.table.add_rows(rows)
            carry()
        again = {(w, panel): changes for w in self.workloads for panel, changes in self._too_small(w).items()}
        if again:
            self.table.set_meta(again=[[*place, changes] for place, changes in again.items()])
            for some in (PANELS[:3], ("P4",)):
                self.table.add_rows(self._second_round({key: again[key] for key in again if key[1] in some}))
                carry()
            self.table.add_rows(self._reports(1))
            carry()

    def trainings(self) -> int:
        """How many there are at least: those of a second round come on top."""
        return len(self.workloads) * len(PANELS) * len(RULES) * (self.tier.trials + len(self.seeds))

    def _first_round(self, panels: Iterable[str]) -> Iterator[Row]:
        for workload in self.workloads:
            for panel in panels:
                yield from self._trials(workload, panel, 0, {})

    def _second_round(self, again: Mapping[tuple[str, str], Mapping[str, Sequence[Change]]]) -> Iterator[Row]:
        for (workload, panel), widened in again.items():
            yield from self._trials(workload, panel, 1, widened)

    def _trials(self, workload: str, panel: str, round: int, widened: Mapping[str, Sequence[Change]]) -> Iterator[Row]:
        """The trials of all rules of a panel in a round, as many for each: points first, then what P4 takes over."""
        taken = CARRIED if panel == "P4" else ()
        fresh = self.tier.trials - len(taken)
        searched = {rule: space(panel, rule, widened.get(rule, ())) for rule in RULES}
        points = halton((round + 1) * fresh, max(len(ranges(each)) for each in searched.values()), seed=0)
        start = round * self.tier.trials
        for number, point in enumerate(points[round * fresh :], start):
            for rule, each in searched.items():
                yield self._row(Cell(workload, panel, rule, "tune"), number, TUNING_SEED, settings_at(each, point))
        for number, other in enumerate(taken, start + fresh):
            for rule in RULES:
                won = self.selected(workload, other, rule, round)
                settings = {n: v for n, v in won["config"].items() if n in space("P4", rule)}
                yield self._row(Cell(workload, panel, rule, "tune"), number, TUNING_SEED, settings)

    def _row(self, cell: Cell, point: int, seed: int, settings: Mapping[str, Any]) -> Row:
        """A trial, with all that its training needs to know."""
        twin = cell.workload.endswith(TWIN)
        samples = int(TWIN[1:]) if twin and self.tier.samples is None else self.tier.samples
        # As many updates as with all samples, and as many points of the curve.
        epochs = self.tier.epochs * (10 if twin and self.tier.samples is None else 1)
        part = {"tune": "tuning", "report": "reporting", "test": "test"}[cell.stage]
        fixed = {"rule": cell.rule, "workload": cell.workload, "epochs": epochs, "samples": samples}
        fixed |= {"hidden": list(self.tier.hidden), "points": self.tier.epochs * POINTS}
        fixed |= {"part": part, "measured": self.tier.measured, "watched": self.tier.watched}
        return Row(str(cell), point, seed, json.dumps({**settings, **fixed}))

    def _reports(self, round: int) -> Iterator[Row]:
        """The best trial of each rule in each panel again, on fresh seeds, measured on what nothing was tuned by."""
        for workload in self.workloads:
            for panel in PANELS:
                for rule in RULES:
                    won = self.selected(workload, panel, rule, round)
                    settings = {n: v for n, v in won["config"].items() if n in space("P4", rule)}
                    for seed in self.seeds:
                        yield self._row(Cell(workload, panel, rule, "report"), won["point"], seed, settings)

    def tests(self) -> Iterator[Row]:
        """The winners once more, on some of the report's seeds, measured on the test set."""
        for workload in self.workloads:
            for panel in PANELS:
                for rule in RULES:
                    won = self.selected(workload, panel, rule)
                    settings = {n: v for n, v in won["config"].items() if n in space("P4", rule)}
                    for seed in self.seeds[: len(self.seeds) // TEST_SHARE]:
                        yield self._row(Cell(workload, panel, rule, "test"), won["point"], seed, settings)

    def sample(self) -> dict[str, Any]:
        """The settings of a trial that takes as long as others do, to time it."""
        row = self._row(Cell(self.workloads[0], "P1", "Adam", "tune"), 0, 0, {"lr": 1e-3})
        return dict(json.loads(row.config))

    def tuned(self, workload: str, panel: str, rule: str, round: int = 1) -> list[dict[str, Any]]:
        """The trials of a rule in a panel, up to a round, as dicts; "loss" is inf for one that went wrong."""
        cell = Cell(workload, panel, rule, "tune")
        most = (round + 1) * self.tier.trials
        rows = self.table.rows("cell = ? AND point < ? AND state NOT IN ('planned', 'running')", str(cell), most)
        return [row | {"loss": _loss(row)} for row in rows]

    def selected(self, workload: str, panel: str, rule: str, round: int = 1) -> dict[str, Any]:
        """The best of them; of equals the first."""
        return min(self.tuned(workload, panel, rule, round), key=lambda row: (row["loss"], row["point"]))

    def winner(self, workload: str, panel: str, rule: str, round: int = 1) -> Winner:
        """The best trial, and its report."""
        won = self.selected(workload, panel, rule, round)
        losses = [_loss(row) for row in self.reports(workload, panel, rule, won["point"])]
        searched = space(panel, rule, self.widened(workload, panel, rule) if round else ())
        flags = tuple(borders(searched, won["config"]))
        return Winner(won["point"], won["config"], won["loss"], flags, np.array(losses))

    def reports(self, workload: str, panel: str, rule: str, point: int, stage: str = "report") -> list[dict[str, Any]]:
        """The runs of a winner on fresh seeds, in their order."""
        return list(self.table.rows("cell = ? AND point = ?", str(Cell(workload, panel, rule, stage)), point))

    def widened(self, workload: str, panel: str, rule: str) -> list[Change]:
        """Which ranges of a rule have been widened for the second round."""
        for w, p, changes in self.table.meta("again") or []:
            if (w, p) == (workload, panel):
                return [Change(*change) for change in changes.get(rule, [])]
        return []

    def worse_than_special_case(self, workload: str, panel: str, round: int = 1) -> list[tuple[str, str]]:
        """The pairs (special case, general rule) in which the general rule lost by more than the interval."""
        found = []
        for special, general in CHAINS:
            losses = [self.winner(workload, panel, rule, round).losses for rule in (special, general)]
            table = worst_for_diverged(np.array(losses), INITIAL)
            if paired_difference(table[1], table[0]).sign > 0:
                found.append((special, general))
        return found

    def _too_small(self, workload: str) -> dict[str, dict[str, list[Change]]]:
        """The panels to search once more, and what to widen in each, by rule: in all rules of a chain alike.

        Where no border is flagged there are only more trials, for all rules of the panel.
        """
        found: dict[str, dict[str, list[Change]]] = {}
        for panel in ("P3", "P4"):
            pairs = self.worse_than_special_case(workload, panel, round=0)
            if pairs or (panel == "P4" and "P3" in found):  # P4 is to hold P3's new winners
                found[panel] = {}
                for _, general in pairs:
                    flags = self.winner(workload, panel, general, round=0).flags
                    for rule in _chain(general):
                        known = found[panel].setdefault(rule, [])
                        known += [flag for flag in flags if flag not in known]
        return found


def _chain(rule: str) -> set[str]:
    """The rules that a rule contains or is contained in, itself among them."""
    return {rule} | {other for pair in CHAINS if rule in pair for other in pair}


def _loss(row: Mapping[str, Any]) -> float:
    loss = row["result"].get("loss")
    return math.inf if loss is None else float(loss)
