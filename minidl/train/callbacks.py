"""Callbacks: what `fit` calls while it trains, in the order in which they were given."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..nn import Module
from .history import History
from .metrics import Tally


@dataclass
class Run:
    """What a callback sees of a running `fit`.

    `epoch` counts from 1, `batch` is the number of the epoch's batches done; `step` is the number of updates
    made in all, `steps` how many there are in an epoch. `settle` makes sure that the numbers of all steps so far are
    finite: call it before you keep them.
    """

    model: Module
    optimizer: Any
    epochs: int
    steps: int
    validation: Any = None  # what `fit` was given to validate on
    epoch: int = 0
    batch: int = 0
    step: int = 0
    order: Any = None  # in which this epoch takes the samples, see `Loader.order`
    tally: Tally = field(default_factory=Tally)  # of this epoch
    lr: float = 0.0  # of the last step
    loss: Any = None  # the last step's: reading it off a GPU waits for the GPU
    history: History = field(default_factory=History)
    stopped: str | None = None
    straight: bool = False  # whether sums over inputs without zeros go straight on, as in runs of the first version
    watched: bool = True  # whether callbacks may look at gradients between two stretches of steps
    made: Counter[str] = field(default_factory=Counter)  # how many of this epoch's steps each engine has made
    settle: Callable[[], None] = lambda: None

    def stop(self, reason: str) -> None:
        """End training after this step; `reason` is what `fit` will say."""
        self.stopped = reason

    def most_made(self) -> dict[str, str]:
        """The engine that has made most of this epoch's steps, as an entry of its row; nothing if there were none."""
        return {"engine": max(self.made, key=lambda name: self.made[name])} if self.made else {}


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
