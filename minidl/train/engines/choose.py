"""What makes a run's steps: a compiled program where that is possible, else the eager loop."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend import backend_of
from ...data import Loader
from ...errors import OptionError, UnsupportedError
from ...overrides import overridden
from ..callbacks import Callback, Run
from .compiled import Compiled, go_on_dense
from .cuda_graph import Recorded
from .eager import Eager
from .stepwise import Stepwise

OPTIONAL = ("minidl.compiler", "minidl.kernels")  # folders that may be deleted

Engine = Compiled | Stepwise | Recorded | Eager


def engine(
    run: Run,
    loader: Loader,
    loss: Callable[[Any, Any], Any],
    watchers: list[Callback],
    compiled: bool | None,
    zeros: bool = True,
) -> Engine:
    """The engine of a `fit`. `compiled` is what the user wants: True, False, or None for what is best.

    `zeros`: whether machine code may pass over zeros in the inputs. The run's history takes note of the reason if the
    steps are eager though that was not asked for.

    Raises `OptionError`, with the reason, if a compiled step is wanted and cannot be had.
    """
    made = _engine(run, loader, loss, watchers, compiled, zeros)
    if run.straight and not isinstance(made, Compiled | Stepwise):
        go_on_dense(run)
    return made


def _engine(
    run: Run,
    loader: Loader,
    loss: Callable[[Any, Any], Any],
    watchers: list[Callback],
    compiled: bool | None,
    zeros: bool,
) -> Engine:
    eager = Eager(run, loader, loss, watchers)
    if compiled is False:
        return eager
    there = {backend_of(p.data) for p in run.model.parameters()}
    if there == {"cupy"} and compiled is None:  # a recorded step has not been run on a GPU yet: only if asked for
        return eager
    step, reason = _recorded(run, loader, loss) if there == {"cupy"} else _step(run, loader, loss)
    reason = reason or _wanted_by(watchers, stepwise=there != {"cupy"})
    if reason is None:
        if there == {"cupy"}:
            return Recorded(run, step)
        steps = Compiled(run, loader, step, eager, zeros)
        return Stepwise(run, loader, steps, watchers) if any(w.overrides("on_gradients") for w in watchers) else steps
    if compiled:
        raise OptionError(f"fit: compile=True: {reason}; leave compile out, and such training runs eagerly")
    run.history.reason = reason
    return eager


def _wanted_by(watchers: list[Callback], stepwise: bool) -> str | None:
    """What callbacks want to see that only eager steps show them; compiled ones show gradients, if one by one."""
    if any(w.overrides("on_step") for w in watchers):
        return "a callback has an on_step, which is to see every step"
    if not stepwise and any(w.overrides("on_gradients") for w in watchers):
        return "a callback has an on_gradients, which is to see the gradients of every step"
    return None


def _step(run: Run, loader: Loader, loss: Callable[[Any, Any], Any]) -> tuple[Any, str | None]:
    """The compiled step of a run, and why there is none."""
    inputs, labels = loader.dataset.inputs, loader.dataset.labels
    if any(backend_of(p.data) != "numpy" for p in run.model.parameters()):
        return None, "the model is not on the CPU"
    if type(loader) is not Loader or not isinstance(inputs, np.ndarray) or inputs.ndim != 2:
        return None, "it needs a Loader of minidl's own, over NumPy arrays of shape (N, D)"
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.ndim != 1:
        return None, "it needs integer labels of shape (N,)"
    changed = overridden(loader, "batches", "_here")
    if changed is not None:
        return None, changed
    try:
        from ...compiler import Step
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
        from ...compiler.cuda_graph import GraphStep
        from ...compiler.eligibility import in_the_way
    except ModuleNotFoundError as missing:
        if missing.name not in OPTIONAL:
            raise
        return None, f"{missing.name} is not there"
    reason = in_the_way(run.model, loss, run.optimizer) or overridden(loader, "batches", "_there")
    if reason is not None:
        return None, reason
    run.model.train()
    try:
        return GraphStep(run.model, loss, run.optimizer, loader), None
    except UnsupportedError as error:
        return None, str(error)
