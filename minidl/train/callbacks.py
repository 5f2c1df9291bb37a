"""Callbacks: what `fit` calls while it trains, in the order in which they were given."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..nn import Module
from .history import History
from .metrics import RunningMetrics


@dataclass
class Run:
    """A running `fit`, as its callbacks see it.

    `epoch` counts from 1, `batch` is the number of the epoch's batches done; `step` is the number of updates
    made in all, `steps` how many there are in an epoch. Steps may be made in blocks, whose numbers are checked at the
    end: `verify` checks now that those of all steps so far are finite. Call it before you keep any of them.
    """

    model: Module
    optimizer: Any
    epochs: int
    steps: int
    validation: Any = None  # the data that `fit` was given to validate on
    epoch: int = 0
    batch: int = 0
    step: int = 0
    order: Any = None  # the permutation in which this epoch takes the samples, see `Loader.order`
    metrics: RunningMetrics = field(default_factory=RunningMetrics)  # of this epoch
    lr: float = 0.0  # of the last step
    loss: Any = None  # the last step's: reading it off a GPU waits for the GPU
    history: History = field(default_factory=History)
    stopped: str | None = None  # the reason given to `stop`
    straight: bool = False  # whether machine code adds in plain order, as the first version did: for its checkpoints
    keep_gradients: bool = True  # whether callbacks may read gradients between two blocks of steps
    steps_by_engine: Counter[str] = field(default_factory=Counter)  # of this epoch
    verify: Callable[[], None] = lambda: None

    def stop(self, reason: str) -> None:
        """End training after this step; `reason` is what `fit` will say."""
        self.stopped = reason

    def main_engine(self) -> str | None:
        """The engine that made most of this epoch's steps; None if there were no steps."""
        return max(self.steps_by_engine, key=lambda name: self.steps_by_engine[name], default=None)


class Callback:
    """Base of callbacks: override what you need. A plain function of a `Run` serves as an ``on_epoch``."""

    def on_start(self, run: Run) -> None:
        """Before the first step."""

    def on_gradients(self, run: Run) -> None:
        """Between backward and update: look at each parameter's ``grad``, change it in place, or put another there.

        That is where gradients are clipped, logged or projected. The update that follows takes what is there then. The
        steps are made one by one, compiled where they can be; the numbers are checked (``fit(on_nonfinite=)``)
        afterwards, so that what this repairs counts as sound.
        """

    def on_step(self, run: Run) -> None:
        """After each update; gradients are still there. Training then takes its steps one by one, and eagerly."""

    def overrides(self, name: str) -> bool:
        """Whether the method `name` was overridden in a subclass or set on this callback: it has to be called then."""
        return name in vars(self) or getattr(type(self), name) is not getattr(Callback, name)

    def on_pause(self, run: Run) -> None:
        """Between two updates, several times a second, and after `interval` updates at the latest."""

    def interval(self, run: Run) -> int | None:
        """How many updates may be made before the next `on_pause`; None: as many as a fraction of a second takes."""
        return None

    def on_epoch(self, run: Run) -> None:
        """After each epoch; its row is ``run.history[-1]``."""

    def on_end(self, run: Run) -> None:
        """After the last step, also if training was stopped or failed."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training is to give back to this callback: JSON values and NumPy arrays, by name."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave when the training that is resumed was saved; `on_start` came before."""
