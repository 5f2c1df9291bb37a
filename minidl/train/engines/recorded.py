"""Training steps of any model and loss: recorded for two batches, and replayed from there on."""

from collections.abc import Callable
from typing import Any

from ...data import Loader
from ...errors import OptionError
from ..callbacks import Callback, Run
from .eager import Eager


class Recorded(Eager):
    """Makes the same updates as `Eager`, by the recorded `steps` (compiler/tape/step.py) where they can be.

    `required`: raise `OptionError` if they cannot.
    """

    def __init__(
        self,
        run: Run,
        loader: Loader,
        loss: Callable[[Any, Any], Any],
        watchers: list[Callback],
        steps: Any,
        required: bool,
    ) -> None:
        super().__init__(run, loader, loss, watchers)
        self._steps, self._required = steps, required

    def differentiate(self, x: Any, y: Any) -> Any:
        """Forward, loss, backward and the on_gradients callbacks for one batch; returns the model's output."""
        run = self.run
        run.lr = run.optimizer.lr
        run.loss = self._steps.differentiate(x, y)
        reason = self._steps.reason
        if reason is not None and not self._steps.recording:
            if self._required:
                raise OptionError(f"fit: compile=True: {reason}; leave compile out, and such training runs eagerly")
            run.history.reason = reason
        self.engine = self._steps.engine
        for watcher in self._on_gradients:
            watcher.on_gradients(run)
        return self._steps.output
