"""Draw house.svg: the parts of minidl in the rows of tests/support/layers.py, and what each imports.

``python docs/draw_house.py`` writes the picture beside this file; a test holds it to today's imports.
"""

import html
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests/support"))
from layers import FILES, LAYERS, RANK, imported_parts, part_of  # noqa: E402

WIDTH, ROW, BOX, LEFT = 1040, 92, 30, 130  # pixels

STYLE = """
  text { font: 14px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328 }
  .name { font: 13px system-ui, sans-serif; fill: #59636e }
  rect { fill: #f6f8fa; stroke: #8c959f }
  .row { fill: none; stroke: #d1d9e0 }
  path { fill: none; stroke: #0969da; opacity: 0.35 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .name { fill: #9198a1 } rect { fill: #151b23; stroke: #656c76 } .row { stroke: #3d444d }
    path { stroke: #4493f8; opacity: 0.5 }
  }
"""


def imports() -> dict[str, set[str]]:
    """Which parts each part imports at the top of its files."""
    found: dict[str, set[str]] = {part: set() for part in RANK}
    for path in FILES:
        if part_of(path) in found:
            found[part_of(path)] |= imported_parts(path, late=False)
    return found


def direct(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the imports that follow from others: what is drawn stays readable."""
    reached: dict[str, set[str]] = {}

    def reach(part: str) -> set[str]:
        if part not in reached:
            reached[part] = set()  # cuts circles, of which the house has none
            reached[part] = edges[part].union(*(reach(other) for other in edges[part]))
        return reached[part]

    return {part: {o for o in others if not any(o in reach(p) for p in others - {o})} for part, others in edges.items()}


def depth(part: str, edges: dict[str, set[str]]) -> int:
    """How long the longest chain of imports is that `part` begins."""
    return 1 + max((depth(other, edges) for other in edges[part]), default=0)


def drawn() -> str:
    """The picture, as SVG: in each row what is imported by its neighbours comes first."""
    edges = imports()
    rows = {name: sorted(sorted(parts), key=lambda part: depth(part, edges)) for name, parts in LAYERS.items()}
    places: dict[str, tuple[float, float, float]] = {}  # the middle, the top and the width of each box
    shapes, lines = [], []
    for number, (name, parts) in enumerate(rows.items()):
        top = 10 + ROW * number
        shapes.append(f'<line class="row" x1="0" x2="{WIDTH}" y1="{top + ROW - 16}" y2="{top + ROW - 16}"/>')
        shapes.append(f'<text class="name" x="8" y="{top + 20}">{html.escape(name)}</text>')
        widths = [8.5 * len(part) + 16 for part in parts]
        gap = (WIDTH - LEFT - sum(widths)) / (len(parts) + 1)
        x = LEFT + gap
        for part, width in zip(parts, widths, strict=True):
            places[part] = x + width / 2, top, width
            shapes.append(f'<rect x="{x:.0f}" y="{top}" width="{width:.0f}" height="{BOX}" rx="5"/>')
            shapes.append(f'<text x="{x + width / 2:.0f}" y="{top + 20}" text-anchor="middle">{part}</text>')
            x += width + gap
    for part, others in sorted(direct(edges).items()):
        x1, y1, _ = places[part]
        for other in sorted(others):
            x2, y2, _ = places[other]
            if y2 < y1:
                bend = (y1 + y2 + BOX) / 2
                lines.append(f'<path d="M{x1:.0f} {y1} C{x1:.0f} {bend:.0f} {x2:.0f} {bend:.0f} {x2:.0f} {y2 + BOX}"/>')
    height = 10 + ROW * len(rows) - 16
    title = "The parts of minidl: each imports from the rows above its own"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">',
        f"<title>{title}</title><style>{STYLE}</style>", *lines, *shapes, "</svg>", "",
    ])  # fmt: skip


if __name__ == "__main__":
    (DOCS / "house.svg").write_text(drawn(), encoding="utf-8")
