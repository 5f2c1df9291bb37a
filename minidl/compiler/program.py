"""What a compiled training step is made of: buffers, and instructions that fill them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from ..display.tables import html_text


@dataclass(eq=False)
class Buffer:
    """An array of a program. `kind` says where it lives.

    ``"work"``: in the program's own memory; ``"batch"``: what a step is given; ``"parameter"``,
    ``"gradient"``, ``"statistic"``: in the model and its optimizer, where `array` is at once.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    kind: str = "work"
    array: Array = None
    offset: int = -1  # of a work buffer in the program's memory, in bytes
    strides: tuple[int, ...] | None = None  # None: it is contiguous, in C's order
    root: "Buffer | None" = None  # of a view: the buffer in whose memory it is, ...
    start: int = 0  # ... and at which byte of it

    @property
    def home(self) -> "Buffer":
        """The buffer whose memory it is in: itself, if it is no view."""
        return self if self.root is None else self.root

    @property
    def bytes(self) -> int:
        """Its size."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def __repr__(self) -> str:
        return self.name


class Instruction(NamedTuple):
    """``out = op(args, **options)``, executed by numpy_executor.py or native/assembler.py."""

    op: str
    out: tuple[Buffer, ...]
    args: tuple[Buffer, ...]
    options: dict[str, Any] = {}  # noqa: RUF012 (never written to)

    @property
    def flops(self) -> int:
        """Floating-point operations: two per product of a matrix product, else one per element."""
        if self.op in ("matmul", "weight_gradient"):
            (m, k), n = self.args[0].shape, self.args[1].shape
            return 2 * m * k * (n[0] if self.options.get("transposed") else n[1])
        return sum(math.prod(buffer.shape) for buffer in self.out or self.args)

    def __repr__(self) -> str:
        if self.op == "call":
            return f"{', '.join(map(repr, self.out))} = {self._called()}"
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        target = f"{', '.join(map(repr, self.out))} = " if self.out else ""
        return f"{target}{self.op}({', '.join(map(repr, self.args))}{options})"

    def _called(self) -> str:
        """Such as ``where(b1, b2, 0)``: a function of Python's."""
        positional, named = filled(self.options["template"], self.args)
        parts = [*map(repr, positional), *(f"{name}={value!r}" for name, value in named.items())]
        return f"{self.options['function'].__name__.strip('_')}({', '.join(parts)})"


@dataclass
class Program:
    """The instructions of a training step; `history` has a listing of them after each pass."""

    instructions: list[Instruction]
    history: list[tuple[str, str]] = field(default_factory=list)
    memory: int = 0  # bytes of all work buffers together, once they have their offsets
    results: tuple[Buffer, ...] = ()  # the work buffers that are read after the step

    def buffers(self, *kinds: str) -> list[Buffer]:
        """Its buffers of these kinds (of all, if none is named), in the order of first use."""
        found = dict.fromkeys(b for step in self.instructions for b in (*step.args, *step.out))
        return [b for b in found if not kinds or b.kind in kinds]

    @property
    def flops(self) -> int:
        """The floating-point operations of its instructions, without the update."""
        return sum(step.flops for step in self.instructions)

    def note(self, name: str) -> None:
        """Append a listing of the program as it is now, under the name of a pass."""
        self.history.append((name, self.listing()))

    def listing(self) -> str:
        """A line per instruction: shapes, floating-point operations, bytes read and written."""
        lines = []
        for step in self.instructions:
            moved = sum(b.bytes for b in (*step.args, *step.out))
            shapes = ", ".join("×".join(map(str, b.shape)) or "1" for b in step.out)
            lines.append(f"  {step!r:<76} {shapes:>18} {step.flops:>13,} flop {moved:>11,} B")
        work = self.buffers("work")
        held = self.memory or sum(b.bytes for b in work)
        total = f"{len(self.instructions)} instructions, {self.flops:,} flop"
        lines.append(f"  {total}; {len(work)} work buffers in {held:,} B")
        return "\n".join(lines)

    def __str__(self) -> str:
        return "\n".join(f"{name}:\n{listing}" for name, listing in self.history)


def listing_html(program: Program) -> str:
    """The listing after each pass for a notebook: the last is open, the others are for a click."""
    *earlier, last = program.history
    parts = [(name, listing, "") for name, listing in earlier] + [(*last, " open")]
    return "".join(
        f"<details{state}><summary>{name}</summary>{html_text(listing)}</details>"
        for name, listing, state in parts
    )


class Slot(int):
    """In the template of a call's arguments: the place of the operand of this number."""


def filled(template: Any, operands: Sequence[Any]) -> Any:
    """`template`, in tuples, lists and dictionaries, with the operands in their slots."""
    if isinstance(template, Slot):
        return operands[template]
    if isinstance(template, tuple | list):
        return type(template)(filled(part, operands) for part in template)
    if isinstance(template, dict):
        return {name: filled(part, operands) for name, part in template.items()}
    return template
