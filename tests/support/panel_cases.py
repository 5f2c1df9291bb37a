"""A study of four panels whose trainings are formulas: what a rule loses is told by its settings alone."""

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from minidl.study.carry import carry
from minidl.study.executors import Crew
from minidl.study.four_panels import FourPanels
from minidl.study.panels import Tier
from minidl.study.pickling import pickled
from minidl.study.table import opened

TINY = Tier("smoke", 4, 1, 500, (8,), 6, 200, 100)


def by_formula(config, seed):
    """Losses that are least at a rate of 0.01; NAdam is best, and one run in ten diverges."""
    away = abs(math.log10(config["lr"]) + 2)
    noise = ((seed * 7919) % 97) / 97
    better = {"NAdam": -0.3, "SGD": 0.2}.get(config["rule"], 0.0)
    loss = 1 + 0.2 * away + 0.01 * noise + better
    curve = {"curve_loss": [loss + 1, loss], "curve_error": [0.5, 0.01 + 0.001 * seed % 0.05]}
    return {"loss": math.nan if away > 2.1 else loss, "error": loss / 10, "updates": 4} | curve


def momentum_needs_more(config, seed):
    """Momentum is worse than SGD unless its rate is above what its space holds."""
    if config["rule"] == "Momentum":
        return by_formula(config, seed) | {"loss": 3.0 - math.log10(config["lr"]) + seed % 7 / 100}
    return by_formula(config, seed)


@contextmanager
def four_panels(folder, train=by_formula, tier=TINY, workloads=("mnist",)):
    """Such a study, carried out."""
    with opened(folder) as table, ThreadPoolExecutor(1) as executor:
        panels = FourPanels(table, tier, workloads)
        crew = Crew(1, lambda: executor)
        panels.carry_out(lambda: carry(table, pickled(train), crew, folder, None, progress=False))
        yield panels
