"""The history of a training, epoch by epoch, as plain data."""

import base64
import difflib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..display.figures import as_bytes
from ..display.tables import html_line, html_of
from ..errors import MissingExtraError, UnknownNameError
from .learning_curve import curve


class History:
    """One row (a dict of numbers) per epoch: ``history[-1]``, ``history["validation_loss"]``, ``len(history)``.

    Rows hold: epoch (from 1), step (updates made so far), lr (of the epoch's last update), loss and accuracy
    (means over the epoch's samples, as they were seen in training; for floating targets mean_absolute_error and r2, or
    exact_match, instead of the latter, see `evaluate`), what `fit` was given as ``metrics=``; the same with
    ``validation_`` before it (after the epoch, in evaluation mode), seconds, and engine, which made most of the epoch's
    steps: "eager", "replay" (a compiled step by NumPy), "machine code" or "cuda graph". Accuracies are shares, 0 to 1;
    what was not measured is absent, as is skipped, the number of batches left out, where there were none.

    ``history[name]`` has None for the epochs that lack it, and `history.history` all columns in a dict, as Keras has
    them. In a notebook it shows itself as a curve. `reason` says why steps were eager, if they were and that
    was not asked for; else it is None.

    Args:
        rows: to begin with; none by default.

    Raises:
        UnknownNameError: ``history[name]`` of a name that no epoch has; a ``KeyError`` that lists those there are.
            Only "skipped" is always allowed.
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        self.rows = rows or []
        self.reason: str | None = None

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self.rows[key]
        names = self._names()
        if self.rows and key not in (*names, "skipped"):
            close = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UnknownNameError(f"history: no epoch has {key!r}; there are {', '.join(names)}{hint}")
        return [row.get(key) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"History({len(self)} epochs{': ' + sentence(self.rows[-1]) if self.rows else ''})"

    @property
    def history(self) -> dict[str, list[Any]]:
        """The columns, by name, each with an entry for every epoch: ``pandas.DataFrame(history.history)``."""
        return {name: self[name] for name in self._names()}

    def plot(self) -> Any:
        """The learning curve: loss, and what else was measured, for training and validation.

        Returns:
            A matplotlib ``Figure``, which a notebook shows and ``savefig(path)`` writes.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return curve(self)

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def _repr_html_(self) -> str:
        """The curve; without matplotlib, or with less than two epochs, a table."""
        if len(self) > 1:
            with suppress(MissingExtraError):
                picture = base64.b64encode(as_bytes(curve(self), "svg")).decode()
                return f'<img src="data:image/svg+xml;base64,{picture}">{html_line(sentence(self.rows[-1]))}'
        if not self.rows:
            return html_line(repr(self))
        columns = self.history
        rows = [[_cell(values[i]) for values in columns.values()] for i in range(len(self))]
        return html_of([list(columns), *rows], ">" * len(columns))

    def save(self, path: str | Path) -> None:
        """Write one JSON object per line.

        Args:
            path: of the file, which is replaced if it is there.

        Raises:
            OSError: the file cannot be written.
        """
        Path(path).write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def sentence(row: dict[str, Any]) -> str:
    """One row as a line to print."""
    parts = [f"epoch {row['epoch']}", f"loss {row['loss']:.4f}"]
    if "accuracy" in row:
        parts.append(f"acc {row['accuracy']:.2%}")
    parts += _others(row, "")
    if "validation_loss" in row:
        parts.append(f"val loss {row['validation_loss']:.4f}")
    if "validation_accuracy" in row:
        parts.append(f"val acc {row['validation_accuracy']:.2%}")
    parts += _others(row, "validation_")
    if "skipped" in row:
        parts.append(f"{row['skipped']} batch{'es' * (row['skipped'] > 1)} skipped")
    return "  ".join([*parts, f"{row['seconds']:.1f} s"])


_TOLD = {*"epoch step lr loss accuracy skipped seconds engine".split()}  # by the rest of the sentence, or not at all
_SHORT = {"mean_absolute_error": "MAE", "r2": "R2"}


def _others(row: dict[str, Any], before: str) -> list[str]:
    """What else was measured, in words; `before` is "validation_" for what was then, else ""."""
    here = {name: name.removeprefix(before) for name in row if name.startswith("validation_") is bool(before)}
    told = {name: short for name, short in here.items() if short not in _TOLD}
    said = "val " if before else ""
    return [
        f"{said}{_SHORT.get(short, short.replace('_', ' '))} {row[name]:{'.2%' if short == 'exact_match' else '.4f'}}"
        for name, short in told.items()
    ]
