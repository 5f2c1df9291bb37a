"""The ranks of one `fit`: what its loop, engines and checkpoints ask of them."""

import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..data import Dataset, Loader
from ..data.stream import UNKNOWN, Stream
from ..errors import StateError
from ..nn._shared_batch import SharedStep
from ..train import signals
from ..train.callbacks import Run
from ..train.engines.eager import Passes, batches
from ..train.given import untransformed
from ..train.metrics import RunningMetrics
from .communicator import Communicator
from .passes import SharedPasses
from .shares import share, shared_loader
from .start import begin_alike, check_possible, compare, send_state

CHECKED = 100  # batches between two comparisons of the ranks' weights
PAUSE = 0.25  # seconds of steps between two moments at which the ranks agree


class Ranks:
    """The ranks that make the steps of `run` together, on batches of `loader`; `options`: what all must agree on.

    Nothing is decided by one rank's own clock: rank 0 says how many steps there are until the next pause, and a signal
    or a wish to stop, whoever has it, counts in all ranks from the next pause on.
    """

    def __init__(self, run: Run, loader: Loader, options: dict[str, Any], comm: Communicator) -> None:
        check_possible(run)
        compare(run, loader, options, comm)
        begin_alike(run, comm)
        self.comm, self.size, self.first = comm, comm.size, comm.rank == 0
        self.loader = shared_loader(loader, comm, run.micro_batch)
        self._seconds = 0.0  # for a step: rank 0's estimate
        self._block = (0.0, 0)  # when the present block began, and with which step

    def passes(self, run: Run, passes: Passes, loss: Callable[[Any, Any], Any]) -> Passes:
        """The `passes` of this rank's rows as those of whole batches."""
        self._passes = SharedPasses(run, passes, loss, self.loader, self.comm)
        return self._passes

    def step(self, total: int) -> SharedStep | None:
        """What a program of this rank's rows of batches of `total` samples has to know; None if there is none."""
        return self._passes.step(self.loader.cut_of(total))

    def begin_step(self, run: Run) -> int:
        """Before a step: note it, and compare the ranks' weights if it is time.

        Returns how many steps there are, with this one, up to the next comparison: so many may be made in one go.
        """
        self.comm.note_steps(run.step)
        place = run.batch + (0 if run.steps == UNKNOWN else (run.epoch - 1) * run.steps)
        if place and place % CHECKED == 0:
            self._compare_weights(run)
        return CHECKED - place % CHECKED

    def _compare_weights(self, run: Run) -> None:
        """Raise `StateError` in all ranks if their weights are not the same bits."""
        mine = zlib.crc32(run.optimizer.vectors.values.view("uint8"))
        largest, least = self.comm.maximum([mine, -mine])
        if largest == -least:
            return
        of_all = self.comm.gather(mine)
        other = [str(rank) for rank, found in enumerate(of_all) if found != of_all[0]]
        raise StateError(
            f"the weights of rank {', '.join(other)} differ from those of rank 0 at step {run.step:,}: something "
            f"changes them in one rank alone, a callback or a damaged memory"
        )

    def next_block(self, run: Run, last: int) -> int:
        """The batch up to which all go now: at most rank 0's `last`, and no more than a fraction of a second takes."""
        count = max(1, int(PAUSE / self._seconds)) if self._seconds else 1
        agreed = self.agree(run, min(last, run.batch + count))
        self._block = time.perf_counter(), run.step
        return agreed

    def end_block(self, run: Run) -> None:
        """The steps of a block are made: agree."""
        start, step = self._block
        if run.step > step:
            self._seconds = (time.perf_counter() - start) / (run.step - step)
        self.agree(run)

    def agree(self, run: Run, last: int = 0) -> int:
        """Let signals and wishes to stop count in all ranks; returns rank 0's `last`."""
        wish = 0 if run.stopped is None else self.size - self.comm.rank
        saved = (run.saved or 0) + (run.saved is not None)
        mine = [last, saved] if self.first else [0, 0]
        signal, stop, last, saved = self.comm.maximum([signals.arrived() or 0, wish, *mine])
        self.comm.note_saved(saved - 1 if saved else None)
        if signal:
            signals.agree_on(signal)
        if stop:
            run.stopped = self.comm.gather(run.stopped)[self.size - stop]
        return last

    def whole_batch(self, run: Run, x: Any, y: Any) -> tuple[Any, Any]:
        """The batch of which this rank has just had the rows `x` and `y`; these alone if it cannot be read again."""
        whole = self.loader.whole
        return (x, y) if isinstance(whole, Stream) else next(iter(batches(whole, run, run.batch + 1)))

    def from_first(self, find: Callable[[], Any]) -> Any:
        """The checkpoint that rank 0 finds, in all ranks: its path, arrays and content; None if there is none."""
        found = self.comm.by_first(find)
        path = self.comm.from_first(None if found is None else str(found[0]))
        return None if path is None else (Path(path), *send_state(found and found[1:], self.comm))

    def validated(self, run: Run, loader: Loader, measure: Callable[[Any], RunningMetrics]) -> RunningMetrics:
        """What all ranks `measure`, each on its share of the batches of a validation set."""
        if not isinstance(run.validation, Dataset):  # the user's own batches, which may be drawn or made: each all
            return measure(untransformed(loader))
        first, last = share(len(loader), self.comm.rank, self.size)
        own = measure(loader.batches(None, first, last) if last > first else ())
        sums = own.samples, float(own.loss), own.correct if own.correct is None else int(own.correct)
        spread = own.spread and list(map(float, own.spread))
        mine = [*sums, {name: float(x) for name, x in own.others.items()}, spread]
        whole = RunningMetrics(own.own)
        for samples, loss, correct, others, spread in self.comm.gather(mine):
            part = RunningMetrics()
            part.samples, part.loss, part.correct, part.others = samples, loss, correct, others
            part.spread = spread and tuple(spread)
            whole.join(part)
        return whole
