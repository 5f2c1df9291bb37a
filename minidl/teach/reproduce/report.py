"""The report: one HTML file that needs nothing else, on paper or without a network."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from .._ledger.sentences import Language
from .origin import origin
from .page.order import Topic, topics
from .page.row import Page, article, listed
from .page.text import text
from .page.words import MEANINGS
from .record import Record
from .registry import ROWS

_LECTURES = {"A": "es", "B": "it"}
_FILES = Path(__file__).with_name("page")
_ALONE = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"  # nothing is fetched, ever


def report(records: Sequence[Record], folder: Path, language: Language = "en") -> str:
    """The whole page, of rows whose figures lie in `folder`; its fixed words are in `language`."""
    by_id = {one.id: one for one in records}
    page = Page(folder, language, origin())
    ordered = topics(ROWS[id] for id in by_id)
    parts = [(chapter, list(some)) for chapter, some in groupby(ordered, lambda topic: topic.chapter)]
    style, script = ((_FILES / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    return "".join([
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8"/><title>{page.word("title")}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f'<meta http-equiv="Content-Security-Policy" content="{_ALONE}"/><style>{style}</style></head><body>',
        f"<header><h1>{page.word('title')}</h1><p>{page.word('about')}</p></header>",
        f"{_contents(parts, by_id, page)}<main>{_verdicts(records, page)}{_origin(records, page)}",
        *(_chapter(chapter, some, by_id, page) for chapter, some in parts),
        f"</main><script>{script}</script></body></html>\n",
    ])  # fmt: skip


def _contents(parts: Sequence[tuple[str, list[Topic]]], by_id: Mapping[str, Record], page: Page) -> str:
    """The contents, which stay in sight, with a box for each verdict by which rows are shown or hidden."""
    counts = Counter(one.verdict for one in by_id.values())
    boxes = [
        f'<label><input type="checkbox" value="{mark}" checked="checked"/> {page.mark(mark)} '
        f"{text(meaning.partition(':')[0])} ({counts[mark]})</label>"
        for mark, meaning in MEANINGS[page.language].items()
        if counts[mark]
    ]
    chapters = [
        f'<li class="part"><p><a href="#{_name(chapter)}"><b>{page.word(chapter)}</b></a></p>'
        f"<ul>{''.join(_entry(topic, by_id, page) for topic in some)}</ul></li>"
        for chapter, some in parts
    ]
    filter = f'<fieldset id="filter" hidden="hidden"><legend>{page.word("show")}</legend>{"".join(boxes)}</fieldset>'
    summary = f"<summary>{page.word('contents')}</summary>"
    label = page.word("contents")
    return (
        f'<nav aria-label="{label}"><details open="open">{summary}{filter}<ul>{"".join(chapters)}</ul></details></nav>'
    )


def _entry(topic: Topic, by_id: Mapping[str, Record], page: Page) -> str:
    rows = listed([by_id[row.id] for row in topic.rows], page)
    return f'<li class="part"><p>{_title(topic, page)}</p>{rows}</li>'


def _verdicts(records: Sequence[Record], page: Page) -> str:
    """What each mark means, for how many rows it stands, and which they are if they are few enough to be named."""
    items = []
    for mark, meaning in MEANINGS[page.language].items():
        found = [one for one in records if one.verdict == mark]
        names = "" if len(found) > 20 else " " + ", ".join(f'<a href="#{one.id}">{one.id}</a>' for one in found)
        if found:
            items.append(f"<li>{page.mark(mark)} {len(found)} {text(meaning)}.{names}</li>")
    return f'<h2>{page.word("verdicts")}</h2><ul class="legend">{"".join(items)}</ul>'


def _origin(records: Sequence[Record], page: Page) -> str:
    """What the rows were made by; a row that was made by something else says so itself."""
    of = page.origin
    budgets = Counter(one.quick for one in records)
    threads = {"blas": of["blas_threads"], "cores": of["cores"]}
    facts = {
        "rows": f"{len(records)} / {len(ROWS)}, {sum(one.seconds for one in records):.0f} s",
        "budget": page.word("mixed", quick=budgets[True], full=budgets[False]),
        "made by": text(f"minidl {of['minidl']}, Python {of['python']}, NumPy {of['numpy']}, {of['system']}"),
        "sources": f"SHA-256 {of['sources_sha256']}",
        "data": "SHA-256 " + ", ".join(f"{file} {digest[:12]}" for file, digest in of["mnist_sha256"].items()),
        "processor": text(of["processor"]),
        "threads": page.word("thread counts", minidl=of["minidl_threads"] or page.word("default"), **threads),
    }
    listed = "".join(f"<dt>{page.word(name)}</dt><dd>{fact}</dd>" for name, fact in facts.items())
    return f"<h2>{page.word('made by')}</h2><dl>{listed}</dl>"


def _chapter(chapter: str, some: Sequence[Topic], by_id: Mapping[str, Record], page: Page) -> str:
    sections = [
        f'<section class="part"><h3>{_title(topic, page)}</h3>'
        f"{''.join(article(by_id[row.id], page) for row in topic.rows)}</section>"
        for topic in some
    ]
    return f'<section class="part"><h2 id="{_name(chapter)}">{page.word(chapter)}</h2>{"".join(sections)}</section>'


def _title(topic: Topic, page: Page) -> str:
    """The title of a section: the note's own words, or what both notes have in common."""
    if topic.chapter in _LECTURES:
        return f'<span lang="{_LECTURES[topic.chapter]}">{text(topic.title)}</span>'
    return page.word(topic.title)


def _name(chapter: str) -> str:
    return f"note-{chapter.replace('+', '-')}"
