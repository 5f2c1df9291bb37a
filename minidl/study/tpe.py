"""Points that Optuna proposes by what was found before: its TPE sampler, asked in batches; its storage is not used.

A batch depends on the results so far and on a seed alone, so that a study that was cut off, or is carried out by more
workers, tries the same points.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..system.extras import missing_extra
from .plan import FIRST, Plan, Row
from .results import sense
from .space import Choice, LogUniform, Range, Space, ranges
from .table import Table


def next_batch(table: Table, plan: Plan) -> Iterator[Row]:
    """The points to try next, each with all seeds; none once there are as many as planned.

    Raises `MissingExtraError` without Optuna.
    """
    metric = table.first_metric()
    made = max((row["point"] for row in table.rows()), default=-1) + 1
    if metric is None or made >= plan.trials:  # nothing has come out that one could learn from, or all is done
        return
    for cell, space in plan.cells.items():
        found = _medians(table, cell, metric)
        configs = _asked(space, found, min(FIRST, plan.trials - made), seed=plan.study_seed + made)
        for number, config in enumerate(configs, made):
            yield from (Row(cell, number, seed, json.dumps(config)) for seed in plan.seeds)


def _medians(table: Table, cell: str, metric: str) -> list[tuple[dict[str, Any], float]]:
    """The settings of each point of a cell and the median of its metric, less being better; inf if it went wrong."""
    sign = sense(metric)
    values: dict[int, list[float]] = defaultdict(list)
    configs: dict[int, dict[str, Any]] = {}
    for row in table.rows("cell = ?", cell):
        value = row["result"].get(metric)
        values[row["point"]].append(math.inf if value is None else sign * float(value))
        configs[row["point"]] = row["config"]
    return [(configs[point], float(np.median(some))) for point, some in values.items()]


def _asked(space: Space, found: list[tuple[dict[str, Any], float]], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """So many new points of a space, proposed by what is known of others."""
    optuna = _optuna()
    searched = {name: _distribution(optuna, each) for name, each in ranges(space).items()}
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    study = optuna.create_study(sampler=sampler)
    finite = [value for _, value in found if math.isfinite(value)]
    worst = max(finite, default=0.0) + 1  # what went wrong counts as worse than all else
    for config, value in found:
        params = {name: config[name] for name in searched}
        told = value if math.isfinite(value) else worst
        study.add_trial(optuna.trial.create_trial(params=params, distributions=searched, value=told))
    for _ in range(count):
        yield _settings(space, study.ask(searched).params)


def _settings(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params.get(name, each) for name, each in space.items()}


def _distribution(optuna: Any, each: Range) -> Any:
    if isinstance(each, Choice):
        return optuna.distributions.CategoricalDistribution(each.values)
    return optuna.distributions.FloatDistribution(each.low, each.high, log=isinstance(each, LogUniform))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise missing_extra("the sampler 'tpe' needs Optuna", "optuna", "tune", error) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
