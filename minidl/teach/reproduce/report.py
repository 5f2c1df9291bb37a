"""The report: one HTML file that needs nothing else, on paper or without a network."""

import html
import platform
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from ... import __version__
from .registry import (
    DIFFERS,
    FAILED,
    GROUPS,
    MEANING,
    NOT_RUN,
    OFFERED,
    REPRODUCED,
    Check,
    Made,
    Passage,
    Table,
    summary,
)

NOTES = {
    "A": ("note A: Clase 7, optimizadores", "es"),
    "B": ("note B: Lez10, ottimizzazione gradiente", "it"),
    "A+B": ("notes A and B", "es"),
}
_COLOURS = {REPRODUCED: "#0072B2", OFFERED: "#009E73", DIFFERS: "#8C510A", FAILED: "#D55E00", NOT_RUN: "#666666"}

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62em; margin: 2em auto; padding: 0 1em; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5em; border-bottom: 2px solid #ddd; }
section { border: 1px solid #ddd; border-radius: 8px; padding: 0 1.2em 1em; margin: 1.2em 0; }
blockquote { margin: .5em 0; padding: .2em 1em; border-left: 4px solid #bbb; background: #f7f7f7; }
cite { display: block; color: #666; font-size: .9em; }
table { border-collapse: collapse; margin: .8em 0; font-size: .92em; }
caption { text-align: left; color: #555; padding-bottom: .3em; }
th, td { text-align: left; vertical-align: top; padding: .25em .8em .25em 0; border-bottom: 1px solid #eee; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
figure { margin: 1em 0; break-inside: avoid; } figure svg { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .92em; }
pre { white-space: pre-wrap; background: #f7f7f7; padding: .8em; font-size: .82em; }
summary { cursor: pointer; color: #0072B2; }
sub, sup { line-height: 0; font-size: .75em; } .mark { font-weight: bold; }
nav ul { list-style: none; padding: 0; columns: 2; } nav li { break-inside: avoid; } nav a { color: inherit; }
nav a:not(:hover) { text-decoration: none; }
"""


def report(made: Sequence[Made], quick: bool) -> str:
    """The whole page."""
    groups = [(GROUPS[key], list(some)) for key, some in groupby(made, key=lambda one: one.row.group)]
    contents = "".join(f"<h3>{_text(title)}</h3><ul>{''.join(map(_entry, some))}</ul>" for title, some in groups)
    body = "".join(f"<h2>{_text(title)}</h2>{''.join(map(_section, some))}" for title, some in groups)
    budget = "small budgets for the rows that train networks (--quick)" if quick else "full budgets"
    versions = f"minidl {__version__}, Python {platform.python_version()}, NumPy {np.__version__}"
    legend = "".join(f"<li>{_mark(mark)} {_text(meaning)}</li>" for mark, meaning in MEANING.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/><title>minidl reproduce</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<style>{_STYLE}</style></head><body><h1>The notes, run by minidl</h1>"
        f"<p>{versions}; {budget}.</p><pre>{_text(summary(made))}</pre><ul>{legend}</ul>"
        f"<nav>{contents}</nav>{body}</body></html>\n"
    )


def _entry(one: Made) -> str:
    title = f"<b>{one.row.id}</b> {_marked(one.row.title)}"
    return f'<li><a href="#{one.row.id}">{_mark(one.result.verdict)} {title}</a></li>'


def _section(one: Made) -> str:
    row, result = one.row, one.result
    verdict = MEANING[result.verdict].partition(":")[0]
    reason = result.not_run or (result.because if result.verdict == DIFFERS else "")
    parts = [
        f'<section id="{row.id}"><h3>{_mark(result.verdict)} {row.id} {_marked(row.title)}</h3>',
        _quoted(row.passage),
        _checks(result.checks) if result.checks else "",
        f"<p>{_marked(result.text)}</p>" if result.text else "",
        *map(_table, result.tables),
        *(_figure(path, picture.caption) for path, picture in zip(one.figures, result.pictures, strict=True)),
        f"<p>{_mark(result.verdict)} <b>{verdict}</b>{': ' + _text(reason) if reason else ''}</p>",
        *(_source(name, code) for name, code in one.sources.items()),
        "</section>",
    ]
    return "".join(parts)


def _quoted(passage: Passage) -> str:
    note, language = NOTES[passage.note]
    return (
        f'<blockquote><span lang="{language}">{_marked(passage.words)}</span>'
        f"<cite>{note}, “{_marked(passage.section)}”</cite></blockquote>"
    )


def _checks(checks: Sequence[Check]) -> str:
    rows = [
        f"<tr><td>{_mark(REPRODUCED if c.ok else FAILED)}</td><td>{_marked(c.what)}</td><td>{_text(c.ours)}</td>"
        f"<td>{_marked(c.expected)}{_text(f' ({c.source})') if c.expected else ''}</td></tr>"
        for c in checks
    ]
    return f"<table><tr><th></th><th></th><th>minidl</th><th>expected</th></tr>{''.join(rows)}</table>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{_marked(cell)}</th>" for cell in table.head)
    rows = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    caption = f"<caption>{_marked(table.caption)}</caption>" if table.caption else ""
    return f"<table>{caption}<tr>{head}</tr>{rows}</table>"


def _figure(path: Path, caption: str) -> str:
    drawing = inline(Path(f"{path}.svg").read_text(encoding="utf-8"), path.name)
    shown = f"{drawing}<figcaption>{_marked(caption)}</figcaption>"
    return f'<figure role="img" aria-label="{_text(caption)}">{shown}</figure>'


def inline(svg: str, name: str) -> str:
    """An SVG file as a part of a page: no prolog, no metadata, and names that no other drawing on the page has."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    return re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", svg)


def _source(name: str, code: str) -> str:
    return f"<details><summary>{_text(name)}</summary><pre>{_text(code)}</pre></details>"


def _mark(mark: str) -> str:
    return f'<span class="mark" style="color:{_COLOURS[mark]}">{mark}</span>'


def _text(text: str) -> str:
    return html.escape(text)


def _marked(text: str) -> str:
    """Text with x_t and x^{t-1} as subscript and superscript; names such as decay_steps stay as they are."""
    text = re.sub(r"(?<![A-Za-z]{2})_(\{[^}]*\}|\w)", lambda m: f"<sub>{m[1].strip('{}')}</sub>", html.escape(text))
    return re.sub(r"\^(\{[^}]*\}|-?\d+|\w)", lambda m: f"<sup>{m[1].strip('{}')}</sup>", text)
