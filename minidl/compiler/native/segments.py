"""A recorded program as calls: machine code where that has its instructions, else NumPy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...backend import Array, generator
from ...errors import UnsupportedError
from ...hardware.threads import assistant
from ..numpy_executor import calls_of
from ..program import Instruction, Program
from .cache.objects import MACHINE, function
from .executor import SHARED_STEP
from .jit import instruction_set as isa
from .jit import opcodes
from .recorded import RecordedLayers
from .table import Code, Pair, address, table
from .task import dismiss, new_mailbox, new_task

Call = Callable[[], object]


class Segments:
    """Executes a recorded program, whose buffers have their arrays.

    Raises `UnsupportedError` if nothing of it is machine code, `OSError` if that cannot be loaded.
    """

    def __init__(self, program: Program) -> None:
        steps = [step for step in program.instructions if step.op != "update"]
        self._layers = RecordedLayers(max((b.bytes for b in program.buffers("work")), default=4))
        self._losses = [s.out[0].array for s in steps if s.op == "softmax_cross_entropy"]
        self._first: list[Call] = []  # what is called before all others
        code: Code = []
        parts: list[Any] = []  # calls, and the numbers of rows where a segment of code ends
        for step in steps:
            try:
                more = self._assembled(step)
            except UnsupportedError:
                if _is_check(step):
                    self._first += calls_of(step)
                    continue
                parts += [_rows(code), *calls_of(step)]
            else:
                code += more
        parts.append(_rows(code))
        self._first += self._layers.checks
        if not code:
            raise UnsupportedError("none of its instructions is machine code")
        self._code, self._constants = table(code), self._layers.constants
        self._mailbox, self._machine = new_mailbox(), function(MACHINE)
        self._scratch = np.zeros(2, np.int64)
        self._tasks: dict[bool, list[int]] = {}
        self._alone = self._calls(parts, shared=False)
        paired = program.flops >= SHARED_STEP and bool(self._code[:, opcodes.PAIRED].any())
        self._shared = self._calls(parts, shared=True) if paired else None
        self.python_calls = len(self._alone) - sum(isinstance(p, int) for p in parts)

    def run(self) -> None:
        """Execute the program once."""
        for call in self._first:
            call()
        other = assistant() if self._shared is not None else None
        if other is None or self._shared is None:
            for call in self._alone:
                call()
            self._layers.check_messages()
            return
        self._mailbox[...] = 0
        assist = partial(self._machine, self._tasks[True][0], 1)
        other.both(self._together, assist, partial(dismiss, self._mailbox))
        self._layers.check_messages()

    def _together(self) -> None:
        """Execute the program while the assistant waits for halves of instructions."""
        try:
            for call in self._shared or ():
                call()
        finally:
            dismiss(self._mailbox)

    def _assembled(self, step: Instruction) -> Code:
        if step.op == "softmax_cross_entropy" and len(self._losses) > 1:
            raise UnsupportedError("machine code notes one loss")
        code = self._layers.assembled(step)
        if step.op != "dropout_mask":
            return code
        # The numbers of all masks are drawn before the step, in the order of the masks.
        numbers = np.empty(step.out[0].shape, np.float32)
        self._first.append(partial(_draw, numbers))
        self._layers.keep(numbers)
        return [i._replace(draws=address(numbers)) for i in code if isinstance(i, isa.Dropout)]

    def _calls(self, parts: list[Any], shared: bool) -> list[Call]:
        """The parts as calls, with a task for each segment of code."""
        calls: list[Call] = []
        begin = 0
        for part in parts:
            if not isinstance(part, int):
                calls.append(part)
                continue
            if part > begin:
                task = self._task(begin, part, shared)
                self._tasks.setdefault(shared, []).append(address(task))
                self._layers.keep(task)
                calls.append(partial(self._machine, address(task), 0))
            begin = part
        return calls

    def _task(self, begin: int, end: int, shared: bool) -> Array:
        loss = self._losses[0] if self._losses else self._scratch
        task = new_task(
            code=self._code,
            constants=self._constants,
            samples=self._scratch,
            steps=1,
            batch=0,
            losses=loss,
            correct=self._scratch,
            mailbox=self._mailbox,
            shared=shared,
        )
        task["begin"], task["end"], task["open"] = begin, end, shared
        return task


def _rows(code: Code) -> int:
    """The rows of the table that an instruction list takes."""
    return sum(2 if isinstance(item, Pair) else 1 for item in code)


def _is_check(step: Instruction) -> bool:
    """Whether it only looks at the batch, which it may do before all others."""
    return step.op == "call" and not step.out and all(b.kind == "batch" for b in step.args)


def _draw(numbers: Array) -> None:
    generator("dropout").random(dtype=np.float32, out=numbers)
