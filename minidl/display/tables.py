"""Tables: as lines of text, and as HTML for the cell of a notebook."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

Row = Sequence[str]
WIDTH = 80  # columns of a terminal
_NARROWEST = 10


class Shown(str):
    """Text that shows itself where it is the last line of a cell or typed at a prompt: a str would show its repr."""

    html: str  # the same for a notebook

    def __new__(cls, text: str, html: str) -> "Shown":
        shown = super().__new__(cls, text)
        shown.html = html
        return shown

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return Shown, (str(self), self.html)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html


def lines_of(rows: Sequence[Row], align: str = "", width: int = WIDTH) -> list[str]:
    """`rows`, the heading first, as lines: cells stand below one another.

    `align` has a ``>`` for each column of numbers, which end alike, and a ``<`` for others, as is the default. Cells of
    the widest column are broken into several lines, if that keeps a line within `width`.
    """
    align = align or "<" * len(rows[0])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widest = max(range(len(widths)), key=widths.__getitem__)
    too_long = sum(widths) + 2 * len(widths) - 2 - width
    widths[widest] = max(widths[widest] - max(too_long, 0), min(widths[widest], _NARROWEST))
    return [line for row in rows for line in _broken(row, align, widths)]


def _broken(row: Row, align: str, widths: list[int]) -> Iterator[str]:
    """The lines of a row: one, unless a cell is too long for its column."""
    cells = [
        [cell] if len(cell) <= width else textwrap.wrap(cell, width, subsequent_indent=" " if width > 1 else "")
        for cell, width in zip(row, widths, strict=True)
    ]
    for parts in zip_longest(*cells, fillvalue=""):
        yield "  ".join(f"{part:{side}{w}}" for part, side, w in zip(parts, align, widths, strict=True)).rstrip()


def html_of(rows: Sequence[Row], align: str = "", note: str = "") -> str:
    """`rows`, the heading first, as an HTML table, with a `note` below it."""
    from html import escape

    sides = {"<": "left", ">": "right"}
    styles = [f' style="text-align: {sides[side]}"' for side in align or "<" * len(rows[0])]
    head, *body = (
        [f"<{tag}{style}>{escape(cell)}</{tag}>" for cell, style in zip(row, styles, strict=True)]
        for tag, row in zip_longest(["th"], rows, fillvalue="td")
    )
    table = "".join(f"<tr>{''.join(row)}</tr>" for row in body)
    return f"<table><thead><tr>{''.join(head)}</tr></thead><tbody>{table}</tbody></table>{html_line(note)}"


def html_text(text: str) -> str:
    """`text` as HTML that keeps its lines and columns."""
    from html import escape

    return f'<pre style="white-space: pre; overflow-x: auto">{escape(text)}</pre>'


def html_line(text: str) -> str:
    """`text` as a line of HTML by itself."""
    from html import escape

    return f"<div>{escape(text)}</div>"
