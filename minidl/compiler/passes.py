"""What makes a program shorter and smaller without changing a number.

Dead code, fusion, and memory. The first two passes return a new program of the same buffers; the
last one writes the buffers' offsets.
"""

from collections import Counter

import numpy as np

from .program import Buffer, Instruction, Program

_IN_PLACE = {
    "add_bias",
    "activate",
    "bias_activate",
    "activation_back",
    "batch_norm",
    "batch_norm_back",
    "shared_norm_back",
}
_EFFECTS = {"dropout_mask", "softmax_cross_entropy"}  # besides those without a result
_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def optimised(program: Program) -> Program:
    """The program after all passes; its `history` tells what each did."""
    for transform in (without_dead_code, without_copies, fused, placed):
        program = transform(program)
        program.note(transform.__name__.replace("_", " "))
    return program


def without_dead_code(program: Program) -> Program:
    """Leave out what nobody reads.

    Above all the gradient of the input, 40 % of a small network's arithmetic.
    """
    # Backwards: who reads a buffer comes after the instruction that fills it.
    needed: set[Buffer] = set(program.results)
    kept = []
    for step in reversed(program.instructions):
        read = any(b.kind != "work" or b.home in needed for b in step.out)
        # These do more than fill buffers: a mask that nobody needs moves the random stream, too.
        effects = step.op in _EFFECTS or getattr(step.options.get("function"), "whole", False)
        if read or not step.out or effects:
            kept.append(step)
            needed.update(b.home for b in step.args)
    return Program(kept[::-1], program.history, results=program.results)


def without_copies(program: Program) -> Program:
    """Let a gradient be made where it is wanted, if it was only to be copied there."""
    places: dict[Buffer, Buffer] = {}
    written = Counter(b.home for step in program.instructions for b in step.out)
    viewed = {b.root for step in program.instructions for b in _named(step) if b.root is not None}
    taken = viewed | set(program.results)  # what has to stay where it is
    kept = []
    for step in program.instructions:
        source = step.args[0] if step.args else None
        copied = step.op == "copy" and _as_good(step.args[0], step.out[0], written)
        if copied and source not in taken and source not in places:
            places[step.args[0]] = step.out[0]
        else:
            kept.append(step)

    def placed(buffers: tuple[Buffer, ...]) -> tuple[Buffer, ...]:
        return tuple(places.get(b, b) for b in buffers)

    moved = [step._replace(out=placed(step.out), args=placed(step.args)) for step in kept]
    return Program(moved, program.history, results=program.results)


def _as_good(source: Buffer, target: Buffer, written: dict[Buffer, int]) -> bool:
    """Whether the gradient `source` may be made in `target` at once, each being written once."""
    alike = (source.shape, source.dtype, source.strides) == (target.shape, target.dtype, None)
    whole = source.kind == "work" and source.root is None and target.root is None
    return alike and whole and written[target] == written[source] == 1 and target.kind == "gradient"


def fused(program: Program) -> Program:
    """Add a bias and take the activation of the sum in one pass over the memory."""
    users: dict[Buffer, int] = {}
    for step in program.instructions:
        for buffer in step.args:
            users[buffer] = users.get(buffer, 0) + 1
    found: list[Instruction] = []
    for step in program.instructions:
        before = found[-1] if found else None
        if before is not None and _activates_sum(before, step, users):
            found[-1] = Instruction("bias_activate", step.out, before.args, step.options)
        else:
            found.append(step)
    return Program(found, program.history, results=program.results)


def _activates_sum(before: Instruction, step: Instruction, users: dict[Buffer, int]) -> bool:
    """Whether `step` is the activation, and the only reader, of what `before` adds up."""
    if (before.op, step.op) != ("add_bias", "activate"):
        return False
    return step.args[0] is before.out[0] and users[before.out[0]] == 1


def placed(program: Program) -> Program:
    """Give each work buffer its offset in one piece of memory; the buffers are changed.

    Each takes the place of an operand if the instruction can work in place, else the first hole
    that is large enough, else new memory at the end.
    """
    last = {b.home: i for i, step in enumerate(program.instructions) for b in _named(step)}
    last |= dict.fromkeys(program.results, len(program.instructions))  # are read after the step
    free: list[tuple[int, int]] = []  # (offset, size) of the holes, in the order of their offsets
    top = 0  # where new memory begins
    for i, step in enumerate(program.instructions):
        for buffer in dict.fromkeys(b.home for b in step.out):
            if buffer.kind != "work" or buffer.offset >= 0:
                continue
            operand = _replaceable(step, buffer, last, i)
            if operand is not None:
                buffer.offset = operand.offset
                last[operand] = -1  # its memory is not free yet
                continue
            size = _rounded(buffer.bytes)
            hole = next((h for h in free if h[1] >= size), None)
            if hole is None:
                buffer.offset, top = top, top + size
            else:
                free.remove(hole)
                buffer.offset = hole[0]
                if hole[1] > size:
                    free.append((hole[0] + size, hole[1] - size))
        done = [b for b in {b.home for b in _named(step)} if b.kind == "work" and last[b] == i]
        free = _merged([*free, *((b.offset, _rounded(b.bytes)) for b in done)])
    return Program(program.instructions, program.history, max(top, _ALIGNMENT), program.results)


def _named(step: Instruction) -> tuple[Buffer, ...]:
    return (*step.args, *step.out)


def _replaceable(
    step: Instruction, buffer: Buffer, last: dict[Buffer, int], number: int
) -> Buffer | None:
    """The operand whose memory instruction `number` can write its result to, if there is one."""
    in_place = step.op in _IN_PLACE or elementwise(step.op)
    if not in_place or buffer is not step.out[0] or not step.args:
        return None
    operand = step.args[0]
    unused = operand.kind == "work" and operand.root is None and last[operand] == number
    others = [b for b in step.args[1:] if b.home is operand]
    alike = (operand.bytes, operand.strides) == (buffer.bytes, buffer.strides)
    return operand if unused and alike and not others else None


def elementwise(op: str) -> bool:
    """Whether an instruction is one of NumPy's functions of single numbers."""
    function = getattr(np, op, None)
    return isinstance(function, np.ufunc) and function.signature is None


def _rounded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _merged(holes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same holes in the order of their offsets, neighbours joined."""
    joined: list[tuple[int, int]] = []
    for offset, size in sorted(holes):
        if joined and sum(joined[-1]) == offset:
            joined[-1] = joined[-1][0], joined[-1][1] + size
        else:
            joined.append((offset, size))
    return joined
