"""The passes of any model and loss: recorded for two batches, and replayed from there on."""

from typing import Any

from ...autograd import wrap
from ...errors import OptionError
from ..callbacks import Run
from .eager import Passes


class RecordedPasses(Passes):
    """The same as `EagerPasses`, to the same bits, by recorded `steps` (compiler/tape/step.py).

    Where they cannot be recorded they are made eagerly, and the run's history says why; if they are `required`, that is
    an `OptionError`.
    """

    def __init__(self, run: Run, steps: Any, required: bool) -> None:
        self._run, self._steps, self._required = run, steps, required
        self.engine = "eager"

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        steps = self._steps
        loss = steps.differentiate(x, y)
        self.engine = steps.engine
        if steps.reason is not None and not steps.recording:
            explain_eager(self._run, steps.reason, self._required)
        return wrap(loss), steps.output


def explain_eager(run: Run, reason: str, required: bool) -> None:
    """Note in the history why steps are eager. Raises `OptionError` if compiled ones are `required`."""
    if required:
        raise OptionError(f"fit: compile=True: {reason}; leave compile out, and such training runs eagerly")
    run.history.reason = reason
