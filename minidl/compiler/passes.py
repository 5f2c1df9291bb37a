"""What makes a program shorter and smaller without changing a number: dead code, fusion, places in memory."""

from .program import Buffer, Instruction, Program

IN_PLACE = {"add_bias", "activate", "bias_activate", "activation_back", "multiply", "batch_norm", "batch_norm_back"}
_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def optimised(program: Program) -> Program:
    """The program after all passes; its `history` tells what each did."""
    for transform in (without_dead_code, fused, placed):
        program = transform(program)
        program.note(transform.__name__.replace("_", " "))
    return program


def without_dead_code(program: Program) -> Program:
    """Leave out what nobody reads: above all the gradient of the input, 40 % of a small network's arithmetic."""
    needed: set[Buffer] = set()
    kept = []
    for step in reversed(program.instructions):
        lasting = any(b.kind != "work" or b in needed for b in step.out) or step.op in ("update", "dropout_mask")
        if lasting or step.op == "softmax_cross_entropy":
            kept.append(step)
            needed.update(step.args)
    return Program(kept[::-1], program.history)


def fused(program: Program) -> Program:
    """Add a bias and take the activation of the sum in one pass over the memory."""
    steps = list(program.instructions)
    users: dict[Buffer, int] = {}
    for step in steps:
        for buffer in step.args:
            users[buffer] = users.get(buffer, 0) + 1
    found: list[Instruction] = []
    for step in steps:
        before = found[-1] if found else None
        if before is not None and step.op == "activate" and before.op == "add_bias" and _flows(before, step, users):
            found[-1] = Instruction("bias_activate", step.out, before.args, step.options)
        else:
            found.append(step)
    return Program(found, program.history)


def _flows(before: Instruction, step: Instruction, users: dict[Buffer, int]) -> bool:
    """Whether all that `before` makes goes into `step`, and nowhere else."""
    return step.args[0] is before.out[0] and users[before.out[0]] == 1


def placed(program: Program) -> Program:
    """Give each work buffer its place: over one that is no longer needed, or in place of an operand, if it fits."""
    last = {b: i for i, step in enumerate(program.instructions) for b in (*step.args, *step.out)}
    free: list[tuple[int, int]] = []  # (offset, size) of the holes, in the order of their offsets
    top = 0
    for i, step in enumerate(program.instructions):
        for buffer in step.out:
            if buffer.kind != "work" or buffer.offset >= 0:
                continue
            over = step.args[0] if step.op in IN_PLACE and buffer is step.out[0] else None
            if over is not None and over.kind == "work" and last[over] == i and over.bytes == buffer.bytes:
                buffer.offset = over.offset
                last[over] = -1  # its place is not to be given back
                continue
            size = -(-buffer.bytes // _ALIGNMENT) * _ALIGNMENT
            hole = next((h for h in free if h[1] >= size), None)
            if hole is None:
                buffer.offset, top = top, top + size
            else:
                free.remove(hole)
                buffer.offset = hole[0]
                if hole[1] > size:
                    free.append((hole[0] + size, hole[1] - size))
        done = [b for b in dict.fromkeys((*step.args, *step.out)) if b.kind == "work" and last[b] == i]
        read = [b for b in done if b.name not in ("loss", "right")]  # by those who made the step, afterwards
        free = _merged(free + [(b.offset, -(-b.bytes // _ALIGNMENT) * _ALIGNMENT) for b in read])
    return Program(program.instructions, program.history, max(top, _ALIGNMENT))


def _merged(holes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same holes, neighbours joined."""
    joined: list[tuple[int, int]] = []
    for offset, size in sorted(holes):
        if joined and sum(joined[-1]) == offset:
            joined[-1] = joined[-1][0], joined[-1][1] + size
        else:
            joined.append((offset, size))
    return joined
