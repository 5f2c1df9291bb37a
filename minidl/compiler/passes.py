"""What makes a program shorter and smaller without changing a number.

Dead code, fusion, and memory. The first two passes return a new program of the same buffers; the
last one writes the buffers' offsets.
"""

from .program import Buffer, Instruction, Program

_IN_PLACE = {
    "add_bias",
    "activate",
    "bias_activate",
    "activation_back",
    "multiply",
    "batch_norm",
    "batch_norm_back",
}
_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def optimised(program: Program) -> Program:
    """The program after all passes; its `history` tells what each did."""
    for transform in (without_dead_code, fused, placed):
        program = transform(program)
        program.note(transform.__name__.replace("_", " "))
    return program


def without_dead_code(program: Program) -> Program:
    """Leave out what nobody reads.

    Above all the gradient of the input, 40 % of a small network's arithmetic.
    """
    needed: set[Buffer] = set()
    kept = []
    for step in reversed(program.instructions):
        read = any(b.kind != "work" or b in needed for b in step.out)
        if read or step.op in ("update", "dropout_mask", "softmax_cross_entropy"):
            kept.append(step)
            needed.update(step.args)
    return Program(kept[::-1], program.history)


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
    return Program(found, program.history)


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
    last = {b: i for i, step in enumerate(program.instructions) for b in (*step.args, *step.out)}
    free: list[tuple[int, int]] = []  # (offset, size) of the holes, in the order of their offsets
    top = 0
    for i, step in enumerate(program.instructions):
        for buffer in step.out:
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
        for buffer in dict.fromkeys((*step.args, *step.out)):
            # Loss and correct answers are read after the step.
            done = buffer.kind == "work" and last[buffer] == i
            if done and buffer.name not in ("loss", "right"):
                free.append((buffer.offset, _rounded(buffer.bytes)))
        free = _merged(free)
    return Program(program.instructions, program.history, max(top, _ALIGNMENT))


def _replaceable(
    step: Instruction, buffer: Buffer, last: dict[Buffer, int], number: int
) -> Buffer | None:
    """The operand whose memory instruction `number` can write its result to, if there is one."""
    if step.op not in _IN_PLACE or buffer is not step.out[0]:
        return None
    operand = step.args[0]
    unused = operand.kind == "work" and last[operand] == number
    return operand if unused and operand.bytes == buffer.bytes else None


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
