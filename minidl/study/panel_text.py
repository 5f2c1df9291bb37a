"""What a study of four panels has found, as text for a terminal."""

from collections.abc import Iterator, Mapping

import numpy as np

from ..display.tables import lines_of
from .findings import Finding, Statement, statements
from .four_panels import FourPanels, Winner
from .panels import PANELS, RULES
from .statistics import quartiles

TUNED = {
    "P1": "lr constant; lr alone is tuned",
    "P2": "lr falls; lr and its fall are tuned",
    "P3": "lr constant; all settings are tuned",
    "P4": "lr falls; all settings are tuned",
}
SAYS = {
    "adam_worst": "P1: Adam is the worst",
    "adam_worst_again": "P2: Adam is the worst",
    "momentum_best": "P2: Momentum is the best",
    "adam_better": "P3: Adam is better than in P1",
    "adam_best": "P4: Adam is the best",
}
_HELD = {True: "yes", False: "no", None: "not decided"}


def text(panels: FourPanels, found: Mapping[tuple[str, str], Finding]) -> str:
    """Each panel's table, under its budget, and note B's statements beside what came out."""
    return "\n".join(line for workload in panels.workloads for line in _workload(panels, found, workload))


def _workload(panels: FourPanels, found: Mapping[tuple[str, str], Finding], workload: str) -> Iterator[str]:
    for panel in PANELS:
        finding = found[workload, panel]
        trials = len(finding.tuning["SGD"])
        yield f"{workload}, {panel}: {TUNED[panel]}"
        yield (
            f"{trials} trials a rule by loss on the tuning data, the best again on {len(panels.seeds)} fresh seeds; "
            f"loss on the reporting data; 95 % intervals of the paired difference to the best"
        )
        yield from lines_of(_table(finding), "<>>>>>>><", width=10**6)
        for special, general in finding.too_small:
            yield f"  search too small, no ranking: {general} contains {special}, and came out worse"
        yield ""
    yield f"{workload}: what note B says, and what came out here (another workload than the note's)"
    rows: list[tuple[str, ...]] = [("the note", "here", "by", "difference")]
    rows += [_statement(each) for each in statements(found, workload)]
    yield from lines_of(rows, width=10**6)
    yield ""


def _table(finding: Finding) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("rule", "median", "quartiles", "to the best", "interval", "P(best)", "diverged", "flags", "")
    ]
    for i in finding.medians.argsort(kind="stable"):
        rule = RULES[i]
        low, middle, high = quartiles(finding.losses[:, i])
        to_best = finding.to_best[i]
        best = rule == finding.best
        rows.append((
            rule, f"{middle:.4f}", f"{low:.4f} {high:.4f}",
            "" if best else f"{to_best.value:+.4f}", "" if best else f"{to_best.low:+.4f} {to_best.high:+.4f}",
            f"{finding.probability[i]:.2f}", f"{finding.diverged(rule):.0%}", flags(finding.winners[rule]),
            finding.verdict(rule),
        ))  # fmt: skip
    return rows


def flags(winner: Winner) -> str:
    """Which settings lie at an end of their range: "lr>" at the upper one."""
    return " ".join(f"{change.name}{'>' if change.above else '<'}" for change in winner.flags)


def _statement(each: Statement) -> tuple[str, ...]:
    one, other, difference = each.evidence[0]
    return SAYS[each.says], _HELD[each.holds], f"{one} - {other}", str(difference)


def tests_text(panels: FourPanels) -> str:
    """The winners' errors on the test set: median, least and largest over the seeds."""
    rows: list[tuple[str, ...]] = [("workload", "panel", "rule", "test error: median", "least", "largest")]
    for workload in panels.workloads:
        for panel in PANELS:
            for rule in RULES:
                runs = panels.reports(workload, panel, rule, panels.selected(workload, panel, rule)["point"], "test")
                errors = [1.0 if row["result"].get("error") is None else row["result"]["error"] for row in runs]
                low, middle, high = np.quantile(errors, (0, 0.5, 1))
                rows.append((workload, panel, rule, f"{middle:.2%}", f"{low:.2%}", f"{high:.2%}"))
    return "\n".join(lines_of(rows, "<<<>>>"))
