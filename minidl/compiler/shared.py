"""How a step ends whose batch several processes share: with one message.

It adds up the gradients and, behind them, the loss, the answers that were right, and the running
statistics that each process has its own values of.
"""

from typing import Any

import numpy as np

from ..backend import Array
from ..nn._shared_batch import SharedStep
from .emitter import Emitter
from .program import Buffer


def exchange(code: Emitter, shared: SharedStep, loss: Buffer, right: Buffer, made: Any) -> None:
    """Let the gradients `made`, the loss and what was right become the whole batch's."""
    vectors, share = shared.vectors, shared.batch.share
    places = {id(gradient.array) for gradient in made}
    for piece in vectors.pieces:
        if id(piece.gradient) not in places:  # what has no gradient adds nothing
            piece.gradient[...] = 0
    message = _held("message", vectors.message)
    behind = vectors.message[vectors.size :]
    tail = _held("counts", behind)
    code.emit_to("copy", (tail,), (_held("what is counted", shared.behind(), "constant"),))
    code.emit_to("enclose", (tail,), (loss, right), share=share)
    averaged = []
    for statistic, place in shared.means:
        of_all = _held("mean", behind[place])
        own = _held("statistic", statistic.data.reshape(-1), "statistic")
        weights = _held("share", np.full(own.shape, share, own.dtype), "constant")
        code.emit_to("multiply", (of_all,), (own, weights))
        averaged.append((own, of_all))
    inside = [tail, *(of_all for _, of_all in averaged), *made]
    code.emit_to("all_reduce", (message,), tuple(inside), by=shared.batch.summing)
    code.emit_to("totals", (loss, right), (message, tail))
    for own, of_all in averaged:
        code.emit_to("copy", (own,), (of_all,))


def _held(name: str, array: Array, kind: str = "message") -> Buffer:
    return Buffer(name, array.shape, array.dtype, kind, array)
