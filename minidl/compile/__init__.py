"""Compiled training steps: ``step = minidl.compile(model, loss, optimizer); value = step(x, y)``.

lower.py writes a step down as instructions (program.py), passes.py makes them fewer and gives their buffers places
in memory, replay.py carries them out with NumPy, native.py with machine code, where Numba is installed. Delete this
folder and everything still works, more slowly.
"""

import sys
from types import ModuleType
from typing import Any

from .step import Step

__all__ = ["Step", "compile"]


def compile(model: Any, loss: Any, optimizer: Any) -> Step:
    """One training step of `model` as a static program; see `Step`."""
    return Step(model, loss, optimizer)


class _Callable(ModuleType):
    """So that the package's own name is the function which users call: ``minidl.compile(model, loss, optimizer)``."""

    __call__ = staticmethod(compile)


sys.modules[__name__].__class__ = _Callable
