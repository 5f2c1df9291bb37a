"""A training with its past: step by step forward, back to any step bit for bit, and forked where something is changed.

The steps are those of `fit`, by its engines. The state of a run is kept every few steps; what lies between is made
again, which gives the same bits: random streams are part of the state. A loss that comes out otherwise is an error.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..backend import generator, own_streams, restore_rng, rng_state
from ..checks import checked_integer
from ..data import Dataset, Loader
from ..errors import OptionError, StateError
from ..hardware.arithmetic import computing
from ..nn import Module
from ..ops.shape import plain
from ..train import Run
from ..train.engines.choose import choose_engine
from ..train.engines.eager import batches
from ..train.guards.start import check_optimizer
from ..train.keyframe import Keyframe, put_back, take
from ..train.losses import for_batches
from ..train.stepping import begin_epoch, finished_row, in_mid_epoch
from ._backprop.graph import Graph, graph
from ._comparison import Comparison
from ._ledger.entry import Entry
from ._ledger.ledger import Index, ledger

SMALL = 5000  # parameters: of a smaller model every state is kept, ...
EVERY = 20  # ... of a larger one each twentieth
STREAMS = "shuffle", "dropout"  # the random streams of a training
EPOCHS = 10  # of how many an engine should think: nobody knows how far a timeline goes
MEMORY = 200_000_000  # bytes of states, of which every second one goes when they are more

Change = Callable[[Module, Any], object]


class Timeline:
    """A training that can go back: `step`, `back`, `goto`, and `fork` for another course from here.

    `t` counts the updates made up to where it stands; `losses[k]` is the loss of the batch of update k + 1, as before
    it, as far as this timeline has ever been. `model` and `optimizer` hold the state at `t`: look at them, and change
    them by `fork`.

    Args:
        model, optimizer: trained in place, as by `fit`.
        loss: a function of output and labels that returns the batch's mean.
        loader: a `Loader`, or a `Dataset` (in batches of 32).

    Raises `OptionError` for what is none of these.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Any,
        loss: Callable[[Any, Any], Any],
        loader: Loader | Dataset,
    ) -> None:
        if not isinstance(loader, Loader | Dataset):
            raise OptionError(f"Timeline: loader must be a Loader or a Dataset, got a {type(loader).__name__}")
        check_optimizer(model, optimizer)
        self.loader = loader if isinstance(loader, Loader) else Loader(loader, min(32, len(loader)))
        self.loss = for_batches("Timeline", loss, self.loader)
        self.losses: list[float] = []
        self.label = "as it began"
        self._run = Run(model, optimizer, EPOCHS, len(self.loader))
        self._engine = choose_engine(self._run, self.loader, self.loss, [], None)
        for purpose in STREAMS:  # they have to be there, or what they begin with is no part of the first state
            generator(purpose)
        self._rng = rng_state()
        self._every = 1 if sum(p.size for p in model.parameters()) <= SMALL else EVERY
        self._frames: dict[int, Keyframe] = {}
        self._changes: dict[int, list[Change]] = {}  # what is done on arriving after that update, before the next
        with self._inside():
            self._keep()

    @property
    def model(self) -> Module:
        """The model, as it is at `t`."""
        return self._run.model

    @property
    def optimizer(self) -> Any:
        """The optimizer, as it is at `t`."""
        return self._run.optimizer

    @property
    def t(self) -> int:
        """How many updates have been made up to here."""
        return self._run.step

    @property
    def nbytes(self) -> int:
        """The bytes of the states that are kept."""
        shared = {id(array): array.nbytes for frame in self._frames.values() for array in frame.arrays.values()}
        return sum(shared.values())  # an epoch's order of samples is one array for all of its states

    def step(self, steps: int = 1) -> "Timeline":
        """Make so many updates. Returns itself."""
        return self.goto(self.t + checked_integer(steps, "step: steps", 0))

    def back(self, steps: int = 1) -> "Timeline":
        """Go back by so many updates. Returns itself. Raises `OptionError` if there were not so many."""
        steps = checked_integer(steps, "back: steps", 0)
        if steps > self.t:
            raise OptionError(f"back({steps}): only {self.t} updates have been made")
        return self.goto(self.t - steps)

    def goto(self, t: int) -> "Timeline":
        """Go to the state after update number `t`, back or forward. Returns itself.

        Raises `StateError` if a step that is made again gives another loss than it did: something that it depends on is
        not part of the training, such as random numbers that are not minidl's.
        """
        t = checked_integer(t, "goto: t", 0)
        with self._inside():
            nearest = max(k for k in self._frames if k <= t)
            if t < self.t or nearest > self.t:
                put_back(self._run, self._frames[nearest])
                self._arrive()
            while self.t < t:
                self._advance()
        return self

    def fork(self, change: Change | None = None, **hyperparameters: Any) -> "Timeline":
        """Another timeline with the same past, which goes on from here otherwise; this one stays what it is.

        Args:
            change: called with the copied model and optimizer, to change them in place; again whenever the fork passes.
            hyperparameters: the optimizer's from here on, such as ``beta=0.99`` or ``lr=0.1``, in all its groups.

        Raises `OptionError` for a hyperparameter that the optimizer does not have, or a value that it refuses.
        """
        unknown = [name for name in hyperparameters if name not in self.optimizer.groups[0] or name == "params"]
        if unknown:
            known = ", ".join(name for name in self.optimizer.groups[0] if name != "params")
            raise OptionError(f"fork: {type(self.optimizer).__name__} has no {unknown[0]!r}; it has {known}")
        twin = Timeline(*copy.deepcopy((self.model, self.optimizer)), self.loss, self.loader)
        with self._inside():
            here = take(self._run)
        twin._frames = {k: frame for k, frame in self._frames.items() if k < self.t} | {self.t: here}
        twin._changes = {k: list(done) for k, done in self._changes.items() if k < self.t}
        twin.losses = self.losses[: self.t]
        what = [f"{name}={value!r}" for name, value in hyperparameters.items()] + ["changed"] * (change is not None)
        twin.label = f"{', '.join(what) or 'the same'} from step {self.t} on"
        twin._changes[self.t] = [_settings(hyperparameters), *([] if change is None else [change])]
        with twin._inside():
            put_back(twin._run, here)
            twin._arrive()
        return twin

    def entry(self, parameter: Any, index: Index) -> Entry:
        """The ledger's entry of the last update for one element: the rule with its numbers.

        Args:
            parameter: its name, or the Tensor itself.
            index: of the element.

        Raises `OptionError` at the beginning, and for what is no element.
        """
        book = ledger(self.optimizer, [(parameter, index)], dict(self.model.named_parameters()))
        try:
            with self._again():
                self._engine.advance(self._run.batch + 1)
        finally:
            book.detach()
        return book.at(self.t)

    def graph(self, unfold: bool = True) -> Graph:
        """What was recorded for the loss of the last update: see `graph`, and its ``receipt``.

        Raises `OptionError` at the beginning.
        """
        with self._again():
            run = self._run
            x, y = next(batches(self.loader, run, run.batch + 1))
            return graph(self.loss(self.model(x), y), self.model, unfold=unfold, x=x, y=y)

    def compare(self, *others: "Timeline") -> Comparison:
        """This timeline beside `others`: their losses, and how far apart their weights are now."""
        return Comparison([(line.label, line.losses[: line.t], line.model) for line in (self, *others)])

    def _advance(self) -> None:
        """Make one update, and keep what there is to keep."""
        run = self._run
        self._find_batch()
        number = run.step
        self._engine.advance(run.batch + 1)
        loss = float(plain(run.loss))
        if number == len(self.losses):
            self.losses.append(loss)
        elif not (loss == self.losses[number] or (math.isnan(loss) and math.isnan(self.losses[number]))):
            raise StateError(
                f"step {number + 1}, made again, gave the loss {loss!r} instead of {self.losses[number]!r}: it depends "
                f"on something that is no part of the training, such as random numbers that are not minidl's"
            )
        if run.step % self._every == 0 and run.step not in self._frames:
            self._keep()
        self._arrive()

    def _find_batch(self) -> None:
        """Be where the next batch is: in the next epoch, if this one is done."""
        run = self._run
        if in_mid_epoch(run) and run.batch == run.steps:
            run.history.rows.append(finished_row(run))
        begin_epoch(run, self.loader)

    def _arrive(self) -> None:
        """Do what a fork does here."""
        for change in self._changes.get(self.t, ()):
            change(self.model, self.optimizer)

    def _keep(self) -> None:
        """Keep the present state; if there are too many, let every second one go."""
        self._frames[self.t] = take(self._run)
        if self.nbytes > MEMORY:
            kept = sorted(self._frames)
            for t in kept[1::2]:
                del self._frames[t]
            self._every *= 2

    @contextmanager
    def _again(self) -> Iterator[None]:
        """Within the block the last update is about to be made; afterwards all is as it was."""
        if self.t == 0:
            raise OptionError("no update has been made yet: step() first")
        before = self.t - 1
        with self._inside():
            here = take(self._run)
            try:
                put_back(self._run, self._frames[max(k for k in self._frames if k <= before)])
                self._arrive()
                while self.t < before:
                    self._advance()
                self._find_batch()
                yield
            finally:
                put_back(self._run, here)

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """The circumstances of a training, with random streams of its own, which go on from call to call."""
        with computing(), own_streams(), np.errstate(all="ignore"):
            outside = rng_state()
            restore_rng(self._rng)
            try:
                yield
            finally:
                self._rng = rng_state()
                restore_rng(outside)


def _settings(hyperparameters: dict[str, Any]) -> Change:
    """A change of the optimizer's hyperparameters. It raises `OptionError` for a value that is not allowed."""

    def change(_: Module, optimizer: Any) -> None:
        for group in optimizer.groups:
            group.update(hyperparameters)
        optimizer.at(optimizer.t + 1)

    return change
