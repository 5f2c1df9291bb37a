"""The tables of the results in benchmarks/results: python -m benchmarks.report [PAGE.md ...]

Prints every table; in the pages named, replaces what stands between ``<!-- benchmark: NAME -->`` and ``<!-- end -->``
by the table of that name, so that no figure is typed by hand. There is a result for each family of processors
(machine.py): a table shows those of all families, each below the processor that it is from. The tables of avx2.json
and avx512.json have names of one word; those of avx2-others.json have another before theirs:
``<!-- benchmark: others growth -->``.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .analysis import best, ratio
from .judgement import differs
from .workloads import RESIDUAL, WORKLOADS, Workload

RESULTS = Path(__file__).parent / "results"
US = ("minidl", "minidl[fast]")
BLOCK = re.compile(r"(<!-- benchmark: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def tables(result: Mapping[str, Any]) -> dict[str, str]:
    """Every table that `result` has the measurements for, in Markdown, by name."""
    made = {"machine": _machine(result)}
    for section, measured in result["sections"].items():
        if section == "steps":
            made["steps"] = _steps(measured)
            made |= {name: _workload(name, one) for name, one in measured.items()}
        else:
            made[section] = SECTIONS[section](measured)
    return made


def kept() -> dict[str, str]:
    """The tables of all results that are kept, by name."""
    made: dict[str, list[str]] = {}
    for file in sorted(RESULTS.glob("*.json"), key=lambda file: file.stem.split("-")):
        result = json.loads(file.read_text())
        run = file.stem.partition("-")[2]
        for name, table in tables(result).items():
            described = "" if name == "machine" else f"{result['machine']['processor']}:\n\n"
            made.setdefault(f"{run} {name}".strip(), []).append(described + table)
    return {name: "\n".join(ones) for name, ones in made.items()}


def quote(page: str, made: Mapping[str, str]) -> str:
    """The text of a page, its quoted tables replaced by those of `made`. Raises ``KeyError`` for one not there."""
    return BLOCK.sub(lambda found: f"{found[1]}{made[found[2]]}{found[4]}", page)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _number(value: float) -> str:
    """Three significant digits, or all of a larger whole number."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}".rstrip(".")


def _notes(skipped: Mapping[str, str]) -> str:
    return "".join(f"\n{name}: {why}.\n" for name, why in skipped.items())


def _machine(result: Mapping[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    facts = [f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}"]
    facts += [f"NumPy with {machine['blas']}", f"{machine['date']}, {result['rounds']} rounds, `{machine['command']}`"]
    seen = {f"{package} {number}" for found in versions.values() for package, number in found.items()}
    return "\n".join([*facts, ", ".join(sorted(seen, key=str.lower))]) + "\n" + _notes(result["missing"])


def _steps(measured: Mapping[str, Any]) -> str:
    """One line a contender, one column a workload: its best variant, and how many times minidl's time it takes."""
    names = list(dict.fromkeys(name for one in measured.values() for name in one["us"]))
    rows = []
    for name in names:
        cells = []
        for one in measured.values():
            if name not in one["us"]:
                cells.append("–")
                continue
            us = best(one["us"][name])[1]
            against = [ratio(us, best(one["us"][our])[1]).median for our in US if our in one["us"]]
            told = f" ({' / '.join(f'{r:.2f}' for r in against)})" if against and name != "floor" else ""
            cells.append(f"{_number(median(us))}{told}")
        rows.append([name, *cells])
    head = [f"µs a step (÷ {' / ÷ '.join(US)})", *(f"{name}: {one['describe']}" for name, one in measured.items())]
    return _table(head, rows) + "".join(_differences(name, one) for name, one in measured.items())


def _workload(name: str, one: Mapping[str, Any]) -> str:
    """Every variant on one workload: the median, its range over the rounds, and the ratios paired by round."""
    us = one["us"]
    ours = {our: best(us[our])[1] for our in US if our in us}
    floor = median(best(us["floor"])[1])
    rows = []
    for contender, variants in us.items():
        for variant, values in sorted(variants.items(), key=lambda item: median(item[1])):
            row = [f"{contender}, {variant}", _number(median(values)), f"{_number(min(values))}–{_number(max(values))}"]
            ratios = (str(ratio(values, theirs)) for theirs in ours.values())
            rows.append([*row, *ratios, f"{median(values) / floor:.2f}"])
    head = [f"{name}: {one['describe']}", "µs a step", "range", *(f"÷ {our}" for our in ours), "÷ floor"]
    return _table(head, rows) + _differences(name, one) + _notes(one["skipped"])


def _loops(measured: Mapping[str, Any]) -> str:
    """For each workload everyone's variants, and how many times as long as each of minidl's they take."""
    return "\n".join(_loop(name, one) for name, one in measured.items())


def _loop(name: str, one: Mapping[str, Any]) -> str:
    ours = {f"{our}, {variant}": us for our in US for variant, us in one["us"].get(our, {}).items()}
    rows = []
    for contender, variants in one["us"].items():
        for variant, values in sorted(variants.items(), key=lambda item: median(item[1])):
            row = [f"{contender}, {variant}", _number(median(values)), f"{_number(min(values))}–{_number(max(values))}"]
            rows.append([*row, *(str(ratio(values, theirs)) for theirs in ours.values())])
    head = [f"{name}: {one['describe']}", "µs a step", "range", *(f"÷ {our}" for our in ours)]
    return _table(head, rows) + _differences(name, one) + _notes(one["skipped"])


def _differences(name: str, one: Mapping[str, Any]) -> str:
    """Those whose training was not the same; and those for whom rounding decided ties otherwise than float64 does."""
    workload = {**WORKLOADS, RESIDUAL.name: RESIDUAL}[name]
    return "".join(
        _difference(workload, f"{contender}, {variant}", apart)
        for contender, variants in one["apart"].items()
        for variant, apart in variants.items()
    )


def _difference(workload: Workload, who: str, apart: Mapping[str, float]) -> str:
    off = {what: value for what, value in apart.items() if what != "ties"}
    told = ", ".join(f"{value:.1e} in its {what}" for what, value in off.items())
    if differs(workload, apart):
        return f"\n**Not the same training** on {workload.name}: {who} is off float64 by {told}.\n"
    if apart.get("ties"):
        count = apart["ties"]
        return f"\n{workload.name}: {who} is off by {told} from float64 with {count} tied ReLU decided otherwise.\n"
    return ""


def _growth(measured: Mapping[str, Any]) -> str:
    made = []
    for axis, one in measured.items():
        rows = [
            [name, *(_number(median(values)) for values in zip(*rounds, strict=True))]
            for name, rounds in one["us"].items()
        ]
        made.append(_table([f"µs per example, {axis}", *map(str, one["points"])], rows) + _notes(one["skipped"]))
    return "\n".join(made)


def _ops(measured: Mapping[str, Any]) -> str:
    rows = [
        [name, *(_number(median(kinds[kind])) for kind in ("single", "chain"))]
        for name, kinds in measured["us"].items()
    ]
    head = ["µs, forward and backward", "a single addition", "per addition in a chain of 100"]
    return _table(head, rows) + _notes(measured["skipped"])


def _startup(measured: Mapping[str, Any]) -> str:
    kinds = ("import", "first step")
    rows = [
        [name, *(f"{median(times[kind]):.2f}" if kind in times else "–" for kind in kinds)]
        for name, times in measured["seconds"].items()
    ]
    head = ["seconds from start to exit of Python", "importing", "with one training step of W1"]
    return _table(head, rows) + _notes(measured["skipped"])


def _job(measured: Mapping[str, Any]) -> str:
    ours = {our: measured["seconds"][our]["second run"] for our in US if our in measured["seconds"]}
    rows = []
    for name, seconds in measured["seconds"].items():
        accuracies = measured["accuracies"][name]
        told = [f"{median(seconds[kind]):.2f}" for kind in ("first run", "second run")]
        ratios = [str(ratio(seconds["second run"], theirs)) for theirs in ours.values()]
        rows.append([name, *told, *ratios, str(len(accuracies)), f"{accuracies[-1]:.2%}"])
    head = [f"seconds to {measured['target']:.0%}: {measured['describe']}", "first run", "second run",
            *(f"second ÷ {our}" for our in ours), "epochs", "reached"]  # fmt: skip
    return _table(head, rows) + _notes(measured["skipped"])


def _memory(measured: Mapping[str, Any]) -> str:
    rows = [
        [name, *(f"{held[kind]:.0f}" for kind in ("imported", "trained"))]
        for name, held in measured["megabytes"].items()
    ]
    head = ["MiB held at most", "after importing", f"training {measured['describe']}"]
    return _table(head, rows) + _notes(measured["skipped"])


def _long(measured: Mapping[str, Any]) -> str:
    rows = []
    for name, rounds in measured["us"].items():
        first, last = [one[0] for one in rounds], [one[-1] for one in rounds]
        rows.append([name, _number(median(first)), _number(median(last)), str(ratio(last, first))])
    steps = measured["stretch"]
    count = steps * max((len(one) for rounds in measured["us"].values() for one in rounds), default=0)
    head = ["W1, µs a step", f"first {steps} steps", f"last {steps} of {count:,}", "last ÷ first"]
    return _table(head, rows) + _notes(measured["skipped"])


def _busy(measured: Mapping[str, Any]) -> str:
    rows = []
    for name, variants in measured["us"].items():
        for variant, us in variants.items():
            told = [_number(median(us[kind])) for kind in ("quiet", "busy")]
            rows.append([f"{name}, {variant}", *told, str(ratio(us["busy"], us["quiet"]))])
    head = ["W1, µs of the median step", "alone", "beside a busy loop for each core", "ratio"]
    return _table(head, rows) + _notes(measured["skipped"])


SECTIONS = {
    "loops": _loops, "models": _loops, "growth": _growth, "ops": _ops, "startup": _startup, "job": _job,
    "memory": _memory, "long": _long, "busy": _busy,
}  # fmt: skip


def main() -> None:
    made = kept()
    print("\n".join(made.values()))
    for page in map(Path, sys.argv[1:]):
        page.write_text(quote(page.read_text(), made))


if __name__ == "__main__":
    main()
