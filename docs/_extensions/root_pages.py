"""The Markdown files beside this folder (README, CHANGELOG, ...) as pages of the site, and links that lead to them.

On a code host ``../README.md`` is a file; in the site it is the page docs/project/README.md, which is written here.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from written_pages import write_pages

CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def copy_files(app: Sphinx) -> None:
    """Copy the files into docs/project, with links that lead to the same places from there."""
    docs = Path(app.srcdir)
    pages = {path.name: relinked(path.read_text("utf-8"), ".") for path in docs.parent.glob("*.md")}
    write_pages(docs / "project", pages)


def relink(app: Sphinx, page: str, source: list[str]) -> None:
    """Let the links of a page in docs/ lead to the pages that `copy_files` made."""
    if "/" not in page:
        source[0] = relinked(source[0], "docs")


def relinked(text: str, folder: str) -> str:
    """The text of a file of `folder` with its links as they are in the site."""
    home = "docs/project" if folder == "." else folder

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        if "/" not in target and target.endswith(".md"):
            target = f"docs/project/{target}"
        return posixpath.relpath(target, home)

    parts = CODE.split(text)
    parts[::2] = [LINK.sub(moved, part) for part in parts[::2]]
    return "".join(parts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", copy_files)
    app.connect("source-read", relink)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
