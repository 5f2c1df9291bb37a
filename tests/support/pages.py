"""The code blocks of README, CONTRIBUTING and docs/*.md: where each stands, in which language, and how it is marked."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?(?P<indent> *)```(?P<language>.*)\n(?P<code>(?:.*\n)*?)(?P=indent)```$", re.M
)


@dataclass(frozen=True)
class Block:
    """A code block; `mark` is what an HTML comment says in the line before it, which a reader does not see."""

    page: str
    line: int
    language: str
    code: str
    mark: str | None

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks_of(path):
    """The blocks of a page, in order; not the site's directives, which have a language in braces."""
    text = path.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if not found["language"].startswith("{"):
            line = text.count("\n", 0, found.start("code")) + 1
            code = re.sub(f"^{found['indent']}", "", found["code"], flags=re.M)
            yield Block(path.relative_to(ROOT).as_posix(), line, found["language"], code, found["mark"])


BLOCKS = [block for path in PAGES for block in blocks_of(path)]

PIECES = {"docs/adding_an_op.md"}  # shows parts of files, which test_adding_an_op.py puts into their places
SOURCE = "source: "  # begins the mark of a block that is the library's own text, which it names
SHOWN = [block for block in BLOCKS if (block.mark or "").startswith(SOURCE)]
SCRIPTS = [b for b in BLOCKS if b.language == "python" and b.page not in PIECES and b not in SHOWN]  # a user's Python
