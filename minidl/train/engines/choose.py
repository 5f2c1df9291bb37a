"""Which engine makes a run's steps: a compiled program where that is possible, else the eager loop."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend import backend_of
from ...data import Loader
from ...errors import OptionError, UnsupportedError
from ...overrides import overridden
from ..callbacks import Callback, Run
from .compiled import Compiled, warn_of_other_sums
from .cuda_graph import CudaGraphEngine
from .eager import Eager
from .engine import Engine
from .stepwise import Stepwise

OPTIONAL = ("minidl.compiler", "minidl.kernels")  # folders that may be deleted


def choose_engine(
    run: Run,
    loader: Loader,
    loss: Callable[[Any, Any], Any],
    watchers: list[Callback],
    compiled: bool | None,
    zeros: bool = True,
) -> Engine:
    """The engine of a `fit`. `compiled` is what the user asked for: True, False, or None for the fastest.

    `zeros`: whether machine code may skip zeros in the inputs. If the steps are eager and the user did not ask for
    that, the run's history says why.

    Raises `OptionError`, with the reason, if a compiled step was asked for and is not possible.
    """
    engine = _engine(run, loader, loss, watchers, compiled, zeros)
    if run.straight and not isinstance(engine, Compiled | Stepwise):
        warn_of_other_sums(run)
    return engine


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
    on_gpu = {backend_of(p.data) for p in run.model.parameters()} == {"cupy"}
    if on_gpu and compiled is None:  # a CUDA graph has not been run on a GPU yet
        run.history.reason = "on a GPU, a step is captured as a CUDA graph only for compile=True"
        return eager
    step, reason = _cuda_graph_step(run, loader, loss) if on_gpu else _compiled_step(run, loader, loss)
    reason = reason or _callbacks_need_eager(watchers, on_gpu)
    if reason is not None:
        if compiled:
            raise OptionError(f"fit: compile=True: {reason}; leave compile out, and such training runs eagerly")
        run.history.reason = reason
        return eager
    if on_gpu:
        return CudaGraphEngine(run, step)
    engine = Compiled(run, loader, step, eager, zeros)
    stepwise = any(watcher.overrides("on_gradients") for watcher in watchers)
    return Stepwise(run, loader, engine, watchers) if stepwise else engine


def _callbacks_need_eager(watchers: list[Callback], on_gpu: bool) -> str | None:
    """Which callback needs eager steps, if any; `Stepwise` calls on_gradients too, but not on a GPU."""
    if any(w.overrides("on_step") for w in watchers):
        return "a callback has an on_step, which is to see every step"
    if on_gpu and any(w.overrides("on_gradients") for w in watchers):
        return "a callback has an on_gradients, which is to see the gradients of every step"
    return None


def _compiled_step(run: Run, loader: Loader, loss: Callable[[Any, Any], Any]) -> tuple[Any, str | None]:
    """The compiled step of a run on the CPU, and why there is none."""
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


def _cuda_graph_step(run: Run, loader: Loader, loss: Callable[[Any, Any], Any]) -> tuple[Any, str | None]:
    """The step of a run on a GPU, to be captured as a CUDA graph, and why there is none."""
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
