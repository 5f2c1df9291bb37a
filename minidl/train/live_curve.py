"""The learning curve of a training that goes on, in a notebook."""

import time

from ..display.figures import load_figure
from ..display.notebook import Output, in_notebook
from ..errors import OptionError
from .callbacks import Callback, Run

PERIOD = 1.0  # seconds: drawing takes a tenth of one


class LiveCurve(Callback):
    """Draws the learning curve below the cell, and again as epochs end: ``fit(..., callbacks=[train.LiveCurve()])``.

    At most once a second. It takes a notebook and the extra `plot`; elsewhere ``history.plot()`` draws it afterwards.
    """

    def on_start(self, run: Run) -> None:
        """Raise `OptionError` where there is no notebook, and `MissingExtraError` if matplotlib is not installed."""
        if not in_notebook():
            raise OptionError("LiveCurve: draws in a notebook, and this is none: history.plot() draws the curve later")
        load_figure()
        self.output = Output()
        self.drawn = 0.0

    def on_epoch(self, run: Run) -> None:
        """Draw, unless that was done a moment ago."""
        if time.perf_counter() - self.drawn >= PERIOD:
            self.output.show(run.history)
            self.drawn = time.perf_counter()

    def on_end(self, run: Run) -> None:
        """Draw what there is."""
        if len(run.history):
            self.output.show(run.history)
