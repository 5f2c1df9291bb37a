"""Text and drawings made into parts of a page."""

import html
import re


def text(plain: str) -> str:
    """Text as HTML."""
    return html.escape(plain)


def marked(plain: str) -> str:
    """Text with x_t and x^{t-1} as subscript and superscript; names such as decay_steps stay as they are."""
    low = re.sub(r"(?<![A-Za-z]{2})_(\{[^}]*\}|\w)", lambda m: f"<sub>{m[1].strip('{}')}</sub>", html.escape(plain))
    return re.sub(r"\^(\{[^}]*\}|-?\d+|\w)", lambda m: f"<sup>{m[1].strip('{}')}</sup>", low)


def unmarked(plain: str) -> str:
    """The same for where nothing can be raised or lowered: an attribute."""
    return html.escape(re.sub(r"([_^])\{([^}]*)\}", r"\1\2", plain))


def inline(svg: str, name: str) -> str:
    """An SVG file as a part of a page: no prolog, no metadata, and names that no other drawing on the page has."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    return re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", svg)
