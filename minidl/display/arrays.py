"""A Tensor in a notebook: its numbers as a table, and what else there is to know of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .tables import html_of, html_text

_MOST = 8  # rows and columns that are shown whole; of more the first and last _EDGE
_EDGE = 3


def html_of_array(array: np.ndarray, facts: str) -> str:
    """A vector as a row of numbers, a matrix as rows, all else as NumPy prints it; with the `facts` below."""
    if array.ndim not in (1, 2) or not array.size:
        return html_text(f"{np.array2string(array, separator=', ', threshold=100)}\n{facts}")
    matrix = np.atleast_2d(array)
    rows, columns = map(_shown, matrix.shape)
    head = ["", *map(_number, columns)]
    body = [[_number(i), *("…" if None in (i, j) else _digits(matrix[i, j]) for j in columns)] for i in rows]
    if array.ndim == 1:
        head, body = head[1:], [body[0][1:]]
    return html_of([head, *body], ">" * len(head), facts)


def _shown(count: int) -> Sequence[Any]:
    """The numbers of the rows or columns to show; None for those left out."""
    return range(count) if count <= _MOST else [*range(_EDGE), None, *range(count - _EDGE, count)]


def _number(i: int | None) -> str:
    return "…" if i is None else str(i)


def _digits(x: Any) -> str:
    return f"{x:.4g}" if x.dtype.kind == "f" else str(x)
