"""A graph as a picture: SVG by itself, a page with details, and Graphviz's language."""

from collections.abc import Sequence
from html import escape

import numpy as np

from .layout import rows
from .numbers import shape_of, shown, summary
from .recorded import GraphNode

WIDTH, HEIGHT, GAP, DROP = 216, 64, 18, 40  # of a box, and between boxes
CHARACTERS = 36  # of a line in a box
INK, LEAF, RESULT, LINE = "#222222", "#e3f0ea", "#f4f4f4", "#777777"


def svg(nodes: Sequence[GraphNode]) -> str:
    """The picture: a box per node, an arrow from each argument to what is made of it."""
    table, paths = rows(nodes)
    width = max(map(len, table)) * (WIDTH + GAP) + GAP
    height = len(table) * (HEIGHT + DROP)
    centre = {
        x: ((width - len(row) * (WIDTH + GAP)) / 2 + (i + 0.5) * (WIDTH + GAP), r * (HEIGHT + DROP) + DROP / 2)
        for r, row in enumerate(table)
        for i, x in enumerate(row)
    }
    arrows = "\n".join(_arrow([centre[x] for x in path]) for path in paths.values())
    boxes = "\n".join(_box(node, *centre[node.number]) for node in nodes)
    loss = nodes[-1]
    return f"""<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}" width="{width:g}" \
height="{height:g}" font-family="sans-serif" font-size="11" fill="{INK}">
<title>{escape(f"{loss.name} = {shown(loss.value)}, made of {len(nodes) - 1} values")}</title>
<defs><marker id="minidl-arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>
{arrows}
{boxes}
</svg>"""


def _arrow(points: list[tuple[float, float]]) -> str:
    """A line from the foot of the first box to the head of the last, through the places that it passes."""
    (x, y), *rest = points
    d = f"M{x:g} {y + HEIGHT:g}"
    y += HEIGHT
    for number, (to, top) in enumerate(rest):
        d += f"C{x:g} {(y + top) / 2:g} {to:g} {(y + top) / 2:g} {to:g} {top:g}"
        x, y = to, top
        if number < len(rest) - 1:  # along the row that is passed by
            y = top + HEIGHT
            d += f"L{x:g} {y:g}"
    return f'<path d="{d}" fill="none" stroke="{LINE}" marker-end="url(#minidl-arrow)"/>'


def _box(node: GraphNode, centre: float, top: float) -> str:
    x = centre - WIDTH / 2
    texts = [(node.name, "bold"), (_kind(node), "normal"), (f"= {summary(node.value)}", "normal")]
    if node.gradient is not None:
        texts.append((f"∂ {summary(node.gradient)}", "normal"))
    lines = "".join(
        f'<text x="{x + 7:g}" y="{top + 14 + 15 * i:g}" font-weight="{weight}">{escape(_short(text))}</text>'
        for i, (text, weight) in enumerate(texts)
    )
    fill = LEAF if node.op is None else RESULT
    dash = ' stroke-dasharray="4 3"' if node.gradient is None else ""
    box = f'<rect x="{x:g}" y="{top:g}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{fill}" stroke="{LINE}"{dash}/>'
    return f"<g><title>{escape(_kind(node))}</title>{box}{lines}</g>"


def _kind(node: GraphNode) -> str:
    """The op, its options, and the shape."""
    options = ", ".join(f"{name}={_option(value)}" for name, value in node.options.items())
    made = "leaf" if node.op is None else f"{node.op}({options})" if options else node.op
    return f"{node.number} · {made} · {shape_of(node.value)}"


def _option(value: object) -> str:
    return "…" if np.size(np.asarray(value, object)) > 1 else str(value)


def _short(text: str) -> str:
    return text if len(text) <= CHARACTERS else text[: CHARACTERS - 1] + "…"


def dot(nodes: Sequence[GraphNode]) -> str:
    """The graph for Graphviz's programs."""
    lines = ["digraph {", "  node [shape=box, fontname=sans, fontsize=10]"]
    for node in nodes:
        parts = [node.name, _kind(node), f"= {summary(node.value)}"]
        parts += [] if node.gradient is None else [f"∂ {summary(node.gradient)}"]
        label = "\\n".join(part.replace("\\", "\\\\").replace('"', '\\"') for part in parts)
        lines.append(f'  {node.number} [label="{label}"]')
    lines += [f"  {i} -> {node.number}" for node in nodes for i in dict.fromkeys(node.inputs)]
    return "\n".join([*lines, "}"])


def html(nodes: Sequence[GraphNode]) -> str:
    """A page with the picture, and below it the numbers of each node."""
    parts = []
    for node in nodes:
        gradient = "" if node.gradient is None else f"<p>gradient of the loss</p><pre>{_numbers(node.gradient)}</pre>"
        parts.append(
            f"<details><summary>{escape(node.name)} <small>{escape(_kind(node))}</small></summary>"
            f"<p>value</p><pre>{_numbers(node.value)}</pre>{gradient}</details>"
        )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(nodes[-1].name)}: the graph</title>
<style>body{{font-family:sans-serif;margin:1.5rem;color:{INK}}} .picture,pre{{overflow-x:auto}}</style>
</head><body><main><h1>{escape(nodes[-1].name)} = {shown(nodes[-1].value)}</h1>
<div class="picture">{svg(nodes)}</div>
<h2>The numbers</h2>
{"".join(parts)}
</main></body></html>
"""


def _numbers(array: np.ndarray) -> str:
    """The numbers, of a large array those at its corners."""
    return escape(np.array2string(array, precision=5, threshold=64, edgeitems=4, suppress_small=False))
