"""NaN and infinity: checked once per block of steps; on a hit, restore and replay step by step to the culprit.

A loss or a gradient that is not finite spoils weights or running statistics for good. So it is enough to check those
at the end of a block of steps, which costs next to nothing. If they are spoilt, the run is restored to the snapshot
before the block (snapshot.py), and the steps are made again, each with a check before its update, up to the one that
must not be made.
"""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from ..._debug import debug
from ...backend import array_module, to_numpy
from ...data import Loader
from ...data.stream import UNKNOWN, Stream
from ...errors import NonFiniteError
from ...nn._effects import ForwardEffects
from ...nn._module import Buffer
from ...ops.shape import plain
from ...optim.execution.upcoming import dry_run
from ...overrides import overridden
from ..callbacks import Callback, Run
from .accumulation import parts, rows
from .compiled import Compiled
from .eager import Eager, Passes
from .engine import Engine
from .snapshot import RunSnapshot
from .stepwise import Stepwise

BLOCK_SECONDS = 1.0  # processor time between two snapshots: so much may have to be made again
SMALL = 10_000  # elements: arrays up to this size are checked after every call of the engine
FEW = 8  # steps: in a shorter epoch each step is checked, which is cheaper than a snapshot

Action: TypeAlias = Literal["stop", "skip", "continue"]
ACTIONS = get_args(Action)


class CheckedEager(Eager):
    """Checks loss, gradients and running statistics before each update, which is not made if one is not finite."""

    def __init__(
        self,
        run: Run,
        loader: Loader,
        loss: Callable[[Any, Any], Any],
        watchers: list[Callback],
        skip: bool,
        passes: Passes | None = None,
    ) -> None:
        super().__init__(run, loader, loss, watchers, passes)
        self._skip, self._effects = skip, ForwardEffects(run.model)
        self.thorough = False  # whether to try the update on copies even where the gradients are small
        names = {id(p): name for name, p in run.model.named_parameters()}
        self._parameters = [
            (f"the gradient of {names.get(id(p), f'parameter {i}')}", p)
            for i, p in enumerate(run.optimizer.vectors.parameters)
        ]

    def differentiate(self, x: Any, y: Any) -> Any:
        """As `Eager` does, after saving what the forward pass changes."""
        self.save()
        with np.errstate(all="ignore"):  # the error that follows says more than NumPy's warnings
            return super().differentiate(x, y)

    def update(self, x: Any, y: Any, output: Any) -> None:
        """Update the parameters if all is finite; if not, leave the batch out, or raise `NonFiniteError`."""
        symptom = self.symptom()
        if symptom is None:
            super().update(x, y, output)
        else:
            self.reject(x, y, symptom)

    def save(self, draws: bool = True, statistics: dict[int, Any] | None = None) -> None:
        """Before a step: copy what its forward pass will change; see `ForwardEffects.save`."""
        self._effects.save(draws, statistics)

    def symptom(self) -> str | None:
        """Which of the loss, the running statistics and the gradients of this step is not finite, in words, if any."""
        buffers = self.run.model.named_tensors(Buffer)
        named = [("the loss", plain(self.run.loss)), *[(name, buffer.data) for name, buffer in buffers]]
        named += [(name, p.grad.data) for name, p in self._parameters if p.grad is not None]
        # One sum tells whether all is well; which array is not is only looked for if need be.
        if math.isfinite(sum_of_squares([array for _, array in named])) and not self.thorough:
            return None
        return _first_nonfinite(named) or self._overflowing_update()

    def reject(self, x: Any, y: Any, symptom: str) -> None:
        """Undo the forward pass of this step, for the batch (x, y); leave the batch out, or raise `NonFiniteError`."""
        run = self.run
        self._effects.restore()
        if not self._skip:
            if run.ranks is not None:
                x, y = run.ranks.whole_batch(run, x, y)
            raise nonfinite_error(run, self.loader, self.loss, x, y, symptom)
        run.metrics.skipped += 1
        run.batch += 1

    def _overflowing_update(self) -> str | None:
        """What the update would make infinite, as it does where the square of a large gradient overflows."""
        with np.errstate(all="ignore"):
            found = _first_nonfinite(dry_run(self.run.optimizer))
        if found is None:
            return None
        with_gradient = [p for _, p in self._parameters if p.grad is not None and p.size]
        largest = max(float(abs(p.grad.data).max()) for p in with_gradient)
        return f"the gradients are finite, the largest {largest:.1e}, but after this update {found}"


class RollbackEngine:
    """Lets `engine` make blocks of steps; rolls a block back if it led to NaN or infinity, and replays it checked."""

    def __init__(self, run: Run, engine: Engine, checked: CheckedEager) -> None:
        self._run, self._engine, self._checked = run, engine, checked
        self._snapshot, self._snapshot_time = RunSnapshot(run), 0.0
        self._unverified = False  # whether steps were made since the snapshot
        self._state = [name for name, vector in run.optimizer.vectors.state.items() if finite([vector])]

    def advance(self, last: int) -> None:
        """As the engine does."""
        run = self._run
        # A new block begins, with a snapshot or, if that does not pay, by checked steps.
        if not self._unverified:
            if run.steps < FEW and run.history.reason is None and not isinstance(self._engine, Eager):
                run.history.reason = f"with few steps in an epoch, here {run.steps}, each is checked by itself"
            if run.steps < FEW or run.metrics.skipped:
                self._checked.advance(last)
                return
            self._snapshot.save()
            self._unverified, self._snapshot_time = True, time.process_time()
        with np.errstate(all="ignore"):
            self._engine.advance(last)
        # Ranks look whenever all of them pause, so that they find, and go back, together.
        long_enough = time.process_time() - self._snapshot_time > BLOCK_SECONDS
        if run.ranks is not None or run.batch == run.steps or long_enough or not self._all_finite(most=SMALL):
            self.verify()

    def _all_finite(self, most: float = math.inf) -> bool:
        """Whether loss, parameters, buffers and optimizer state are finite.

        Parameters and state of more than `most` elements are left out. If one of those is not finite, the next loss
        will not be either, or `verify` finds it: the quick check is for whoever looks at the run before that.
        """
        vectors = self._run.optimizer.vectors
        parameters = [p.data for p in vectors.parameters if p.size <= most]
        buffers = [buffer.data for _, buffer in self._run.model.named_tensors(Buffer)]
        state = [vectors.state[name] for name in self._state if vectors.state[name].size <= most]
        return finite([self._run.metrics.loss, *parameters, *buffers, *state])

    def verify(self) -> None:
        """Check the steps since the snapshot, and replay them if need be; the next block begins with a new one."""
        if self._unverified and not self._all_finite():
            self._replay()
        self._unverified = False

    def _replay(self) -> None:
        """Make the steps since the snapshot again, one by one and to the same bits; the one that fails, checked."""
        run, reached = self._run, self._run.batch
        self._snapshot.restore()
        self._checked.thorough = True  # finite gradients, too, can lead to what is not finite
        while run.batch < reached:
            if not run.metrics.skipped:
                self._snapshot.save()
                with np.errstate(all="ignore"):
                    self._engine.advance(run.batch + 1)
                if self._all_finite():
                    continue
                self._snapshot.restore()
            self._checked.advance(run.batch + 1)
        self._checked.thorough = False


def with_nonfinite_checks(
    run: Run, engine: Engine, loader: Loader, loss: Callable[[Any, Any], Any], watchers: list[Callback], action: Action
) -> Engine:
    """`engine`, made to do what `action`, one of `ACTIONS`, says about numbers that are not finite."""
    if action == "continue":
        return engine
    passes = engine.passes if isinstance(engine, Eager) else None
    checked = CheckedEager(run, loader, loss, watchers, action == "skip", passes)
    if isinstance(engine, Compiled) and run.steps < FEW and run.ranks is None:
        engine = Stepwise(run, loader, engine, watchers)
    if isinstance(engine, Stepwise):
        engine.checker = checked
        return engine
    stepwise = any(w.overrides("on_step") or w.overrides("on_gradients") for w in watchers)
    streamed = isinstance(loader, Stream)  # whose batches cannot be made again
    if stepwise or streamed or overridden(run.optimizer, "step", "zero_grad") is not None:
        return checked  # what the user's own code saw and did in a step cannot be rolled back
    rollback = RollbackEngine(run, engine, checked)
    run.verify = rollback.verify
    return rollback


def finite(values: Iterable[Any]) -> bool:
    """Whether all numbers in these arrays are finite: one quick pass each, and one wait for a GPU in all."""
    arrays = [a if hasattr(a, "dtype") else np.asarray(a) for a in values]
    if math.isfinite(sum_of_squares(arrays)):
        return True
    return all(bool(array_module(a).isfinite(a).all()) for a in arrays)  # a square may have overflowed


def sum_of_squares(arrays: Iterable[Any]) -> float:
    """The sum of the squares of all numbers: NaN or infinite if any of them is."""
    with np.errstate(all="ignore"):
        return float(sum(array_module(a).vdot(a, a) for a in arrays))


def nonfinite_error(
    run: Run, loader: Loader, loss: Callable[[Any, Any], Any], x: Any, y: Any, symptom: str
) -> NonFiniteError:
    """The error for the step that `run` was about to make with the batch (x, y): replayed, to name the op at fault.

    Model, optimizer and counts stay as before that step; its gradients are cleared. The op's own error, with its
    traceback, is the cause of the one returned, whose `history` is the run's.
    """
    # The model is where the step began: the same forward pass, with every op checked, fails at the culprit.
    effects, cause, where = ForwardEffects(run.model), None, "made again, no op of the step gives such a number"
    try:
        with debug(), np.errstate(all="ignore"):
            for part in parts(run, len(x)):
                run.optimizer.zero_grad()
                loss(run.model(rows(x, part)), rows(y, part)).backward()
    except NonFiniteError as found:
        cause, where = found, f"it began in {found}"
    finally:
        effects.restore()
        run.optimizer.zero_grad()
    of = "" if run.steps == UNKNOWN else f" of {run.steps}"
    error = NonFiniteError(
        f"fit: step {run.step + 1} (epoch {run.epoch}, batch {run.batch + 1}{of}): {symptom}; {where}. "
        f"Weights, running statistics and optimizer are as they were before this step. {_advice(run, loader, x)}"
    )
    error.history, error.__cause__ = run.history, cause
    return error


def _first_nonfinite(named: Iterable[tuple[str, Any]]) -> str | None:
    """The first array that is not finite and the first such number in it, in words; None if all are."""
    for name, array in named:
        if not finite([array]):
            values = to_numpy(array).ravel()
            return f"{name} {'is' if values.size == 1 else 'holds'} {values[~np.isfinite(values)][0]}"
    return None


def _advice(run: Run, loader: Loader, x: Any) -> str:
    """How to fix it: the sample to blame if the data are, else the options to change."""
    bad = ~np.isfinite(to_numpy(x).reshape(len(x), -1)).all(axis=1)
    if bad.any() and isinstance(loader, Stream):
        return f"The batch holds such numbers already, first in its sample {int(bad.argmax())}: fix or drop it."
    if bad.any():
        place = run.batch * loader.batch_size + int(bad.argmax())
        row = place if run.order is None else run.order[place]
        where = f"{loader.dataset.name}{'' if run.inputs is None else ', as its transform gives it'}"
        return f"The data hold such numbers already, first in sample {row} of {where}: fix or drop it."
    return f'Lower lr (now {run.lr:g}), or leave such batches out: fit(..., on_nonfinite="skip").'
