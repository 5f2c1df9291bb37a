"""Where the nodes of a graph stand in its picture: in rows, a node above all that is made from it.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures"
(1981): rows by the longest path, places for edges that pass a row by, and an order in each row by the mean place of
neighbours, swept down and up.
"""

from collections.abc import Sequence
from itertools import pairwise

from .recorded import GraphNode

Edge = tuple[int, int]
SWEEPS = 8


def rows(nodes: Sequence[GraphNode]) -> tuple[list[list[int]], dict[Edge, list[int]]]:
    """The rows of the picture, from above, and for each edge what it passes through, ends included.

    A number below ``len(nodes)`` is a node; a larger one is the place of an edge that passes by.
    """
    depth = _depths(nodes)
    count = max(depth) + 1
    table: list[list[int]] = [[] for _ in range(count)]
    for node in nodes:
        table[depth[node.number]].append(node.number)
    paths: dict[Edge, list[int]] = {}
    new = len(nodes)
    for node in nodes:
        for user in node.users:
            between = range(depth[node.number] + 1, depth[user])
            passed = [new + k for k in range(len(between))]
            new += len(passed)
            for row, place in zip(between, passed, strict=True):
                table[row].append(place)
            paths[node.number, user] = [node.number, *passed, user]
    return _ordered(table, [edge for path in paths.values() for edge in pairwise(path)]), paths


def _depths(nodes: Sequence[GraphNode]) -> list[int]:
    """The row of each node: leaves stand right above what uses them first."""
    above = [0] * len(nodes)  # the longest way to the loss
    for node in reversed(nodes):
        above[node.number] = max((above[user] + 1 for user in node.users), default=0)
    last = max(above)
    return [last - a for a in above]


def _ordered(table: list[list[int]], edges: list[Edge]) -> list[list[int]]:
    """The same rows, each in an order with fewer crossings."""
    ups: dict[int, list[int]] = {}
    downs: dict[int, list[int]] = {}
    for a, b in edges:
        downs.setdefault(a, []).append(b)
        ups.setdefault(b, []).append(a)
    for sweep in range(SWEEPS):
        neighbours, order = (ups, table) if sweep % 2 else (downs, table[::-1])
        place = {x: i - len(row) / 2 for row in table for i, x in enumerate(row)}
        for row in order:
            means = {x: _mean([place[n] for n in neighbours.get(x, ())], place[x]) for x in row}
            row.sort(key=means.__getitem__)
            place |= {x: i - len(row) / 2 for i, x in enumerate(row)}
    return table


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
