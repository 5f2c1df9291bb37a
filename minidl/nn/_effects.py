"""What a forward pass changes beside its result, copied so that it can be undone."""

import operator
from typing import Any

from .. import hooks
from ..backend import generator
from ._module import Buffer, Module


class ForwardEffects:
    """What a forward pass in training mode changes: running statistics, and the position in the dropout stream."""

    def __init__(self, model: Module) -> None:
        self._model = model
        self._statistics: dict[int, Any] | None = None
        self.save()

    def save(self, draws: bool = True, statistics: dict[int, Any] | None = None) -> None:
        """Copy the present values; the position in the stream, which is slow to read, only if the pass `draws` from it.

        `statistics` are copies that the maker of the step has made already, by the id of the array that was copied.
        As long as they are the same, so are the model's buffers, which anybody may replace.
        """
        if statistics is None or statistics is not self._statistics:
            self._buffers = [buffer for _, buffer in self._model.named_tensors(Buffer)]
            self._statistics = statistics
        self._values = [statistics[id(b.data)] if statistics else b.data.copy() for b in self._buffers]
        self._position = generator("dropout").bit_generator.state if draws else None

    def restore(self) -> None:
        """Put back the values that `save` last copied."""
        for buffer, values in zip(self._buffers, self._values, strict=True):
            hooks.write(operator.setitem, buffer.data, ..., values)
            buffer.changed()
        if self._position is not None:
            generator("dropout").bit_generator.state = self._position
