"""Training steps one by one: forward, loss, backward, update."""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

from ...data import Loader
from ...nn._shared_batch import part_of_loss
from ..callbacks import Callback, Run
from ..metrics import RunningMetrics
from .accumulation import in_parts

PAUSE = 0.1  # seconds after which `advance` returns, so that callbacks get their turn


def batches(loader: Loader, run: Run, last: int) -> Iterator[tuple[Any, Any]]:
    """This epoch's batches, from the next one up to number `last`."""
    if run.inputs is None:  # the argument may be new to a Loader of the user's
        return loader.batches(run.order, run.batch, last)
    return loader.batches(run.order, run.batch, last, run.inputs)


class Passes(Protocol):
    """Forward, loss and backward of a batch, or of a part of it.

    They return the loss and the model's output, and leave the gradients in place.
    """

    engine: str  # what made the last ones: the name that `History` shows
    counted: RunningMetrics | None = None  # of the whole batch, if their output is of a part of it only

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]: ...


class EagerPasses(Passes):
    """The passes, op by op."""

    engine = "eager"

    def __init__(self, run: Run, loss: Callable[[Any, Any], Any]) -> None:
        self._run, self._loss = run, loss

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        run = self._run
        run.optimizer.zero_grad()
        output = run.model(x)
        loss = self._loss(output, y)
        loss.backward()
        return loss, output


def loss_here(run: Run, loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """What this process's passes are to differentiate: the loss, or its share of it."""
    return loss if run.ranks is None else partial(part_of_loss, loss)


def whole(run: Run, passes: Passes, loss: Callable[[Any, Any], Any]) -> Passes:
    """Passes of whole batches: made in parts if gradients are accumulated, by several processes if there are."""
    return in_parts(run, passes) if run.ranks is None else run.ranks.passes(run, passes, loss)


class Eager:
    """Makes the updates of a run one by one, and calls the `watchers` in each; `passes`: eager ones if not given."""

    def __init__(
        self,
        run: Run,
        loader: Loader,
        loss: Callable[[Any, Any], Any],
        watchers: list[Callback],
        passes: Passes | None = None,
    ) -> None:
        self.run, self.loader, self.loss = run, loader, loss
        self.passes = whole(run, EagerPasses(run, loss_here(run, loss)), loss) if passes is None else passes
        self._on_gradients = [w for w in watchers if w.overrides("on_gradients")]
        self._on_step = [w for w in watchers if w.overrides("on_step")]

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""
        run = self.run
        until = time.perf_counter() + PAUSE if run.ranks is None else math.inf  # they all go on to `last`
        for x, y in batches(self.loader, run, last):
            self.update(x, y, self.differentiate(x, y))
            if run.stopped is not None or time.perf_counter() > until:
                return
        if run.batch < last:  # batches that are streamed end when they end
            run.steps = run.batch

    def differentiate(self, x: Any, y: Any) -> Any:
        """Forward, loss, backward and the on_gradients callbacks for one batch; returns the model's output."""
        run = self.run
        run.lr = run.optimizer.lr
        run.loss, output = self.passes(x, y)
        for watcher in self._on_gradients:
            watcher.on_gradients(run)
        return output

    def update(self, x: Any, y: Any, output: Any) -> None:
        """Update the parameters, count the batch, and call the on_step callbacks."""
        run = self.run
        run.optimizer.step()
        if self.passes.counted is None:
            run.metrics.add(run.loss, output, y, self.loss)
        else:
            run.metrics.join(self.passes.counted)
        run.steps_by_engine[self.passes.engine] += 1
        run.step += 1
        run.batch += 1
        for watcher in self._on_step:
            watcher.on_step(run)
        if self._on_step and run.ranks is not None:
            run.ranks.agree(run)
