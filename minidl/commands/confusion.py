"""What ``minidl evaluate --confusion`` shows: what a model takes for what, in 80 columns and as a picture."""

from pathlib import Path

import numpy as np

from .. import plots
from ..data import Dataset
from ..display.tables import WIDTH, lines_of
from ..errors import MissingExtraError
from ..nn import Module
from ..system.terminal import printable, tell
from ..train.judging import confusion_matrix

_MOST = 20  # pairs of classes that are listed where the matrix is too wide
FILE = "confusion.png"


def show_confusion(model: Module, test: Dataset, folder: Path) -> None:
    """Print the confusion matrix of `model` on `test`, and leave its picture in `folder`.

    Where the matrix is too wide for a terminal, the commonest mistakes are listed. Without matplotlib there is no
    picture, and a line says so. Raises ``OSError`` if it cannot be written.
    """
    counts = confusion_matrix(model, test)
    names = tuple(map(printable, test.classes))
    lines = _matrix(counts, names)
    if max(map(len, lines)) > WIDTH:
        lines = _pairs(counts, names)
    tell("\n".join(["", *lines, ""]))
    try:
        plots.confusion(model, test).savefig(folder / FILE)
        tell(f"{printable(folder / FILE)}: the same as a picture")
    except MissingExtraError as error:
        tell(f"(no {FILE}: {error})")


def _matrix(counts: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """A row for each true class: how often it was taken for each, and how often it was right."""
    numbers = [str(i) for i in range(len(names))]
    named = [name if name == number else f"{number} {name}" for number, name in zip(numbers, names, strict=True)]
    rows = [
        (name, *(str(n) if n else "." for n in row), f"{row[i] / max(row.sum(), 1):.1%}")
        for i, (name, row) in enumerate(zip(named, counts, strict=True))
    ]
    return lines_of([("true", *numbers, "right"), *rows], "<" + ">" * (len(names) + 1), width=10**6)


def _pairs(counts: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """The commonest mistakes, one a line."""
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST]
    pairs = [tuple(map(int, np.unravel_index(place, wrong.shape))) for place in order if wrong.flat[place]]
    rows = [(names[i], names[j], str(counts[i, j]), f"{counts[i, j] / counts[i].sum():.1%}") for i, j in pairs]
    return lines_of([("true", "predicted", "times", "of the true class"), *rows], "<<>>")
