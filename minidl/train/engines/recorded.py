"""Training steps of any model and loss: recorded for two batches, and replayed from there on."""

from collections.abc import Callable
from typing import Any

from ...data import Loader
from ...errors import OptionError
from ..callbacks import Callback, Run
from .eager import Eager


class Recorded(Eager):
    """Makes the same updates as `Eager`, by recorded `steps` (compiler/tape/step.py).

    Raises `OptionError` where they cannot be recorded: they were asked for.
    """

    def __init__(
        self,
        run: Run,
        loader: Loader,
        loss: Callable[[Any, Any], Any],
        watchers: list[Callback],
        steps: Any,
    ) -> None:
        super().__init__(run, loader, loss, watchers)
        self._steps = steps

    def differentiate(self, x: Any, y: Any) -> Any:
        """Forward, loss, backward and the on_gradients callbacks for one batch; returns the model's output."""
        run = self.run
        run.lr = run.optimizer.lr
        run.loss = self._steps.differentiate(x, y)
        reason = self._steps.reason
        if reason is not None and not self._steps.recording:
            raise OptionError(f"fit: compile=True: {reason}; leave compile out, and such training runs eagerly")
        self.engine = self._steps.engine
        for watcher in self._on_gradients:
            watcher.on_gradients(run)
        return self._steps.output
