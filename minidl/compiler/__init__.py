"""Compiled training steps: ``step = minidl.compile(model, loss, optimizer); value = step(x, y)``.

lower.py writes a step down as instructions (program.py), passes.py makes them fewer and gives
their buffers places in memory. numpy_executor.py executes them with NumPy, native/ with machine
code where Numba is installed; cuda_graph.py has a step of its own for the GPU. Delete this folder
and everything still works, more slowly.
"""

from collections.abc import Callable
from typing import Any

from ..nn import Module
from ..optim import Optimizer
from .step import Step

__all__ = ["Step", "compile"]


def compile(model: Module, loss: Callable[[Any, Any], Any], optimizer: Optimizer) -> Step:
    """One training step of `model` as a static program; see `Step`."""
    return Step(model, loss, optimizer)
