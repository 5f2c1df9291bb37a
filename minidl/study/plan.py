"""The plan of a study: its trials as rows, all known before the first one begins."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import checked_integer
from ..errors import OptionError
from ..system.extras import missing_extra
from .space import Space, config_at, ranges

SAMPLERS = "halton", "tpe"
FIRST = 10  # points that another sampler learns from, and then proposes at once


@dataclass(frozen=True)
class Row:
    """One trial: a `point` of a cell's space, and the `seed` of its training."""

    cell: str
    point: int
    seed: int
    config: str  # JSON


@dataclass(frozen=True)
class Plan:
    """What is to be tried: in each cell, such as a rule, the same points of the unit cube, each with the same seeds.

    Points are Halton's, scrambled by `study_seed`. They are a sequence: those of a plan with more trials begin with
    those of one with fewer. A `sampler` other than "halton" proposes points later, by what the first ones gave.
    """

    cells: Mapping[str, Space]
    trials: int
    seeds: Sequence[int]
    study_seed: int = 0
    sampler: str = "halton"

    def rows(self) -> Iterator[Row]:
        """The trials that are known beforehand, those of one point together, so that what is done so far compares."""
        count = self.trials if self.sampler == "halton" else min(self.trials, FIRST)
        widest = max((len(ranges(space)) for space in self.cells.values()), default=0)
        for number, point in enumerate(halton(count, widest, self.study_seed)):
            for cell, space in self.cells.items():
                config = json.dumps(config_at(space, point))
                yield from (Row(cell, number, seed, config) for seed in self.seeds)

    def described(self) -> dict[str, Any]:
        """What makes two plans the same study, as JSON values: all but how many trials."""
        cells = {
            cell: {name: {"range": str(each)} if name in ranges(space) else each for name, each in space.items()}
            for cell, space in self.cells.items()
        }
        return {"cells": cells, "seeds": list(self.seeds), "study_seed": self.study_seed, "sampler": self.sampler}


def plan(
    space: Mapping[str, Any], trials: int, seeds: int | Sequence[int], study_seed: int = 0, sampler: str = "halton"
) -> Plan:
    """A checked plan, see `Study` for the arguments. Raises `OptionError`."""
    nested = [name for name, each in space.items() if isinstance(each, Mapping)]
    if nested and len(nested) < len(space):
        raise OptionError(f"Study: space: {nested[0]!r} is a space of its own, so all of {list(space)} have to be")
    cells = dict(space) if nested else {"": dict(space)}
    trials = checked_integer(trials, "Study: trials", 1)
    if not isinstance(seeds, Sequence):
        seeds = range(checked_integer(seeds, "Study: seeds", 1))
    seeds = [checked_integer(seed, "Study: seeds: each", 0) for seed in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        raise OptionError(f"Study: seeds: give at least one, and each once, got {seeds}")
    try:
        json.dumps([config_at(each, [0.0] * len(ranges(each))) for each in cells.values()])
    except (TypeError, ValueError) as error:
        raise OptionError(f"Study: space: values are numbers, text, lists and the like, for JSON: {error}") from error
    if sampler not in SAMPLERS:
        raise OptionError(f"Study: sampler={sampler!r}: choose one of {', '.join(map(repr, SAMPLERS))}")
    return Plan(cells, trials, seeds, study_seed, sampler)


def halton(count: int, dimensions: int, seed: int) -> np.ndarray:
    """`count` points of the unit cube, (count, dimensions), that fill it evenly: Halton 1960, scrambled.

    Raises `MissingExtraError` without SciPy.
    """
    try:
        from scipy.stats import qmc
    except ImportError as error:
        raise missing_extra("studies need SciPy", "scipy", "study", error) from error
    if not dimensions:
        return np.empty((count, 0))
    points: np.ndarray = qmc.Halton(dimensions, scramble=True, seed=seed).random(count)
    return points
