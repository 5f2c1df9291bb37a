"""Numbers that are not finite: noticed late and at no cost, then taken back and found exactly.

A loss or a gradient that is infinite or NaN spoils weights or running statistics for good, so it is enough to look at
those at the end of a stretch of steps. If they are spoilt, all that the stretch changed is taken back (undo.py), and it
is made again with a look after every step, up to the one that must not be made.
"""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np

from ..._debug import debug
from ...backend import array_module, to_numpy
from ...data import Loader
from ...errors import NonFiniteError
from ...nn._module import Buffer
from ...ops.shape import plain
from ...optim.execution.upcoming import outcome
from ...overrides import overridden
from ..callbacks import Callback, Run
from .eager import Eager
from .snapshot import Snapshot, Traces, moved
from .stepwise import Stepwise

KEEP = 1.0  # processor seconds after which model and optimizer are copied anew: so much may have to be made again
SMALL = 10_000  # elements: what can be looked at after each stretch
FEW = 8  # steps: if an epoch has no more, they are made with care at once, which is cheaper than a copy

Action: TypeAlias = Literal["stop", "skip", "continue"]
ACTIONS = get_args(Action)


class Engine(Protocol):
    """What makes the steps of a run. It reads weights, state and counts where they are when it is called."""

    def advance(self, last: int) -> None:
        """Make updates for this epoch's batches up to number `last`: all of them, or as many as time allows."""


class Careful(Eager):
    """Looks at loss, gradients and running statistics before each update, which is not made if one is not finite."""

    def __init__(
        self, run: Run, loader: Loader, loss: Callable[[Any, Any], Any], watchers: list[Callback], skip: bool
    ) -> None:
        super().__init__(run, loader, loss, watchers)
        self._skip, self._traces = skip, Traces(run.model)
        self.thorough = False  # whether to look also at what the update would make of small gradients
        names = {id(p): name for name, p in run.model.named_parameters()}
        self._parameters = [
            (f"the gradient of {names.get(id(p), f'parameter {i}')}", p) for i, p in enumerate(moved(run))
        ]
        self._buffers = list(run.model.named_tensors(Buffer))

    def differentiate(self, x: Any, y: Any) -> Any:
        """As ever, but so that it can be taken back."""
        self.keep()
        with np.errstate(all="ignore"):  # there is more to say than NumPy would
            return super().differentiate(x, y)

    def update(self, x: Any, y: Any, output: Any) -> None:
        """Move the parameters if all is finite; if not, leave the batch out, or raise `NonFiniteError`."""
        symptom = self.symptom()
        if symptom is None:
            super().update(x, y, output)
        else:
            self.refuse(x, y, symptom)

    def keep(self, draws: bool = True, statistics: dict[int, Any] | None = None) -> None:
        """Before a step: remember what its forward pass will change; see `Traces.keep`."""
        self._traces.keep(draws, statistics)

    def symptom(self) -> str | None:
        """What is not finite of the loss, the running statistics and the gradients of the step at hand, in words."""
        found = [("the loss", plain(self._run.loss)), *[(name, buffer.data) for name, buffer in self._buffers]]
        found += [(name, p.grad.data) for name, p in self._parameters if p.grad is not None]
        if math.isfinite(squares([array for _, array in found])) and not self.thorough:
            return None
        return _symptom(found) or self._misstep()

    def refuse(self, x: Any, y: Any, symptom: str) -> None:
        """Take back the step at hand, with the batch (x, y), and leave it out, or raise `NonFiniteError`."""
        run = self._run
        self._traces.undo()
        if not self._skip:
            raise explained(run, self._loader, self._loss, x, y, symptom)
        run.tally.skipped += 1
        run.batch += 1

    def _misstep(self) -> str | None:
        """What the update would make infinite, as it does where the square of a large gradient overflows."""
        with np.errstate(all="ignore"):
            found = _symptom(outcome(self._run.optimizer))
        if found is None:
            return None
        largest = max(float(abs(p.grad.data).max()) for _, p in self._parameters if p.grad is not None and p.size)
        return f"the gradients are finite, the largest {largest:.1e}, but after this update {found}"


class Revocable:
    """An engine whose steps are taken back if they led to numbers that are not finite, and made again by `careful`."""

    def __init__(self, run: Run, engine: Engine, careful: Careful) -> None:
        self._run, self._engine, self._careful = run, engine, careful
        self._snapshot, self._time = Snapshot(run), 0.0  # when that was taken
        self._open = False  # whether steps were made since
        self._buffers = [buffer for _, buffer in run.model.named_tensors(Buffer)]
        self._state = [name for name, vector in run.optimizer.state.items() if finite([vector])]

    def advance(self, last: int) -> None:
        """As the engine does."""
        run = self._run
        if not self._open:
            if run.steps < FEW or run.tally.skipped:
                self._careful.advance(last)
                return
            self._snapshot.keep()
            self._open, self._time = True, time.process_time()
        with np.errstate(all="ignore"):
            self._engine.advance(last)
        if run.batch == run.steps or time.process_time() - self._time > KEEP or not self._sound(most=SMALL):
            self.settle()

    def _sound(self, most: float = math.inf) -> bool:
        """Whether what the steps have left behind is finite.

        Parameters and state of more than `most` elements are passed over. They would show in the next loss, or to
        `settle`: this is for those who look on before that.
        """
        parameters = [p for p in moved(self._run) if p.size <= most]
        state = [v for name in self._state if (v := self._run.optimizer.state[name]).size <= most]
        return finite([self._run.tally.loss, *[tensor.data for tensor in parameters + self._buffers], *state])

    def settle(self) -> None:
        """Be sure of all steps since the snapshot, or make them again; the next stretch begins with a new one."""
        if self._open and not self._sound():
            self._make_again()
        self._open = False

    def _make_again(self) -> None:
        """The steps since the snapshot, one by one, to the same bits; with care the one that leads astray."""
        run, reached = self._run, self._run.batch
        self._snapshot.undo()
        self._careful.thorough = True
        while run.batch < reached:
            if not run.tally.skipped:
                self._snapshot.keep()
                with np.errstate(all="ignore"):
                    self._engine.advance(run.batch + 1)
                if self._sound():
                    continue
                self._snapshot.undo()
            self._careful.advance(run.batch + 1)
        self._careful.thorough = False


def watched(
    run: Run, engine: Engine, loader: Loader, loss: Callable[[Any, Any], Any], watchers: list[Callback], action: str
) -> Engine:
    """`engine`, doing about numbers that are not finite what `action`, one of `ACTIONS`, says."""
    if action == "continue":
        return engine
    careful = Careful(run, loader, loss, watchers, skip=action == "skip")
    if isinstance(engine, Stepwise):
        engine.careful = careful
        return engine
    stepwise = any(w.overrides("on_step") or w.overrides("on_gradients") for w in watchers)
    if stepwise or overridden(run.optimizer, "step", "zero_grad") is not None:
        return careful  # what the user's own code saw and did in a step cannot be taken back
    revocable = Revocable(run, engine, careful)
    run.settle = revocable.settle
    return revocable


def finite(values: Iterable[Any]) -> bool:
    """Whether all numbers in these arrays are finite: one quick pass each, and one wait for a GPU in all."""
    arrays = [a if hasattr(a, "dtype") else np.asarray(a) for a in values]
    if math.isfinite(squares(arrays)):
        return True
    return all(bool(array_module(a).isfinite(a).all()) for a in arrays)  # a square may have overflowed


def squares(arrays: Iterable[Any]) -> float:
    """The sum of the squares of all numbers: NaN or infinite if any of them is."""
    with np.errstate(all="ignore"):
        return float(sum(array_module(a).vdot(a, a) for a in arrays))


def explained(
    run: Run, loader: Loader, loss: Callable[[Any, Any], Any], x: Any, y: Any, symptom: str
) -> NonFiniteError:
    """What went wrong in the step that `run` was about to make with the batch (x, y), found by replaying it.

    Model, optimizer and counts are as before that step. Its gradients are cleared, nothing else is changed. The
    op's error, with its traceback, is the cause of the one returned, whose `history` is the run's.
    """
    traces, cause, where = Traces(run.model), None, "made again, no op of the step gives such a number"
    try:
        with debug(), np.errstate(all="ignore"):
            loss(run.model(x), y).backward()
    except NonFiniteError as found:
        cause, where = found, f"it began in {found}"
    finally:
        traces.undo()
        run.optimizer.zero_grad()
    error = NonFiniteError(
        f"fit: step {run.step + 1} (epoch {run.epoch}, batch {run.batch + 1} of {run.steps}): {symptom}; {where}. "
        f"Weights, running statistics and optimizer are as they were before this step. {_advice(run, loader, x)}"
    )
    error.history, error.__cause__ = run.history, cause
    return error


def _symptom(named: Iterable[tuple[str, Any]]) -> str | None:
    """What is wrong with the first array that is not finite, by the first such number in it; None if all are."""
    for name, array in named:
        if not finite([array]):
            values = to_numpy(array).ravel()
            return f"{name} {'is' if values.size == 1 else 'holds'} {values[~np.isfinite(values)][0]}"
    return None


def _advice(run: Run, loader: Loader, x: Any) -> str:
    """What to do about it."""
    bad = ~np.isfinite(to_numpy(x).reshape(len(x), -1)).all(axis=1)
    if bad.any():
        place = run.batch * loader.batch_size + int(bad.argmax())
        row = place if run.order is None else run.order[place]
        return f"The data hold such numbers already, first in sample {row} of {loader.dataset.name}: mend or drop it."
    return f'Lower lr (now {run.lr:g}), or leave such batches out: fit(..., on_nonfinite="skip").'
