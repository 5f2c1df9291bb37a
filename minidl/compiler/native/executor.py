"""A program executed by machine code: many steps in one call, with no Python between them."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...backend import Array
from ...hardware.threads import assistant
from ...nn._dropout import uniform
from ...optim.execution.upcoming import (
    ScheduledUpdate,
    scheduled,
    still_upcoming,
    upcoming_updates,
)
from ..program import Program
from .assembler import Assembler
from .cache.background import compile_now
from .cache.objects import MACHINE, Source, function
from .jit import instruction_set as isa
from .jit import opcodes
from .rule_codegen import rule_file
from .summation_order import Order
from .table import Code, address, halves, table
from .task import dismiss, new_mailbox, new_task
from .update_code import Fused, update_code

MOST = 1024  # steps in one call
SHARED_STEP = 5e7  # floating-point operations from which on waking a thread pays for a single step


def needed(optimizer: Any) -> list[Source]:
    """The sources whose machine code a program needs that ends with this optimizer's update.

    Raises `UnsupportedError` if its rule has an operation that machine code lacks.
    """
    optimizer.vectors.claim()
    optimizer.vectors.prepare()
    groups = optimizer.vectors.groups
    return [MACHINE, *(rule_file(group.rule.name, group.executor.plan) for group in groups)]


class NativeExecutor:
    """The steps of `program` on batches of a data set.

    inputs: (N, D) uint8 or float32; labels: (N,) int64. `moving`: which parameters are updated.
    `order`: zeros in the inputs are passed over, and sums made in this order (summation_order.py).
    `stepwise`: updates are kept apart from the backward pass, for `step_by_step`; else for `run`.

    What is `needed` and has not been compiled before is compiled now, which takes seconds. Raises
    `UnsupportedError` if machine code lacks something that the program or its optimizer needs,
    `OSError` if Numba or a disk fails.
    """

    def __init__(
        self,
        program: Program,
        inputs: Array,
        labels: Array,
        optimizer: Any,
        moving: list[bool],
        order: Order | None = None,
        stepwise: bool = False,
    ) -> None:
        self.flops = program.flops
        self._assembler = Assembler(program, inputs, labels, order)
        self._constants = self._assembler.constants  # their address is in every task
        self._optimizer, self._moving, self._stepwise = optimizer, moving, stepwise
        self._shared = any(step.op == "all_reduce" for step in program.instructions)
        self._batch = program.buffers("batch")[0].shape[0]
        # Allocated once, for the longest call: the addresses are in every task.
        self._losses, self._correct = np.empty(MOST, np.float32), np.empty(MOST, np.int64)
        self._mailbox = new_mailbox()
        # A stepwise program saves the running statistics before a step, and checks them after it.
        self._running = [buffer.array for buffer in program.buffers("statistic")]
        self.statistics = {id(array): np.empty_like(array) for array in self._running}
        # What is found in gradients and running statistics, each checked in halves by two threads.
        self._found = np.zeros((1 + len(self._running), 2), np.int64)
        # The uniform numbers of all dropout masks, a row for each step.
        drawn = sum(step.out[0].bytes // 4 for step in self._assembler.draws)
        self._draws = np.empty((0, drawn), np.float32)
        # Instructions and each group's scalars (a row a step), by the updates that they end with:
        # which parameters move may change back and forth, and no table is assembled twice.
        self._tables: dict[Any, tuple[Array, list[Array]]] = {}
        self._keep_alive: list[object] = []  # what the tables refer to
        # What machine code lacks is found out now, not in the middle of a training.
        self._code(upcoming_updates(optimizer, moving, 1), 1)
        self._machine = function(MACHINE)

    def run(self, order: Array, steps: int, gradients: bool = True) -> tuple[Array, Array, float]:
        """Make up to `steps` updates on the samples in `order`, batch after batch.

        `gradients`: whether the last step leaves all of them in memory. Returns each batch's loss,
        how many answers were correct, and the learning rate of the last update.
        """
        steps = min(steps, MOST)
        updates = upcoming_updates(self._optimizer, self._moving, steps)
        # All that Python has to provide is made beforehand: the call does not return in between.
        self._allocate_draws(steps)
        for k in range(steps if self._assembler.draws else 0):
            self._draw(k)
        task, _samples = self._task(self._code(updates, steps), order, steps)
        task["gradients"] = gradients
        self._with_assistant(partial(self._machine, address(task), 0), task)
        self._assembler.check_messages()
        self._optimizer.count(self._moving, steps)
        return self._losses[:steps], self._correct[:steps], updates[0].rates[-1]

    def step_by_step(self, order: Array, steps: int, make: "Callable[[Stepping], object]") -> None:
        """Let `make` take up to `steps` steps on the samples in `order`, one by one.

        It is given a `Stepping`. Another thread shares the work of each step, as in `run`.
        """
        steps = min(steps, MOST)
        self._allocate_draws(steps)
        # A schedule is asked for no more than the next step: the callbacks may change its answer.
        updates = upcoming_updates(
            self._optimizer, self._moving, 1 if scheduled(self._optimizer) else steps
        )
        code = self._code(updates, steps)
        task, samples = self._task(code, order, steps)
        task["open"] = True
        stepping = Stepping(self, task, samples, updates, code)

        def work() -> None:
            try:
                make(stepping)
            finally:
                # The task is open, so the other thread waits for more until it is told otherwise:
                # also if a callback raises.
                dismiss(self._mailbox)

        self._with_assistant(work, task)

    def _task(self, code: Array, order: Array, steps: int) -> tuple[Array, Array]:
        """The task of these steps, and the samples' indices, whose address is in it."""
        samples = np.ascontiguousarray(order[: steps * self._batch], np.int64)
        # If no two instructions are paired, a second thread would only spin and wait.
        shared = assistant() is not None and bool(code[:, opcodes.PAIRED].any())
        task = new_task(
            code=code,
            constants=self._constants,
            samples=samples,
            steps=steps,
            batch=self._batch,
            losses=self._losses,
            correct=self._correct,
            mailbox=self._mailbox,
            shared=shared,
        )
        return task, samples

    def _with_assistant(self, work: Callable[[], object], task: Array) -> None:
        """Call `work`, which executes the task, beside this thread's assistant if it is shared."""
        other = assistant()
        if other is None or not task["shared"]:
            work()  # a thread that waits in vain takes time from this one
        else:
            assist = partial(self._machine, address(task), 1)
            other.both(work, assist, partial(dismiss, self._mailbox))

    def _allocate_draws(self, steps: int) -> None:
        """Make the array of random numbers large enough for so many steps."""
        width = self._draws.shape[1]
        if width and len(self._draws) < steps:
            self._draws = np.empty((steps, width), np.float32)
            self._tables.clear()  # the old array's address is in them
            self._keep_alive.clear()

    def _draw(self, k: int) -> None:
        """Draw the uniform numbers for the masks of step `k`, in the order of the layers."""
        at = 0
        for step in self._assembler.draws:
            numbers = uniform(step.out[0].shape, step.options.get("shared"))
            self._draws[k, at : at + numbers.size] = numbers.reshape(-1)
            at += numbers.size

    def _code(self, updates: list[ScheduledUpdate], steps: int, first: int = 0) -> Array:
        """The table of instructions, with the scalars of these updates in rows `first` and on."""
        key = tuple((id(update.executor), update.spans, update.idle) for update in updates)
        if key not in self._tables:
            widths = [update.scalars.shape[1] for update in updates]
            fresh = [np.empty((MOST, width), np.float32) for width in widths]
            self._tables[key] = self._assemble(updates, fresh), fresh
        code, rows = self._tables[key]
        # The instructions hold these arrays' addresses: new numbers are written into them.
        for array, update in zip(rows, updates, strict=True):
            array[first : first + steps] = update.scalars
        return code

    def _assemble(self, updates: list[ScheduledUpdate], rows: list[Array]) -> Array:
        """The program with its masks' draws, and the updates, whose scalars are in `rows`."""
        compile_now(needed(self._optimizer))
        code = self._program_code()

        # With a batch of one, a weight is updated while its gradient is computed. Not if somebody
        # is to see the gradient first, or it is not whole before other processes' part is added.
        outers: list[isa.Outer] = []
        if not (self._stepwise or self._shared):
            outers = [item for item in code if isinstance(item, isa.Outer)]
        ending: Code = []
        fused: Fused = {}
        for update, scalars in zip(updates, rows, strict=True):
            separate, replaced = update_code(update, scalars, outers, self._keep_alive)
            ending += separate
            fused |= replaced
        # (The type is asked for, as tuples of the same numbers are equal whatever they stand for.)
        code = [fused.get(item, item) if isinstance(item, isa.Outer) else item for item in code]

        # A step that may be undone: saves before it, checks after it, and a stop before its update.
        if self._stepwise:
            gradients = updates[0].executor.vectors[1]
            code = [*self._saves(), *code, *self._checks(gradients)]
        return table([*code, *ending])

    def _program_code(self) -> Code:
        """The program's instructions, with the addresses of the numbers drawn for its masks."""
        code: Code = []
        offset = 0
        for item in self._assembler.code:
            if isinstance(item, isa.Dropout):
                # The row of step k begins `stride` floats behind that of step k - 1.
                at = address(self._draws) + 4 * offset
                offset += item.size
                item = item._replace(draws=at, stride=self._draws.shape[1])
            code.append(item)
        return code

    def _saves(self) -> Code:
        """Save the running statistics before a step that may be undone."""
        return [
            isa.Copy(
                size=array.size,
                source=address(array),
                target=address(self.statistics[id(array)]),
                plus_zero=False,
            )
            for array in self._running
        ]

    def _checks(self, gradients: Array) -> Code:
        """Check gradients and running statistics; stop the step here if a check finds something."""
        code: Code = []
        for array, found in zip([gradients, *self._running], self._found, strict=True):
            code.append(_check(array, found))
        return [*code, isa.Stop(size=self._found.size, found=address(self._found))]


def _check(array: Array, found: Array) -> Any:
    """A check of all numbers of an array; its halves write to the two numbers of `found`."""

    def part(first: int, last: int) -> isa.Check:
        return isa.Check(
            size=last - first,
            numbers=address(array) + 4 * first,
            found=address(found) + 8 * (first > 0),
        )

    return halves(array.size, array.size, part)


class Stepping:
    """The `steps` of a `NativeExecutor` one by one: `differentiate`, then (or not) `update`."""

    def __init__(
        self,
        executor: NativeExecutor,
        task: Array,
        samples: Array,
        updates: list[ScheduledUpdate],
        code: Array,
    ) -> None:
        self._executor, self._task, self._updates, self._code = executor, task, updates, code
        self._samples = samples  # kept alive: its address is in the task
        self._t = executor._optimizer.t
        self._address = address(task)
        self.steps = int(task["steps"])
        self.statistics = executor.statistics
        # Three parts, of which each is executed by itself: the step, its checks, its update.
        order = code[:, opcodes.OPCODE].tolist()
        self._check = order.index(opcodes.CHECK)  # where the first check is
        self._update = order.index(opcodes.STOP) + 1  # ... and the first update
        self._number = -1

    def differentiate(self) -> tuple[Any, int]:
        """Forward, loss and backward of the next batch, which leave the gradients in memory.

        Returns the loss, and how many answers were correct.
        """
        self._number += 1
        executor, number = self._executor, self._number
        executor._draw(number)
        self._task["first"], self._task["last"] = number, number + 1
        self._execute(0, self._check)
        executor._assembler.check_messages()
        return executor._losses[number], int(executor._correct[number])

    def update(self, checked: bool) -> bool:
        """Update the parameters with the gradients in memory, as ``optimizer.step()`` does.

        If `checked`, only if loss, gradients and running statistics are found to be finite, and so
        small that no square overflows. Returns whether they were updated.
        """
        executor = self._executor
        optimizer, moving = executor._optimizer, executor._moving
        # A callback may have changed anything since the gradients were made.
        expected = self._as_expected() and optimizer.vectors.collect() == moving
        if checked and not (expected and math.isfinite(executor._losses[self._number])):
            return False
        if not expected:
            optimizer.step()  # a gradient has been taken away, or what moves has changed
            return True
        self._execute(self._check if checked else self._update, len(self._code))
        if checked and executor._found.any():
            return False
        optimizer.count(moving, 1)
        return True

    def _as_expected(self) -> bool:
        """Whether the code is that of the next update; its scalars are in memory then."""
        executor, number = self._executor, self._number
        optimizer = executor._optimizer
        if optimizer.t == self._t + number and still_upcoming(optimizer, self._updates):
            return True
        # Other numbers, such as a schedule's, are written to this step's row. The table is another
        # one if other parameters move, or by another rule.
        updates = upcoming_updates(optimizer, executor._moving, 1)
        return executor._code(updates, 1, number) is self._code

    def _execute(self, begin: int, end: int) -> None:
        """Execute the instructions from `begin` to `end` for the current step."""
        self._task["begin"], self._task["end"] = begin, end
        self._executor._machine(self._address, 0)


class OneByOne:
    """Whole steps of a `NativeExecutor`, one at a time, on whatever is in the arrays it was given.

    Updates are prepared for many steps; each step looks whether they still hold.
    """

    def __init__(self, executor: NativeExecutor) -> None:
        self._executor = executor
        self._samples = np.arange(executor._batch)
        self._number = self._steps = 0

    def step(self) -> Any:
        """Make the next step; returns the batch's loss."""
        executor, optimizer = self._executor, self._executor._optimizer
        if self._number == self._steps or not still_upcoming(optimizer, self._updates):
            self._prepare()
        number = self._number
        if executor._assembler.draws:
            executor._draw(number)
        self._task["first"], self._task["last"] = number, number + 1
        executor._with_assistant(self._run, self._task)
        self._number += 1
        optimizer.count(executor._moving, 1)
        return executor._losses[number]

    def _prepare(self) -> None:
        """Prepare the updates of the next steps: of one, if a schedule has to be asked for it."""
        executor = self._executor
        self._number, self._steps = 0, 1 if scheduled(executor._optimizer) else MOST
        self._updates = upcoming_updates(executor._optimizer, executor._moving, self._steps)
        executor._allocate_draws(self._steps)
        code = executor._code(self._updates, self._steps)
        self._task, self._samples = executor._task(code, self._samples, self._steps)
        # All steps take the same samples, and each leaves its gradients in memory.
        self._task["batch"], self._task["gradients"] = 0, True
        self._task["shared"] &= executor.flops >= SHARED_STEP
        self._run = partial(executor._machine, address(self._task), 0)
