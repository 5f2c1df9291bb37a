"""What came out of a study: the best settings, columns, files."""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..display.tables import lines_of
from ..errors import MissingExtraError, OptionError, WriteError
from ..train.monitoring import Mode, sign_of

_ALWAYS = "id", "cell", "point", "seed"
_ALSO = "state", "attempts", "seconds", "error"


@dataclass(frozen=True)
class Best:
    """The point that is best: `value` is the median of its metric over the seeds, `values` what each seed gave."""

    cell: str
    point: int
    config: dict[str, Any]
    value: float
    values: tuple[float, ...]


def sense(metric: str, mode: Mode | None = None) -> int:
    """1 for a metric of which less is better, -1 for one of which more is; of unknown ones less, if no `mode` tells."""
    try:
        return sign_of("best", metric, mode)
    except OptionError:
        if mode is not None:
            raise
        return 1


def best_of(rows: Iterable[Mapping[str, Any]], metric: str, sign: int) -> Best:
    """The best of the trials in `rows` by the median over seeds; one without a finite number counts as worst.

    Raises `OptionError` if no trial measures `metric`.
    """
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    configs: dict[tuple[str, int], dict[str, Any]] = {}
    named: dict[str, None] = {}
    for row in rows:
        named |= dict.fromkeys(row["result"])
        value = row["result"].get(metric)
        key = row["cell"], row["point"]
        values[key].append(sign * math.inf if value is None else float(value))
        configs[key] = row["config"]
    if metric not in named:
        raise OptionError(f"best: no trial measures {metric!r}; there are {', '.join(named) or 'no results yet'}")
    most = max(map(len, values.values()))
    complete = [key for key in values if len(values[key]) == most]  # a point with fewer seeds would be favoured by luck
    best = min(complete, key=lambda key: sign * float(np.median(values[key])))
    return Best(*best, configs[best], float(np.median(values[best])), tuple(values[best]))


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """A column for each thing that is known of the trials: NaN where a number is missing, None where another is."""
    configs = list(dict.fromkeys(name for row in rows for name in row["config"]))
    results = list(dict.fromkeys(name for row in rows for name in row["result"]))
    found: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in _ALWAYS}
    for name in configs:
        found[name if name not in found else f"config.{name}"] = [row["config"].get(name) for row in rows]
    for name in results:
        found[name if name not in found else f"result.{name}"] = [row["result"].get(name) for row in rows]
    found |= {name: [row[name] for row in rows] for name in _ALSO}
    return {name: _array(values) for name, values in found.items()}


def _array(values: list[Any]) -> np.ndarray:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and (kinds or not values):
        if None in values or float in kinds:
            return np.array([math.nan if value is None else value for value in values], float)
        return np.array(values, int)
    array = np.empty(len(values), object)
    array[:] = values
    return array


def write_csv(table: Mapping[str, np.ndarray], path: Path) -> None:
    """A line for each trial; lists as JSON. Raises `WriteError`."""
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(table)
            for row in zip(*table.values(), strict=True):
                writer.writerow([json.dumps(value) if isinstance(value, list) else value for value in row])
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror})") from error


def write_parquet(table: Mapping[str, np.ndarray], path: Path) -> None:
    """The same as a Parquet file. Raises `MissingExtraError` without pyarrow, `WriteError`."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("Parquet files need pyarrow: pip install pyarrow; or write CSV") from error
    try:
        parquet.write_table(pyarrow.table({name: pyarrow.array(list(values)) for name, values in table.items()}), path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror or error})") from error


def text(rows: Sequence[Mapping[str, Any]], searched: Iterable[str], metric: str, sign: int, most: int) -> str:
    """The best `most` points, a line each: settings, median over the seeds, least and largest, what went wrong."""
    searched = list(searched)
    points: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        points[row["cell"], row["point"]].append(row)
    worst = sign * math.inf
    heading = ["cell", *searched, f"{metric}: median", "least", "largest", "seeds", "bad"]
    lines = []
    for (cell, _), some in points.items():
        values = [worst if row["result"].get(metric) is None else float(row["result"][metric]) for row in some]
        bad = sum(row["state"] != "done" for row in some)
        settings = [_cell(some[0]["config"].get(name, "")) for name in searched]
        numbers = [float(np.median(values)), min(values), max(values)]
        lines.append((sign * numbers[0], [cell, *settings, *map(_cell, numbers), str(len(some)), str(bad or "")]))
    lines.sort(key=lambda each: each[0])
    table = [heading, *(line for _, line in lines[:most])]
    if not any(line[0] for line in table[1:]):
        table = [line[1:] for line in table]
    align = "<" * (len(table[0]) - 5 - len(searched)) + ">" * (5 + len(searched))
    return "\n".join(lines_of(table, align, width=10**6))


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
