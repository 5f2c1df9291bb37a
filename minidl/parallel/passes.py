"""Forward, loss and backward of this rank's rows, and the one message that makes the gradients those of all rows."""

import operator
import zlib
from collections.abc import Callable
from typing import Any

from .. import hooks
from ..autograd import wrap
from ..errors import StateError
from ..nn import BatchNorm
from ..nn._module import Buffer
from ..nn._shared_batch import sharing
from ..ops.shape import plain
from ..train.callbacks import Run
from ..train.engines.accumulation import accumulate, rows
from ..train.engines.eager import Passes
from ..train.metrics import RunningMetrics
from .communicator import Communicator
from .message import Tail
from .shares import SharedLoader

CHECKED = 100  # steps between two comparisons of the ranks' weights


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
        vectors.make_room(self._tail.size)

    @property
    def engine(self) -> str:  # type: ignore[override]  # what made the rows' passes
        """What made the last ones."""
        return self._passes.engine

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        run, vectors, cut = self._run, self._run.optimizer.vectors, self._loader.cut
        self._comm.note_step(run.step)
        if run.step and run.step % CHECKED == 0:
            self._compare_weights()
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

    def _compare_weights(self) -> None:
        """Raise `StateError` in all ranks if their weights are not the same bits."""
        values = self._run.optimizer.vectors.values
        mine = zlib.crc32(values.view("uint8"))
        largest, least = self._comm.maximum([mine, -mine])
        if largest == -least:
            return
        of_all = self._comm.gather(mine)
        other = [str(rank) for rank, found in enumerate(of_all) if found != of_all[0]]
        raise StateError(
            f"the weights of rank {', '.join(other)} differ from those of rank 0 at step {self._run.step:,}: something "
            f"changes them in one rank alone, a callback or a damaged memory"
        )


def _norms(model: Any) -> list[BatchNorm]:
    return [layer for _, layer in model.named_modules() if isinstance(layer, BatchNorm)]
