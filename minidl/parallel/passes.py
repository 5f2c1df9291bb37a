"""Forward, loss and backward of this rank's rows, and the one message that makes the gradients those of all rows."""

import operator
from collections.abc import Callable
from typing import Any

from .. import hooks
from ..autograd import wrap
from ..nn import BatchNorm
from ..nn._module import Buffer
from ..nn._shared_batch import SharedStep, sharing
from ..ops.shape import plain
from ..train.callbacks import Run
from ..train.engines.accumulation import accumulate, rows
from ..train.engines.eager import Passes
from ..train.metrics import RunningMetrics
from .communicator import Communicator
from .message import Tail
from .shares import Cut, SharedLoader


class SharedPasses(Passes):
    """The `passes` of this rank's rows of each batch, whose loss is `part_of_loss`, made those of the whole batch."""

    def __init__(
        self, run: Run, passes: Passes, loss: Callable[[Any, Any], Any], loader: SharedLoader, comm: Communicator
    ) -> None:
        self._run, self._passes, self._loss, self._loader, self._comm = run, passes, loss, loader, comm
        synchronised = {id(b) for layer in _norms(run.model) if layer.sync for b in layer.buffers()}
        own = [b for _, b in run.model.named_tensors(Buffer) if id(b) not in synchronised and b.data.dtype.kind == "f"]
        vectors = run.optimizer.vectors
        self._tail = Tail(len(vectors.parameters), list(run.measures), own, comm.rank, comm.size)
        vectors.make_room(self._tail.size, comm.vector)

    @property
    def engine(self) -> str:  # type: ignore[override]  # what made the rows' passes
        """What made the last ones."""
        return self._passes.engine

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        run, vectors, cut = self._run, self._run.optimizer.vectors, self._loader.cut
        run.ranks.begin_step(run)
        here, outputs = RunningMetrics(run.measures), []

        def differentiate(number: int) -> Any:
            part, batch = cut.parts[number]
            labels = rows(y, part)
            with sharing(batch):
                loss, output = self._passes(rows(x, part), labels)
            outputs.append(output)
            if batch.counts:
                here.add(loss, output, labels, self._loss)
            return plain(loss)

        if len(cut.parts) == 1:
            loss = differentiate(0)
        else:
            loss = accumulate(vectors, [batch.total for _, batch in cut.parts], differentiate)
        loss = self._exchange(loss, here, cut.share)
        return wrap(loss), outputs[-1]

    def _exchange(self, loss: Any, here: RunningMetrics, share: float) -> Any:
        """Make this rank's gradients, loss, counts and statistics the whole batch's; returns the loss."""
        vectors = self._run.optimizer.vectors
        vectors.claim()
        moved = vectors.collect()
        for piece, has_gradient in zip(vectors.pieces, moved, strict=True):
            if not has_gradient:
                piece.gradient[...] = 0
        tail = vectors.message[vectors.size :]
        self._tail.fill(tail, loss, moved, here, share)
        self._comm.sum_(vectors.message)
        for piece, has_gradient in zip(vectors.pieces, self._tail.moved(tail), strict=True):
            held = piece.parameter.grad
            if not has_gradient:
                piece.parameter.grad = None
            elif held is None or held.data is not piece.gradient:
                piece.parameter.grad = wrap(piece.gradient)
        for buffer, mean in self._tail.statistics(tail):
            hooks.write(operator.setitem, buffer.data, ..., mean)
            buffer.changed()
        self.counted = self._tail.counted(tail)
        return tail[0].copy()

    def step(self, cut: Cut) -> SharedStep | None:
        """What a program of this rank's rows of a batch has to know; None if there is none."""
        (_, batch), *more = cut.parts
        if more or not batch.counts or self._run.measures:
            return None
        vectors = self._run.optimizer.vectors

        def behind() -> Any:
            return self._tail.before(batch.rows, [p.requires_grad for p in vectors.parameters], vectors.dtype)

        return SharedStep(batch, vectors, behind, self._tail.means)


def _norms(model: Any) -> list[BatchNorm]:
    return [layer for _, layer in model.named_modules() if isinstance(layer, BatchNorm)]
