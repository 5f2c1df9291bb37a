"""Callbacks: what `fit` calls while it trains, in the order in which they were given."""

from dataclasses import dataclass, field
from typing import Any

from ..nn import Module
from .history import History


@dataclass
class Run:
    """What a callback sees of a running `fit`.

    `epoch` counts from 1, `step` is the number of updates made; `steps` is how many there are in an epoch.
    """

    model: Module
    optimizer: Any
    epochs: int
    steps: int
    validation: Any = None  # what `fit` was given to validate on
    epoch: int = 0
    step: int = 0
    loss: Any = None  # the Tensor of the last step's loss: reading it off a GPU waits for the GPU
    history: History = field(default_factory=History)
    stopped: str | None = None

    def stop(self, reason: str) -> None:
        """End training after this step; `reason` is what `fit` will say."""
        self.stopped = reason


class Callback:
    """Base of callbacks: override what you need. A plain function of a `Run` serves as an ``on_epoch``."""

    def on_start(self, run: Run) -> None:
        """Before the first step."""

    def on_step(self, run: Run) -> None:
        """After each update; gradients are still there."""

    def on_epoch(self, run: Run) -> None:
        """After each epoch; its row is ``run.history[-1]``."""

    def on_end(self, run: Run) -> None:
        """After the last step, also if training was stopped or failed."""
