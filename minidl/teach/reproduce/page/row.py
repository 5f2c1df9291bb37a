"""A row on the page: the note's words, its equations, what was compared, figures, the verdict, the code."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..._ledger.sentences import Language
from ..record import Drawing, Record
from ..registry import ROWS, Check, Passage, Table
from .equations import equations
from .text import inline, marked, text, unmarked
from .words import MEANINGS, WORDS

_CLASSES = {"✓": "good", "◇": "offered", "○": "offered", "≈": "differs", "?": "open", "✗": "bad", "–": "open"}
_SPOKEN = {"A": "es", "B": "it"}  # the notes' languages
_AGAINST = {True: "", None: ", which decides nothing", False: ", which is not as expected"}
_LEAST = 0.6 * 4 / 3  # pixels that a drawing keeps of each of its points: letters of 10 points stay legible


class Page(NamedTuple):
    """What the rows of a page have in common: the folder it is in, its language, what its newest rows came from."""

    folder: Path
    language: Language
    origin: dict[str, Any]

    def word(self, name: str, **facts: object) -> str:
        """One of the fixed words or sentences, filled in."""
        return text(WORDS[self.language].get(name, name).format(**facts))

    def mark(self, mark: str) -> str:
        """A verdict's mark, which is read out as a word."""
        name = MEANINGS[self.language][mark].partition(":")[0]
        return f'<span class="mark {_CLASSES[mark]}" role="img" aria-label="{text(name)}">{mark}</span>'


def article(one: Record, page: Page) -> str:
    """The whole row."""
    row = ROWS[one.id]
    return "".join([
        f'<article id="{one.id}" data-verdict="{one.verdict}">',
        f'<h4>{page.mark(one.verdict)} <a href="#{one.id}">{one.id}</a>',
        f' <span lang="en">{marked(row.title)}</span></h4>',
        _quoted(row.passage, page),
        _equations(one, page),
        _checks(one, page) if one.checks else "",
        f'<p lang="en">{marked(one.text)}</p>' if one.text else "",
        *(_table(table, one, page) for table in one.tables),
        *(_figure(drawing, one, page) for drawing in one.figures),
        _verdict(one, page),
        *(_source(name, code, page) for name, code in one.sources.items()),
        "</article>",
    ])  # fmt: skip


def _quoted(passage: Passage, page: Page) -> str:
    words = "".join(f'<span lang="{language}">{marked(some)}</span>' for language, some in _by_language(passage))
    section = f'<span lang="{_SPOKEN.get(passage.note, "en")}">“{marked(passage.section)}”</span>'
    return f"<blockquote>{words}<cite>{page.word(passage.note)}, {section}</cite></blockquote>"


def _by_language(passage: Passage) -> Iterator[tuple[str, str]]:
    """The words of a passage, cut where "[A]" or "[B]" begins the other note's, each with its language."""
    for some in re.split(r"(?=\[[AB]\])", passage.words):
        if some:
            note = passage.note if passage.note in _SPOKEN else some[1]
            yield _SPOKEN[note], some


def _equations(one: Record, page: Page) -> str:
    shown = []
    for note, rule, lines in equations(ROWS[one.id]):
        caption = page.word("equations", rule=rule, note=note)
        shown.append(f'<figure class="scroll">{lines}<figcaption>{caption}</figcaption></figure>')
    return f'<div class="equations">{"".join(shown)}</div>' if shown else ""


def _checks(one: Record, page: Page) -> str:
    head = "".join(f'<th scope="col">{page.word(name)}</th>' for name in ("check", "minidl", "expected"))
    verdict = f'<th scope="col"><span class="heard">{page.word("verdict")}</span></th>'
    rows = "".join(_check(check, page) for check in one.checks)
    return _scrolling(f"<thead><tr>{verdict}{head}</tr></thead><tbody>{rows}</tbody>")


def _check(check: Check, page: Page) -> str:
    expected = f'<span lang="en">{marked(check.expected)}</span> ' if check.expected else ""
    words = f'<q lang="{_SPOKEN[check.source[-1]]}">{marked(check.words)}</q>' if check.words else ""
    expected = f"{expected}({': '.join(filter(None, (page.word(check.source), words)))})"
    what, ours, mark = marked(check.what), text(check.ours), page.mark(check.mark)
    return f'<tr><td>{mark}</td><th scope="row" lang="en">{what}</th><td lang="en">{ours}</td><td>{expected}</td></tr>'


def _table(table: Table, one: Record, page: Page) -> str:
    caption = f'<caption lang="en">{marked(table.caption)}</caption>' if table.caption else ""
    head = "".join(f'<th scope="col">{marked(cell)}</th>' if cell else "<td></td>" for cell in table.head)
    rows = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return _scrolling(f'{caption}<thead lang="en"><tr>{head}</tr></thead><tbody lang="en">{rows}</tbody>')


def _scrolling(rows: str) -> str:
    return f'<div class="scroll"><table>{rows}</table></div>'


def _figure(drawing: Drawing, one: Record, page: Page) -> str:
    path = page.folder / f"{drawing.file}.svg"
    caption = f'<figcaption lang="en">{marked(drawing.caption)}</figcaption>'
    if not path.exists():
        return f"<figure><p>{page.word('lost', file=f'{drawing.file}.svg', id=one.id)}</p>{caption}</figure>"
    svg = inline(path.read_text(encoding="utf-8"), path.stem)
    least = round(_LEAST * float(svg.partition('viewBox="0 0 ')[2].split()[0]))
    seen = f'<div role="img" lang="en" aria-label="{unmarked(finding(one))}">{svg}</div>'
    return f'<figure><div class="drawn scroll" style="--least: {least}px">{seen}</div>{caption}</figure>'


def finding(one: Record) -> str:
    """What a row's figures show, for those who do not see them: the row's checks, in English as the row is."""
    found = [f"{check.what}: {check.ours}{_AGAINST[check.ok]}" for check in one.checks]
    return f"{ROWS[one.id].title}. {'; '.join(found) or one.text or MEANINGS['en'][one.verdict]}."


def _verdict(one: Record, page: Page) -> str:
    name = MEANINGS[page.language][one.verdict].partition(":")[0]
    reason = f': <span lang="en">{text(one.reason)}</span>' if one.reason else ""
    made = page.word("made", seconds=f"{one.seconds:.1f}", seed=one.seed)
    if one.quick is not None:
        made += ", " + page.word("quick" if one.quick else "full")
    if one.origin != page.origin:
        made += ", " + page.word("other", minidl=one.origin["minidl"], sources=one.origin["sources_sha256"][:12])
    return f'<p>{page.mark(one.verdict)} <b>{text(name)}</b>{reason} <span class="made">({made})</span></p>'


def _source(name: str, code: str, page: Page) -> str:
    return f'<details><summary>{page.word("code", part=name)}</summary><pre lang="en">{text(code)}</pre></details>'


def listed(records: Sequence[Record], page: Page) -> str:
    """Links to rows, as a list."""
    items = "".join(
        f'<li data-verdict="{one.verdict}">{page.mark(one.verdict)} <a href="#{one.id}">{one.id} '
        f'<span lang="en">{marked(ROWS[one.id].title)}</span></a></li>'
        for one in records
    )
    return f"<ul>{items}</ul>"
