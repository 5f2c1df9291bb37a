"""A model and a loss of a user's own: a residual network of tanh, with the mean of the squared errors."""

from typing import Any

from ..runner import Bench
from ..workloads import RESIDUAL
from . import loops
from .steps import measure

STEPS = 2000


def collect(bench: Bench) -> dict[str, Any]:
    """As the section loops does."""
    return {RESIDUAL.name: measure(bench, "models", RESIDUAL, steps=24 if bench.smoke else STEPS)}


work = loops.work
