"""What makes a run's steps: a compiled program where that is possible, else the eager loop."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import backend_of
from ..data import Loader
from ..debug import debugging
from ..errors import OptionError, UnsupportedError
from .callbacks import Callback, Run
from .compiled import Compiled, go_on_dense
from .eager import Eager
from .recorded import Recorded

OPTIONAL = ("minidl.compile", "minidl.kernels")  # folders that may be deleted


def engine(
    run: Run, loader: Loader, loss: Callable[[Any, Any], Any], watchers: list[Callback], compiled: bool | None
) -> Compiled | Recorded | Eager:
    """The engine of a `fit`. `compiled` is what the user wants: True, False, or None for what is best.

    Raises `OptionError`, with the reason, if a compiled step is wanted and cannot be had.
    """
    made = _engine(run, loader, loss, watchers, compiled)
    if run.sparse and not isinstance(made, Compiled):
        go_on_dense(run)
    return made


def _engine(
    run: Run, loader: Loader, loss: Callable[[Any, Any], Any], watchers: list[Callback], compiled: bool | None
) -> Compiled | Recorded | Eager:
    eager = Eager(run, loader, loss, watchers)
    if compiled is False:
        return eager
    there = {backend_of(p.data) for p in run.model.parameters()}
    if there == {"cupy"} and compiled is None:  # a recorded step has not been run on a GPU yet: only if asked for
        return eager
    step, reason = _recorded(run, loader, loss) if there == {"cupy"} else _step(run, loader, loss)
    if any(type(w).on_step is not Callback.on_step for w in watchers):
        reason = "a callback has an on_step, which is to see the gradients of every step"
    if debugging():
        reason = "minidl.debug() is to see every op"
    if reason is None:
        return Recorded(run, step) if there == {"cupy"} else Compiled(run, loader, step, eager)
    if compiled:
        raise OptionError(f"fit: compile=True: {reason}; leave compile out, and such training runs eagerly")
    return eager


def _step(run: Run, loader: Loader, loss: Callable[[Any, Any], Any]) -> tuple[Any, str | None]:
    """The compiled step of a run, and why there is none."""
    inputs, labels = loader.dataset.inputs, loader.dataset.labels
    if any(backend_of(p.data) != "numpy" for p in run.model.parameters()):
        return None, "the model is not on the CPU"
    if type(loader) is not Loader or not isinstance(inputs, np.ndarray) or inputs.ndim != 2:
        return None, "it needs a Loader of minidl's own, over NumPy arrays of shape (N, D)"
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.ndim != 1:
        return None, "it needs integer labels of shape (N,)"
    try:
        from ..compile import Step
    except ModuleNotFoundError as missing:  # the folder may be deleted
        if missing.name not in OPTIONAL:
            raise
        return None, f"{missing.name} is not there"
    step = Step(run.model, loss, run.optimizer)
    run.model.train()
    step.bound(loader.batch_size, inputs, labels.astype(np.int64))
    return step, step.reason


def _recorded(run: Run, loader: Loader, loss: Callable[[Any, Any], Any]) -> tuple[Any, str | None]:
    """The step of a run on a GPU, to be recorded as a CUDA graph, and why there is none."""
    if type(loader) is not Loader or loader.dataset.labels.dtype.kind not in "iu":
        return None, "it needs a Loader of minidl's own, over integer labels"
    try:
        from ..compile.cupy_graph import GraphStep
    except ModuleNotFoundError as missing:
        if missing.name not in OPTIONAL:
            raise
        return None, f"{missing.name} is not there"
    run.model.train()
    try:
        return GraphStep(run.model, loss, run.optimizer, loader), None
    except UnsupportedError as error:
        return None, str(error)
