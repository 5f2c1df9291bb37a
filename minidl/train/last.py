"""What a training leaves when it does not return: its history."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import StateError, TrainingInterrupted
from .callbacks import Run
from .history import History

_of_this_thread = threading.local()


@contextmanager
def keeping_history(run: Run) -> Iterator[None]:
    """Within the block Ctrl-C raises `TrainingInterrupted`, and `last_history` is that of `run` afterwards."""
    try:
        yield
    except KeyboardInterrupt as error:
        if type(error) is not KeyboardInterrupt:
            raise
        raise TrainingInterrupted(
            f"epoch {run.epoch}, step {run.step:,}; history so far: train.last_history()", run.history
        ) from None
    finally:
        _of_this_thread.history = run.history


def last_history() -> History:
    """The history of this thread's last `fit`, also if that did not return: interrupted by Ctrl-C, or failed.

    Raises:
        StateError: there was none.
    """
    history: History | None = getattr(_of_this_thread, "history", None)
    if history is None:
        raise StateError("last_history: no training has ended in this thread yet")
    return history
