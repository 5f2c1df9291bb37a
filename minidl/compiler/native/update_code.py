"""The instructions of an optimizer's update, which call the loop that was written from its rule."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from ...backend import Array
from ...optim.execution.upcoming import ScheduledUpdate
from ...optim.flat import aligned
from .cache.objects import load
from .jit import instruction_set as isa
from .jit.opcodes import OUTER_CHUNK
from .rule_codegen import rule_file
from .table import Code, address, halves

SKIP_FROM = 64  # outputs: to skip a weight's rows of fewer takes longer than to update them

Fused = dict[isa.Outer, isa.UpdateOuter]


def update_code(
    update: ScheduledUpdate, scalars: Array, outers: Sequence[isa.Outer], keep_alive: list[object]
) -> tuple[Code, Fused]:
    """One group's update: of the whole vectors, but for weights whose gradient is an outer product.

    scalars: (N, S) float32, a row for each step. outers: the program's outer products that may be
    applied as they are computed. Returns the instructions that follow the backward pass, and for
    each of those outer products the one that replaces it. What they refer to is appended to
    `keep_alive`.
    """
    # The loop reads its vectors' addresses from memory: one table serves all of a group's updates.
    vectors = update.executor.vectors
    addresses = np.array([address(vector) for vector in vectors])
    loop = load(rule_file(update.rule.name, update.executor.plan))
    keep_alive += [addresses, *vectors, scalars, update.executor]
    stride = scalars.shape[1] * 4
    make = partial(
        isa.Update, loop=loop, vectors=address(addresses), scalars=address(scalars), stride=stride
    )
    code: Code = []
    fused: Fused = {}

    def append(begin: int, end: int) -> None:
        """An update of the elements from `begin` to `end`, by two threads if that pays."""
        count = end - begin
        code.append(halves(count, count, lambda a, b: make(start=begin + a, stop=begin + b)))

    # Each span is walked from outer product to outer product: those replace their own part of the
    # update, and what lies between them is updated as usual.
    placed = _places(outers, vectors[1])
    for start, stop in update.spans:
        at = start
        for first, outer in placed:
            last = first + outer.inputs * outer.outputs
            if not start <= first <= last <= stop:
                continue
            # While it runs, the interpreter lets the gradient's address lead to the scratch buffer.
            own_addresses = addresses.copy()
            scratch = aligned(max(outer.outputs, OUTER_CHUNK), np.float32)
            keep_alive += [own_addresses, scratch]
            fused[outer] = isa.UpdateOuter(
                loop=loop,
                vectors=address(own_addresses),
                start=first,
                scalars=address(scalars),
                stride=stride,
                inputs=outer.inputs,
                outputs=outer.outputs,
                x=outer.x,
                d=outer.d,
                scratch=address(scratch),
                skip_zeros=update.idle and outer.outputs >= SKIP_FROM,
                gradient=outer.out,
            )
            append(at, first)
            at = last
        append(at, stop)
    return code, fused


def _places(outers: Sequence[isa.Outer], gradients: Array) -> list[tuple[int, isa.Outer]]:
    """The outer products that go into this vector, with the number of their first element there."""
    begin = address(gradients)
    end = begin + gradients.nbytes
    return sorted(((o.out - begin) // 4, o) for o in outers if begin <= o.out < end)
