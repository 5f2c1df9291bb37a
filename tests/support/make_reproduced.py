"""Writes the tables of docs/reproduce.md: python tests/support/make_reproduced.py FOLDER

FOLDER is what ``minidl reproduce all --output FOLDER`` left, with full budgets or quick ones, which the page says. What stands in the page between
``<!-- rows: NAME -->`` and ``<!-- end -->`` is replaced by the table of that name, so that no result is typed by hand.
"""

import re
import sys
from collections import Counter
from pathlib import Path

from minidl.teach.reproduce.record import read
from minidl.teach.reproduce.registry import DIFFERS, IN_KIND, MEANING, NOT_RUN, OFFERED, REPRODUCED, ROWS

PAGE = Path(__file__).parents[2] / "docs/reproduce.md"
BLOCK = re.compile(r"(<!-- rows: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def marks(records):
    """What each mark means, and how many rows have it."""
    counts = Counter(one.verdict for one in records)
    lines = [f"| {mark} | {counts[mark]} | {meaning} |" for mark, meaning in MEANING.items()]
    return ["| mark | rows | meaning |", "|---|---|---|", *lines]


def row_line(one):
    """A row that has no tick: each of its checks that has none, or all of them, and why."""
    shown = [check for check in one.checks if check.mark != REPRODUCED] or one.checks
    seen = [f"{check.mark} {check.what}: {check.ours} ({check.source}: {check.said})" for check in shown]
    reason = re.split(r"\n|;| Looked", one.reason)[0] if one.verdict in (NOT_RUN, IN_KIND, DIFFERS) else ""
    cells = (
        f"{one.id} {one.verdict}",
        one.title + " (quick)" * _quick(one),
        "<br>".join([*seen, reason][: len(seen) + bool(reason)]),
    )
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def others(records):
    """The rows that have no tick and are more than an offer."""
    lines = [row_line(one) for one in records if one.verdict not in (REPRODUCED, OFFERED)]
    return ["| row | title | what was seen |", "|---|---|---|", *lines]


def budget(records):
    """The command that made the table."""
    quick = " Rows marked (quick) had a quick budget." if any(_quick(one) for one in records) else ""
    return [f"From `minidl reproduce all`; `python tests/support/make_reproduced.py reproduced` writes it here.{quick}"]


def _quick(one):
    return bool(one.quick) and one.verdict != NOT_RUN


def offers(records):
    """The rows that are offered."""
    return [", ".join(f"{one.id} ({one.title})" for one in records if one.verdict == OFFERED) + "."]


def quoted(page, records):
    """The text of the page with its tables made of these records."""
    made = {table.__name__: table(records) for table in (marks, budget, others, offers)}
    return BLOCK.sub(lambda found: "\n".join([found[1] + made[found[2]][0], *made[found[2]][1:], found[4]]), page)


if __name__ == "__main__":
    found = list(read(Path(sys.argv[1]) / "report.json").values())
    assert set(ROWS) == {one.id for one in found}, "make all rows first"
    PAGE.write_text(quoted(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
