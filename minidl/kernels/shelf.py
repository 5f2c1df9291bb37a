"""The shelf: where a kernel is put to stand in for a composition."""

import inspect
from collections.abc import Callable

from ..fusable import Fusable


def kernel(op: Fusable[...], backend: str) -> Callable[[type], type]:
    """Class decorator: its static methods ``forward`` and ``backward`` become `op`'s kernel on `backend`.

    A ``backward`` that takes `places` makes gradients in the arrays that it is given there, by the
    numbers of their arguments.
    """

    def register(pair: type) -> type:
        forward, backward = pair.forward, pair.backward  # type: ignore[attr-defined]
        op.kernels[backend] = forward, backward
        if "places" in inspect.signature(backward).parameters:
            op.placers.add(backward)
        return pair

    return register
