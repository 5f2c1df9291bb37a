"""A training step of any model and loss: recorded twice, and then replayed."""

import time
from functools import partial
from typing import Any

import numpy as np

from ... import hooks
from ...autograd import wrap
from ...deposit import slot_of
from ...nn._effects import ForwardEffects
from ...nn._shared_batch import shared_batch
from ...ops.shape import plain as without_tensors
from ..eligibility import Watch, bypassed, in_the_way, unrecorded
from ..native.cache.objects import MACHINE, Source
from ..native.cache.worth import Worth
from ..native.segments import Segments
from ..numpy_executor import allocate, calls_of
from ..passes import optimised
from ..program import Buffer, Instruction, Program
from .recorder import Recorded, arrays_of, leaves, record
from .surroundings import UnfollowedError, changed, streams, surroundings
from .traced import plain

EVERY = 10_000  # replays: so often a step is recorded again, in case something was not seen, ...
AGAIN = 10, 100, 1000  # ... and early, for what changes soon
MOST_CHANGES = 3  # between the two recordings of a step
RECORDING = "the first two steps of a kind are recorded"
RECORDING_AGAIN = "it is recorded again, in case it depends on something that was not seen"
FEW = 1024  # bytes, up to which they are compared as they lie in memory
MOST = 100  # recordings of one step, whose batches have several shapes perhaps


def differing(one: Recorded, other: Recorded) -> str | None:
    """Why two recordings are not of the same step; None if they are."""
    a, b = one.tape.instructions, other.tape.instructions
    if len(a) != len(b):
        return "it is not the same ops for every batch"
    pairs: dict[Buffer, Buffer] = {}
    for step, twin in zip(a, b, strict=True):
        if _static(step) != _static(twin) or len(step.args) != len(twin.args):
            return f"{step.op} is not called in the same way for every batch"
        for x, y in zip((*step.args, *step.out), (*twin.args, *twin.out), strict=True):
            if pairs.setdefault(x, y) is not y or not _alike(x, y):
                shown = "numbers made" if x.kind == "constant" else "an array made"
                return f"{shown} outside minidl's ops, for {step.op}, changes from batch to batch"
    if [pairs.get(r) for r in one.results] != other.results:
        return "its result is not the same for every batch"
    return None


def _static(step: Instruction) -> Any:
    options = dict(step.options)
    function = options.pop("function", None)
    return step.op, getattr(function, "__code__", function), repr(options)


def _alike(x: Buffer, y: Buffer) -> bool:
    """Whether two buffers of two recordings are the same one."""
    if (x.kind, x.shape, x.dtype, x.strides, x.start) != (
        y.kind,
        y.shape,
        y.dtype,
        y.strides,
        y.start,
    ):
        return False
    if x.kind in ("work", "batch"):
        return True
    if x.kind == "constant":
        return x.array is y.array or np.array_equal(x.array, y.array, equal_nan=True)
    return x.home.array is y.home.array or x.name == y.name


class Replay:
    """A recorded step, executed again and again on other batches.

    `only`: the arrays of the batch that it was recorded for twice, which may have decided about it;
    None if it was recorded for two batches.
    """

    def __init__(
        self, recorded: Recorded, only: list[Any] | None, model: Any, loss: Any, optimizer: Any
    ) -> None:
        self.only, self._optimizer = only, optimizer
        steps = recorded.tape.instructions
        made = dict.fromkeys(b.home for step in steps for b in step.out if b.kind == "gradient")
        results = tuple(r.home for r in recorded.results if r is not None)
        program = Program([*steps, Instruction("update", (), tuple(made))], results=results)
        program.note("recorded")
        self.program = optimised(program)
        self._batch = recorded.batch
        allocate(self.program)
        for buffer in self._batch:
            if buffer.array is None:  # the step does not use it
                buffer.array = np.zeros(buffer.shape, buffer.dtype)
        value, output = recorded.results
        self.loss = value.array
        self.output = None if output is None else output.array
        steps = [step for step in self.program.instructions if step.op != "update"]
        self._calls = [call for step in steps for call in calls_of(step)]
        pieces = {id(piece.gradient): piece.parameter for piece in optimizer.vectors.pieces}
        made_for = {pieces[id(b.array)] for b in made}
        self._gradients = [
            (p, wrap(slot_of(p)) if p in made_for else None) for p in pieces.values()
        ]
        self.recorded, self._replays = recorded, 0
        self._segments: Segments | None = None  # machine code, once that is worth while
        self._worth = Worth()
        self._surroundings = surroundings(model, loss)
        self._watch = Watch(optimizer, model, recorded.tape.ops)
        known = {id(found.value) for found in self._surroundings}
        self._constants = [pair for pair in recorded.tape.held() if id(pair[0]) not in known]

    @property
    def engine(self) -> str:
        """What executes it."""
        return "replay" if self._segments is None else "machine code"

    @property
    def python_calls(self) -> int:
        """How many calls of Python's a step consists of."""
        return len(self._calls) if self._segments is None else self._segments.python_calls

    def is_due(self) -> bool:
        """Whether it is time to record the step again, should it depend on something unseen."""
        return self._replays in AGAIN or (self._replays > 0 and self._replays % EVERY == 0)

    def serves(self, batch: list[Any]) -> bool:
        """Whether it is known what the step does with this batch."""
        return self.only is None or all(map(np.array_equal, self.only, batch))

    def confirm(self, same_batch: bool) -> None:
        """Take note that the step has been recorded again, and was the same."""
        self._replays += 1
        if not same_batch:
            self.only = None

    def holds(self) -> bool:
        """Whether all that the step depends on is as it was when it was recorded."""
        if not self._watch.undisturbed() or changed(self._surroundings) is not None:
            return False
        return all(_same_numbers(now, before) for now, before in self._constants)

    def fill(self, batch: list[Any]) -> None:
        """Take a batch."""
        for buffer, array in zip(self._batch, batch, strict=True):
            buffer.array[...] = array

    def differentiate(self) -> None:
        """Forward, loss and backward."""
        self._replays += 1
        if self._segments is not None:
            self._segments.run()
        else:
            start = time.perf_counter()
            for call in self._calls:
                call()
            seconds = time.perf_counter() - start
            self._segments = self._worth.after(seconds, _sources, partial(Segments, self.program))
        self._optimizer.expect_new_gradients()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient


def _sources() -> list[Source]:
    return [MACHINE]


def _same_numbers(now: Any, before: Any) -> bool:
    if now.nbytes <= FEW and now.dtype == before.dtype and now.tobytes() == before.tobytes():
        return True  # in a tenth of the time
    return bool(np.array_equal(now, before, equal_nan=now.dtype.kind in "fc"))


def layout_of(batch: list[Any]) -> Any:
    """What batches of a step have in common, from their leaves; None if it cannot be recorded."""
    found: list[Any] = [shared_batch()]
    for leaf in batch:
        if isinstance(leaf, np.ndarray):
            turned = leaf.flags.f_contiguous and not leaf.flags.c_contiguous
            found.append((leaf.shape, leaf.dtype, turned))
        elif leaf is None or isinstance(leaf, int | float | str):
            found.append((type(leaf), leaf))  # a number that a step of its own is recorded for
        else:
            return None
    return tuple(found)


def _disturbance(recorded: Recorded, drawn: Any) -> str | None:
    """Why a step that was recorded cannot be replayed, for what it did besides; None if it can."""
    if streams() != drawn:
        return "the step draws random numbers that are not minidl's"
    moved = changed(recorded.surroundings)
    return recorded.tape.reason if moved is None else f"the step itself changes {moved}"


class RecordedSteps:
    """The training steps of any model and loss: recorded for two batches, then replayed.

    `reason`: why the last step was not replayed; None if it was. `recording`: whether that is only
    because it is being recorded. `asked`: whether the user asked for recorded steps. A recorded
    step does not repeat Python that changes nothing in the numbers, and what changes them is not
    always seen from outside: so what is not minidl's own is recorded for who asks for it.
    """

    def __init__(self, model: Any, loss: Any, optimizer: Any) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.program: Program | None = None
        self.reason: str | None = None
        self.recording, self.asked = False, True
        self.output: Any = None  # of the model, in the last step
        self.engine = "eager"  # what made that
        self._known: dict[Any, Recorded | Replay | str] = {}  # by the layout of a batch
        self._recordings = self._changes = 0

    def differentiate(self, x: Any, y: Any) -> Any:
        """Forward, loss and backward of a batch of arrays, or tuples of them; returns the loss."""
        value = self.replay(x, y)
        return self.make(x, y) if value is None else value

    def make(self, x: Any, y: Any) -> Any:
        """The same by a step that is made, and recorded if that is possible."""
        key = layout_of(leaves((x, y)))
        known = self._known.get(key)
        again = known if isinstance(known, Replay) and known.holds() else None
        before = again.recorded if again else known if isinstance(known, Recorded) else None
        self.program, self.recording = None, False
        reason = known if isinstance(known, str) else self.obstacle()
        if key is None:
            reason = (
                "its batch holds what is no array and no number: give arrays, or tuples of them"
            )
        if reason is not None:
            self.reason, self.engine = reason, "eager"
            return self._eagerly(x, y)
        return self._record(key, before, again, x, y)

    def replay(self, x: Any, y: Any) -> Any:
        """Forward, loss and backward by a recorded step; None if there is none for this batch."""
        if not self._known:
            return None
        found = leaves((x, y))
        known = self._known.get(layout_of(found))
        if not isinstance(known, Replay) or known.is_due():
            return None
        batch = [leaf for leaf in found if isinstance(leaf, np.ndarray)]
        if not (known.serves(batch) and known.holds()):
            return None
        self.program, self.reason, self.recording = known.program, None, False
        known.fill(batch)
        known.differentiate()
        self.output, self.engine = known.output, known.engine
        return known.loss[()]

    def replays(self) -> list[Replay]:
        """Those that there are, one for each layout of a batch."""
        return [known for known in self._known.values() if isinstance(known, Replay)]

    def obstacle(self) -> str | None:
        """What keeps any step from being recorded now."""
        if self._recordings >= MOST:
            return (
                f"it was recorded {MOST} times, and something it depends on has changed each time"
            )
        reason = unrecorded() or bypassed(self.model, self.optimizer)
        if not self.asked:
            reason = reason or in_the_way(self.model, self.loss, self.optimizer)
        return reason or ("its ops are being watched already" if hooks.watcher else None)

    def _record(
        self, key: Any, before: Recorded | None, again: Replay | None, x: Any, y: Any
    ) -> Any:
        """Make a step and record it; build the program if that is the second time.

        `again`: the program that there is, if it is only to be seen whether it still holds.
        """
        self._recordings += again is None
        self.optimizer.vectors.claim()  # now, not in the first update
        self.engine, self.recording = "eager", False
        try:
            known = surroundings(self.model, self.loss)
        except UnfollowedError as thing:
            return self._refused(key, f"it depends on {thing}, which cannot be followed", x, y)
        effects, drawn = ForwardEffects(self.model), streams()
        try:
            value, output, recorded = record(self.model, self.loss, self.optimizer, x, y)
            self.output = plain(without_tensors(output))
        except Exception as error:
            effects.restore()
            value = self._eagerly(x, y)  # which raises as well, unless recording was to blame
            reason = f"recording failed: {type(error).__name__}: {error}"
            self._known[key], self.reason = reason, reason
            return value
        recorded.surroundings = known
        for given, copy in zip(arrays_of((x, y)), recorded.arrays, strict=True):
            if not _same_numbers(given, copy):  # a batch that the step changes in place
                given[...] = copy
        if recorded.tape.interrupted:
            self.reason = "somebody watched this step's ops, so it was not recorded"
            return value.data[()]
        outcome = _disturbance(recorded, drawn) or self._next(before, again, recorded)
        self._known[key] = outcome
        self.recording = not isinstance(outcome, str)
        self.reason = RECORDING_AGAIN if again else RECORDING
        if isinstance(outcome, str):
            self.reason = outcome
        return value.data[()]

    def _next(self, before: Recorded | None, again: Replay | None, recorded: Recorded) -> Any:
        """What a recording leads to: a program, if it is the second of a step; or why none."""
        since = None if before is None else changed(before.surroundings)
        if since is not None:
            self._changes += 1
            if self._changes > MOST_CHANGES:
                return f"it depends on {since}, which changes from step to step"
        if before is None or since is not None:
            return recorded
        reason = differing(before, recorded)
        if reason is not None:
            return reason
        same_batch = all(map(np.array_equal, before.arrays, recorded.arrays))
        if again is not None:
            again.confirm(same_batch)
            return again
        only = recorded.arrays if same_batch else None
        try:
            return Replay(recorded, only, self.model, self.loss, self.optimizer)
        except Exception as error:
            return f"its program cannot be made: {type(error).__name__}: {error}"

    def _refused(self, key: Any, reason: str, x: Any, y: Any) -> Any:
        """An eager step, as are all further ones of its kind."""
        self._known[key], self.reason = reason, reason
        return self._eagerly(x, y)

    def _eagerly(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        self.output = self.model(x)
        value = self.loss(self.output, y)
        value.backward()
        return value.data
