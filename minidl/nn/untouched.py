"""Whether a layer runs as minidl wrote it.

A path that computes a layer's result without calling the layer (Sequential's fusion, a compiled step) passes by what
a user has put there: a subclass's or an instance's own ``forward``, a wrapped ``__call__``. It asks here first.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from .module import Module

Kind = TypeVar("Kind", bound=type[Module])

_FORWARDS: set[Callable[..., Any]] = set()  # minidl's own, as they were written
_CALL = Module.__call__


def written(kind: Kind) -> Kind:
    """Class decorator: `kind`, a layer of minidl's own, is how a layer with its ``forward`` is expected to run."""
    _FORWARDS.add(kind.forward)
    return kind


def untouched(layer: Any) -> bool:
    """Whether `layer` has a ``forward`` of minidl's own, and nothing stands between that and a call of the layer.

    A function that only watches, and says so by an attribute ``watches`` (the function that it stands for), is nothing.
    """
    kind = type(layer)
    forward, call = kind.forward, kind.__call__
    return (
        (forward in _FORWARDS or getattr(forward, "watches", None) in _FORWARDS)
        and (call is _CALL or getattr(call, "watches", None) is _CALL)
        and "forward" not in layer.__dict__
    )
