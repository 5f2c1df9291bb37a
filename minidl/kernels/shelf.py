"""The shelf: where a kernel is put to stand in for a composition."""

from collections.abc import Callable

from ..fusable import Fusable


def kernel(op: Fusable[...], backend: str) -> Callable[[type], type]:
    """Class decorator: its static methods ``forward`` and ``backward`` become `op`'s kernel on `backend`."""

    def register(pair: type) -> type:
        op.kernels[backend] = (pair.forward, pair.backward)  # type: ignore[attr-defined]
        return pair

    return register
