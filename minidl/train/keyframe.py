"""The whole state of a training run at one moment, kept in memory: what a checkpoint is on disk."""

from typing import Any, NamedTuple

from .callbacks import Run
from .saving.run_state import Arrays, capture, restore


class Keyframe(NamedTuple):
    """A run between two updates, copied: weights, optimizer, running statistics, random streams, place in the epoch.

    `settings` are those of the optimizer's groups, schedules too, which a checkpoint cannot hold.
    """

    arrays: Arrays
    content: dict[str, Any]
    settings: list[dict[str, Any]]


def take(run: Run) -> Keyframe:
    """Copy the state of `run`."""
    arrays, content = capture(run, (), {})
    content["history"] = list(run.history.rows)
    settings = [{name: x for name, x in group.items() if name != "params"} for group in run.optimizer.groups]
    return Keyframe(arrays, content, settings)


def put_back(run: Run, frame: Keyframe) -> None:
    """Restore `run`, and the random streams, to what `take` has copied, bit for bit."""
    for group, saved in zip(run.optimizer.groups, frame.settings, strict=True):
        group.update(saved)
    restore(run, (), frame.arrays, frame.content)
