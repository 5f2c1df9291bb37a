"""Does a built site stand by itself? ``python docs/check_site.py site`` says what it would load from elsewhere.

What a page *loads* (scripts, styles, pictures, fonts) must lie beside it; what it *links to* may be anywhere. Links
within the site must arrive: at a file that is there, and at a heading or name in it.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself. Of links, only those that name what a page is made of.
LOADING = {"src", "srcset", "poster", "data", "background"}
LINKS_THAT_LOAD = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "manifest", "apple-touch-icon"}
IN_STYLES = re.compile(r"(?:url\(\s*|@import\s+)[\"']?((?:https?:)?//[^\"')\s;]+)")
IN_SCRIPTS = re.compile(r"(?:fetch|import|importScripts|Worker|open|src\s*=)\s*\(?\s*[\"'`]((?:https?:)?//[^\"'`]+)")


class Page(HTMLParser):
    """What a page loads, what it links to, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag's addresses and id."""
        given = {name: value or "" for name, value in attrs}
        self._inside = tag
        self.places |= {given[name] for name in ("id", "name") if name in given}
        self.loads += [given[name] for name in LOADING & set(given)]
        if tag == "link" and LINKS_THAT_LOAD & set(given.get("rel", "").split()):
            self.loads.append(given.get("href", ""))
        elif tag in ("a", "area") and "href" in given:
            self.links.append(given["href"])
        self.loads += IN_STYLES.findall(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Look for addresses in styles and scripts that stand within the page."""
        if self._inside == "style":
            self.loads += IN_STYLES.findall(data)
        elif self._inside == "script":
            self.loads += IN_SCRIPTS.findall(data)

    def handle_endtag(self, tag: str) -> None:
        """What follows stands outside of the tag."""
        self._inside = ""


def faults(site: Path) -> list[str]:
    """All that is wrong with a site, a line each."""
    site = site.resolve()
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        where = path.relative_to(site)
        found += [f"{where} loads {address}" for address in page.loads if _is_foreign(address)]
        own = [address for address in page.links if not urlsplit(address).scheme and not _is_foreign(address)]
        lost = [address for address in own if not _arrives(path, address, pages)]
        found += [f"{where} links to {address}, which is not there" for address in lost]
    for pattern, loading in (("*.css", IN_STYLES), ("*.js", IN_SCRIPTS)):
        for path in sorted(site.rglob(pattern)):
            found += [
                f"{path.relative_to(site)} loads {address}" for address in loading.findall(path.read_text("utf-8"))
            ]
    return found


def _is_foreign(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https") or address.startswith("//")


def _arrives(source: Path, address: str, pages: dict[Path, Page]) -> bool:
    """Whether a link within the site leads to a file that is there, and to a place in it."""
    parts = urlsplit(address)
    target = (source.parent / unquote(parts.path)).resolve() if parts.path else source
    if target not in pages:
        return target.is_file()
    return not parts.fragment or unquote(parts.fragment) in pages[target].places


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]))
    print("\n".join(wrong) or f"{sys.argv[1]}: loads nothing from elsewhere, and every link within it arrives")
    sys.exit(bool(wrong))
