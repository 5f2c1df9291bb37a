"""The report of a study of four panels: one page that needs nothing else, and its figures as files."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..display.figures import as_bytes
from ..system.durable import write_durably
from ..teach._ledger.sentences import Language
from ..teach.reproduce import page as shared
from ..teach.reproduce.page.text import inline, text
from ..teach.reproduce.registry import passages
from .findings import TARGETS, Finding, findings, flips, statements
from .four_panels import FourPanels
from .panel_text import flags
from .panels import PANELS, RULES, hyperparameters
from .report_figures import Found, Words, caption, figures
from .statistics import quartiles

FILE = "report.html"
WORDS = tomllib.loads(Path(__file__).with_name("report_words.toml").read_text(encoding="utf-8"))  # by language
_STYLE = Path(shared.__file__).with_name("style.css")  # as the report of the notes has it
_ALONE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # nothing is fetched, ever
_VERDICTS = {True: "yes", False: "no", None: "undecided"}
_FLIPS = {1: "=", -1: "⇄", 0: ""}


def write_report(panels: FourPanels, folder: Path, language: Language = "en") -> Path:
    """Write the page into `folder`, its figures into figures/ there; returns its path.

    Raises `MissingExtraError` without matplotlib, `WriteError`.
    """
    words = WORDS[language]
    found = findings(panels)
    (folder / "figures").mkdir(exist_ok=True)
    sections = []
    for workload in panels.workloads:
        drawn = {}
        for name, figure in figures(found, workload, words).items():
            svg = as_bytes(figure, "svg")
            write_durably(folder / "figures" / f"{workload}-{name.replace(' ', '-')}.svg", svg)
            drawn[name] = inline(svg.decode(), f"{workload}-{name.replace(' ', '-')}")
        sections.append(_workload(panels, found, workload, drawn, words))
    path = folder / FILE
    write_durably(path, _page(panels, sections, words, language).encode())
    return path


def _page(panels: FourPanels, sections: Sequence[str], words: Words, language: Language) -> str:
    entries = "".join(f'<li><a href="#{workload}">{workload}</a></li>' for workload in panels.workloads)
    entries += f'<li><a href="#made">{text(words["made by"])}</a></li>'
    label = text(words["contents"])
    return "".join([
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8"/><title>{text(words["title"])}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f'<meta http-equiv="Content-Security-Policy" content="{_ALONE}"/>',
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>",
        f"<header><h1>{text(words['title'])}</h1><p>{text(words['about'])}</p></header>",
        f'<nav aria-label="{label}"><details open="open"><summary>{label}</summary><ul>{entries}</ul></details></nav>',
        f"<main>{''.join(sections)}{_origin(panels, words)}</main></body></html>\n",
    ])  # fmt: skip


def _workload(panels: FourPanels, found: Found, workload: str, drawn: Mapping[str, str], words: Words) -> str:
    """All of a workload: the note, the panels, the figures."""
    shown = {
        name: f'<figure><div class="scroll" tabindex="0"><div class="drawn" style="--least: 44rem">{svg}</div></div>'
        f"<figcaption>{text(caption(name, workload, words, len(panels.seeds)))}</figcaption></figure>"
        for name, svg in drawn.items()
    }
    flipped = flips(found[workload, "P1"], found[workload, "P4"])
    rows = [[rule, *(_FLIPS[int(value)] for value in line)] for rule, line in zip(RULES, flipped, strict=True)]
    return "".join([
        f'<section id="{workload}"><h2>{workload}</h2>{_note(found, workload, words)}{shown["figure"]}',
        *(_panel(panels, found[workload, panel], words) for panel in PANELS),
        shown["best of k"], shown["sensitivity"], shown["survival"], _reached(found, workload, words),
        f"<h3>{text(words['flips'])}</h3>", _table([["P1 → P4", *RULES], *rows], words["flips about"]), "</section>",
    ])  # fmt: skip


def _note(found: Found, workload: str, words: Words) -> str:
    """The note's own words, and each of its statements beside what came out."""
    passage = passages()["FB4"]
    rows = [[words[name] for name in ("statement", "here", "by", "value")]]
    for each in statements(found, workload):
        one, other, difference = each.evidence[0]
        rows.append([words[each.says], words[_VERDICTS[each.holds]], f"{one} − {other}", _whole(str(difference))])
    return (
        f'<h3>{text(words["the note"])}</h3><blockquote><span lang="it">{text(passage.words)}</span>'
        f'<cite lang="it">{text(passage.section)}</cite></blockquote>{_table(rows, words["another"])}'
    )


def _panel(panels: FourPanels, finding: Finding, words: Words) -> str:
    """The ranking of a panel, under its budget; and what was chosen."""
    names = "rule", "median", "quartiles", "to the best", "probability", "selected", "diverged", "verdict"
    ranked = [[words[name] for name in names]]
    chosen = [[words[name] for name in ("rule", "settings", "flags", "forgiving")]]
    for i in finding.medians.argsort(kind="stable"):
        rule = RULES[i]
        low, middle, high = quartiles(finding.losses[:, i])
        share, best_trial = f"{finding.probability[i]:.2f}", f"{finding.selected[i]:.2f}"
        to_best = "" if rule == finding.best else _whole(str(finding.to_best[i]))
        ranked.append([
            rule, f"{middle:.4f}", f"{low:.4f}–{high:.4f}", to_best,
            share, best_trial, f"{finding.diverged(rule):.0%}", words[finding.verdict(rule)],
        ])  # fmt: skip
        won = finding.winners[rule]
        chosen.append([rule, settings(won.config), flags(won), f"{finding.good_range(rule):.1f}"])
    config = finding.winners["SGD"].config
    budget = words["budget"].format(
        trials=len(finding.tuning["SGD"]), epochs=config["epochs"], samples=config["samples"] or "50,000",
        seeds=len(panels.seeds),
    )  # fmt: skip
    small = [f"<p>{text(words['too small'].format(special=a, general=b))}</p>" for a, b in finding.too_small]
    return (
        f"<article><h3>{text(words[finding.panel])}</h3>{_table(ranked, budget)}{''.join(small)}"
        f"<h4>{text(words['chosen'])}</h4>{_table(chosen)}</article>"
    )


def settings(config: dict[str, Any]) -> str:
    """What a trial trained with, in words."""
    parts = [f"lr={config['lr']:.3g}"]
    if "decay" in config:
        parts.append(f"→ {config['lr'] * config['decay']:.2g} ({config['length']:.0%})")
    given = hyperparameters(config).items()
    return ", ".join(parts + [f"{name}={value:.4g}" for name, value in given if isinstance(value, float)])


def _reached(found: Found, workload: str, words: Words) -> str:
    """The updates to each target, and how many runs got there."""
    rows = [[words["rule"], *(f"{panel}, {target:.1%}" for panel in PANELS for target in TARGETS[workload])]]
    for rule in RULES:
        cells = []
        for panel in PANELS:
            for reached in found[workload, panel].reached[rule]:
                median = f"> {reached.steps.max():.0f}" if reached.median is None else f"{reached.median:.0f}"
                cells.append(f"{median} ({reached.share:.0%})")
        rows.append([rule, *cells])
    note = f"{words['updates']} ({words['share reached']})"
    return f"<h3>{text(words['reached'])}</h3>{_table(rows, note)}"


def _origin(panels: FourPanels, words: Words) -> str:
    table = panels.table
    about, tier = table.meta("about"), panels.tier
    counts = table.counts()
    named = {
        "command": f"minidl study four-panels FOLDER --tier {tier.name} "
        + " ".join(f"--workload {workload}" for workload in panels.workloads),
        "counts": ", ".join(f"{number:,} {name}" for name, number in counts._asdict().items() if number),
        "started": ", ".join(f"{name} {number}" for name, number in about["versions"].items()),
        "processor": f"{about['processor']}, {about['cores']} cores",
        "system": about["system"],
        "results": table.digest(),
        "data": ", ".join(f"{name}: {digest}" for name, digest in (table.meta("data") or {}).items()),
    }
    lines = "".join(f"<dt>{text(words[name])}</dt><dd>{text(value)}</dd>" for name, value in named.items())
    heading, rest = (text(words[name]) for name in ("made by", "all rows"))
    return f'<section id="made"><h2>{heading}</h2><dl>{lines}</dl><p>{rest}</p></section>'


def _table(rows: Sequence[Sequence[str]], note: str = "") -> str:
    """A table, its first column naming each row, that scrolls sideways by itself where it is too wide."""
    head, *body = rows
    heading = "".join(f'<th scope="col">{text(cell)}</th>' for cell in head)
    lines = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in body)
    said = f"<caption>{text(note)}</caption>" if note else ""
    table = f"<table>{said}<thead><tr>{heading}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _whole(cell: str) -> str:
    """Text that is not broken into lines."""
    return cell.replace(" ", "\N{NO-BREAK SPACE}")


def _cells(row: Sequence[str]) -> Iterator[str]:
    yield f'<th scope="row">{text(row[0])}</th>'
    yield from (f"<td>{text(cell)}</td>" for cell in row[1:])
