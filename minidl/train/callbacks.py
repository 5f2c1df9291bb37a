"""Callbacks: code that `fit` calls while it trains; and `Run`, the training as they see it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..data.stream import UNKNOWN
from ..nn import Module
from .history import History
from .metrics import RunningMetrics


@dataclass
class Run:
    """A running `fit`, as its callbacks see it.

    `epoch` counts from 1, `batch` is the number of the epoch's batches done; `step` is the number of updates
    made in all, `steps` how many there are in an epoch (of streamed batches without a length ``sys.maxsize``, until it
    ends). A batch is what makes an update: all of those that ``fit(accumulate=)`` joins. Steps may be made in blocks,
    whose numbers are checked at the end: `verify` checks now that those of all steps so far are finite. Call it before
    you keep any of them.
    """

    model: Module
    optimizer: Any
    epochs: int
    steps: int
    validation: Any = None  # the data that `fit` was given to validate on
    measures: dict[str, Callable[[Any, Any], Any]] = field(default_factory=dict)  # metrics of the user's own
    epoch: int = 0
    batch: int = 0
    step: int = 0
    order: Any = None  # the permutation in which this epoch takes the samples, see `Loader.order`
    transform_seed: int | None = None  # what this epoch's inputs are made from, see `Loader.transform_seed`
    inputs: Any = None  # this epoch's, (N, D), if the training set has a transform; written over by the next epoch's
    inputs_seed: int | None = None  # the `transform_seed` that `inputs` were made from
    metrics: RunningMetrics = field(default_factory=RunningMetrics)  # of this epoch
    lr: float = 0.0  # of the last step
    loss: Any = None  # the last step's, a Tensor: reading it off a GPU waits for the GPU
    history: History = field(default_factory=History)
    stopped: str | None = None  # the reason given to `stop`
    straight: bool = False  # whether machine code adds in plain order, as the first version did: for its checkpoints
    micro_batch: int | None = None  # samples in a forward pass, if an update's batch takes several (accumulate=)
    keep_gradients: bool = True  # whether callbacks may read gradients between two blocks of steps
    steps_by_engine: Counter[str] = field(default_factory=Counter)  # of this epoch
    saved: int | None = None  # the step of the last checkpoint
    ranks: Any = None  # the processes that make the steps together, see parallel/training.py; None: this one alone
    verify: Callable[[], None] = lambda: None

    @property
    def total(self) -> int | None:
        """The updates of all epochs; None for streamed batches of which nobody knows how many there are."""
        return None if self.steps == UNKNOWN else self.epochs * self.steps

    def stop(self, reason: str) -> None:
        """End training after this step.

        Args:
            reason: what `fit` prints.
        """
        self.stopped = reason

    def main_engine(self) -> str | None:
        """The engine that made most of this epoch's steps; None if there were no steps."""
        return max(self.steps_by_engine, key=lambda name: self.steps_by_engine[name], default=None)


class Callback:
    """Base of callbacks: override what you need. A plain function of a `Run` serves as an ``on_epoch``.

    Each method is called for all callbacks of a `fit` in the order in which they were given. What a method raises
    ends training.
    """

    def on_start(self, run: Run) -> None:
        """Called before the first step.

        Args:
            run: the training that begins. Check here what it lacks, and raise `OptionError` for that.
        """

    def on_gradients(self, run: Run) -> None:
        """Called between backward and update: to clip, log or project gradients.

        With it, steps are made one by one, compiled where they can be. The numbers are checked
        (``fit(on_nonfinite=)``) afterwards, so that what this repairs counts as sound.

        Args:
            run: read each parameter's ``grad``, change it in place, or assign another: the update uses what is there.
        """

    def on_step(self, run: Run) -> None:
        """Called after each update, with gradients still there. With it, steps are made one by one
        (compiled ones too, but for those on a GPU).

        Args:
            run: ``run.step`` counts the update that was just made, ``run.loss`` is the loss before it.
        """

    def overrides(self, name: str) -> bool:
        """Whether a method has to be called, since a subclass overrides it or it was set on this callback.

        Args:
            name: of a method of this class.

        Returns:
            False if calling it would do nothing.
        """
        return name in vars(self) or getattr(type(self), name) is not getattr(Callback, name)

    def on_pause(self, run: Run) -> None:
        """Called between two updates, several times a second, and after `interval` updates at the latest.

        Args:
            run: call ``run.verify()`` before you keep any of its numbers.
        """

    def interval(self, run: Run) -> int | None:
        """Asked before each block of updates: how many may be made before the next `on_pause`.

        Args:
            run: where training is now.

        Returns:
            A number of updates, at least 1, or None for as many as a fraction of a second takes.
        """
        return None

    def on_epoch(self, run: Run) -> None:
        """Called after each epoch.

        Args:
            run: ``run.history[-1]`` is the epoch's row; ``run.stop(reason)`` ends training.
        """

    def on_end(self, run: Run) -> None:
        """Called after the last step, also if training was stopped or failed.

        Args:
            run: ``run.stopped`` is the reason if a callback has ended training.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint is to hold of this callback.

        Returns:
            JSON values and NumPy arrays, by name; empty if there is nothing to remember.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state when a run is resumed; `on_start` was called before.

        Args:
            state: what `state_dict` returned when the checkpoint was saved.
        """
