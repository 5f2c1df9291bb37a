"""What a study of four panels has found: numbers with their intervals, and what they say of note B's statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .four_panels import INITIAL, FourPanels, Winner
from .panels import PANELS, RULES
from .statistics import (
    BestOfK,
    Interval,
    Reached,
    best_of_k,
    good_range,
    paired_difference,
    probability_of_best,
    selected_best,
    steps_to_target,
    wilcoxon_holm,
    worst_for_diverged,
)

# Preset: errors to be reached on the reporting data.
TARGETS = {"mnist": (0.05, 0.025), "mnist-5000": (0.10, 0.07), "fashion-mnist": (0.15, 0.12)}
ALPHA = 0.05


@dataclass(frozen=True)
class Finding:
    """One panel of one workload. Arrays go by RULES; `losses` is (seeds, rules), the worst for diverged runs."""

    workload: str
    panel: str
    winners: Mapping[str, Winner]
    losses: np.ndarray
    tuning: Mapping[str, np.ndarray]  # (trials,) each, inf where a trial went wrong
    lr: Mapping[str, np.ndarray]  # (trials,) each
    too_small: Sequence[tuple[str, str]]  # pairs of rules for which the search was too small to rank them
    reached: Mapping[str, Sequence[Reached]]  # for each of the targets

    @cached_property
    def medians(self) -> np.ndarray:
        """(rules,)."""
        return np.asarray(np.median(self.losses, axis=0))

    @cached_property
    def best(self) -> str:
        """The rule with the least median."""
        return RULES[int(self.medians.argmin())]

    @cached_property
    def to_best(self) -> list[Interval]:
        """How much more each rule's loss is than the best one's, seed by seed."""
        best = self.losses[:, RULES.index(self.best)]
        return [paired_difference(self.losses[:, i], best) for i in range(len(RULES))]

    @cached_property
    def p(self) -> np.ndarray:
        """(rules, rules): Wilcoxon's test with Holm's correction."""
        return wilcoxon_holm(self.losses)

    @cached_property
    def tied(self) -> list[str]:
        """The rules that are not told apart from the best: zero is in the interval, or p is not below 0.05."""
        first = RULES.index(self.best)
        return [
            r for i, r in enumerate(RULES) if i != first and (self.to_best[i].sign <= 0 or self.p[i, first] >= ALPHA)
        ]

    def verdict(self, rule: str) -> str:
        """One of "best", "tied" with it, "worse", and "unranked": the search was too small to compare the two.

        Where somebody is tied with the best, there is none.
        """
        if rule == self.best:
            return "tied" if self.tied else "best"
        if any({rule, self.best} == {*pair} for pair in self.too_small):
            return "unranked"
        return "tied" if rule in self.tied else "worse"

    @cached_property
    def probability(self) -> np.ndarray:
        """(rules,): how often each is the best, if seeds are drawn again."""
        return probability_of_best(self.losses)

    @cached_property
    def selected(self) -> np.ndarray:
        """(rules,): how often each has the best tuning trial, if trials are drawn again."""
        return selected_best([self._finite(rule) for rule in RULES])

    def best_of_k(self, rule: str) -> BestOfK:
        """What the best of k trials is expected to be."""
        return best_of_k(self._finite(rule))

    def good_range(self, rule: str) -> float:
        """Decades of lr within a tenth of the best tuning loss."""
        return good_range(self.lr[rule], self._finite(rule))

    def diverged(self, rule: str) -> float:
        """The share of its tuning trials that went wrong."""
        return float(np.mean(~np.isfinite(self.tuning[rule])))

    def difference(self, a: str, b: str) -> Interval:
        """a's loss less b's, seed by seed."""
        return paired_difference(self.losses[:, RULES.index(a)], self.losses[:, RULES.index(b)])

    def _finite(self, rule: str) -> np.ndarray:
        return worst_for_diverged(self.tuning[rule], INITIAL)


def findings(panels: FourPanels) -> dict[tuple[str, str], Finding]:
    """All of a study, by workload and panel."""
    return {(w, panel): _finding(panels, w, panel) for w in panels.workloads for panel in PANELS}


def _finding(panels: FourPanels, workload: str, panel: str) -> Finding:
    winners = {rule: panels.winner(workload, panel, rule) for rule in RULES}
    tuned = {rule: panels.tuned(workload, panel, rule) for rule in RULES}
    losses = worst_for_diverged(np.array([winners[rule].losses for rule in RULES]).T, INITIAL)
    inclusion = panel in ("P3", "P4")
    return Finding(
        workload, panel, winners, losses,
        tuning={rule: np.array([row["loss"] for row in rows]) for rule, rows in tuned.items()},
        lr={rule: np.array([row["config"]["lr"] for row in rows]) for rule, rows in tuned.items()},
        too_small=panels.worse_than_special_case(workload, panel) if inclusion else [],
        reached={rule: _reached(panels, workload, panel, rule, winners[rule].point) for rule in RULES},
    )  # fmt: skip


def _reached(panels: FourPanels, workload: str, panel: str, rule: str, point: int) -> list[Reached]:
    rows = panels.reports(workload, panel, rule, point)
    budget = max((row["result"].get("updates", 0) for row in rows), default=0)
    found = []
    for target in TARGETS[workload]:
        steps = [_first_at(row["result"], target, row["config"]["points"]) for row in rows]
        found.append(steps_to_target(steps, budget))
    return found


def _first_at(result: Mapping[str, object], target: float, points: int) -> float | None:
    """The update at which a run's curve first had so small an error; None if it never had."""
    curve, updates = result.get("curve_error") or [], result.get("updates", 0)
    assert isinstance(curve, list)
    assert isinstance(updates, int)
    at = sorted({round(updates * i / points) for i in range(1, points + 1)} - {0})
    return next((step for step, error in zip(at, curve, strict=False) if error is not None and error <= target), None)


@dataclass(frozen=True)
class Statement:
    """One of note B's, beside what came out: `holds` is None where the interval does not decide it."""

    panel: str
    says: str  # a key of the report's words
    holds: bool | None
    evidence: Sequence[tuple[str, str, Interval]]  # rule, rule, difference of their losses


def statements(found: Mapping[tuple[str, str], Finding], workload: str) -> list[Statement]:
    """Note B 1.8: Adam worst with lr alone; also with a falling lr, Momentum best; better with the rest tuned; best."""
    p1, p2, p3, p4 = (found[workload, panel] for panel in PANELS)
    improved = [
        ("Adam, P3", "Adam, P1", paired_difference(p3.losses[:, _ADAM], p1.losses[:, _ADAM])),
    ]
    return [
        _extreme(p1, "Adam", "adam_worst", 1),
        _extreme(p2, "Adam", "adam_worst_again", 1),
        _extreme(p2, "Momentum", "momentum_best", -1),
        Statement("P3", "adam_better", {-1: True, 0: None, 1: False}[improved[0][2].sign], improved),
        _extreme(p4, "Adam", "adam_best", -1),
    ]


_ADAM = RULES.index("Adam")


def _extreme(finding: Finding, rule: str, says: str, sign: int) -> Statement:
    """Whether a rule's loss is above (`sign` 1) or below (-1) those of all others: by the one that refutes it most."""
    others = [other for other in RULES if other != rule]
    differences = {other: finding.difference(rule, other) for other in others}
    nearest = min(others, key=lambda other: sign * differences[other].value)
    signs = {sign * each.sign for each in differences.values()}
    unsure = any(rule in pair and sign < 0 for pair in finding.too_small)
    holds = True if signs == {1} else False if -1 in signs and not unsure else None
    return Statement(finding.panel, says, holds, [(rule, nearest, differences[nearest])])


def flips(a: Finding, b: Finding) -> np.ndarray:
    """(rules, rules): where the row's rule beats the column's in panel `a`, 1 if it does in `b` too, -1 if it loses.

    0 where one of the intervals holds zero, or it does not win in `a`.
    """
    count = len(RULES)
    found = np.zeros((count, count), int)
    for i in range(count):
        for j in range(count):
            if i != j:
                before, after = (each.difference(RULES[i], RULES[j]).sign for each in (a, b))
                found[i, j] = 0 if before >= 0 or not after else (1 if after < 0 else -1)
    return found
