"""Which engine makes a run's steps: a compiled program where that is possible, else the eager loop."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend import backend_of
from ...data import Loader
from ...errors import UnsupportedError
from ...overrides import overridden
from ..callbacks import Callback, Run
from ..clipping import Clipping
from .compiled import Compiled, warn_of_other_sums
from .cuda_graph import CudaGraphEngine
from .eager import Eager, loss_here, whole
from .engine import Engine
from .recorded import RecordedPasses, explain_eager
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
    # Of all engines only machine code can add in the first version's order.
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
    if not on_gpu:
        return _on_cpu(run, loader, loss, watchers, bool(compiled), zeros)
    step, reason = _cuda_graph_step(run, loader, loss)
    reason = reason or _callbacks_need_eager(watchers)
    if run.micro_batch:
        reason = reason or "gradients are accumulated over several batches"
    if reason is not None:
        explain_eager(run, reason, bool(compiled))
        return eager
    return CudaGraphEngine(run, step)


def _on_cpu(
    run: Run,
    loader: Loader,
    loss: Callable[[Any, Any], Any],
    watchers: list[Callback],
    required: bool,
    zeros: bool,
) -> Engine:
    """The engine on the CPU: a program of known layers, else recorded steps, else the eager loop."""
    eager = Eager(run, loader, loss, watchers)
    step, reason = _compiled_step(run, loader, loss)
    if reason is None:
        engine = Compiled(run, loader, step, eager, zeros)
        watched = any(w.overrides("on_step") or w.overrides("on_gradients") for w in watchers)
        return Stepwise(run, loader, engine, watchers) if watched or run.micro_batch else engine
    if step is not None:
        step.recorded.asked = required
        obstacle = step.recorded.obstacle()
        if obstacle is None:
            passes = whole(run, RecordedPasses(run, step.recorded, required), loss)
            return Eager(run, loader, loss, watchers, passes)
        reason = obstacle
    explain_eager(run, reason, required)
    return eager


def _callbacks_need_eager(watchers: list[Callback]) -> str | None:
    """Which callback needs eager steps on a GPU, if any."""
    if any(w.overrides("on_step") for w in watchers):
        return "a callback has an on_step, which is to see every step"
    if any(isinstance(w, Clipping) for w in watchers):
        return "clip_norm and clip_value look at the gradients of every step"
    if any(w.overrides("on_gradients") for w in watchers):
        return "a callback has an on_gradients, which is to see the gradients of every step"
    return None


def _compiled_step(run: Run, loader: Loader, loss: Callable[[Any, Any], Any]) -> tuple[Any, str | None]:
    """The compiled step of a run on the CPU, and why it is no program of known layers.

    None, if there cannot be one at all.
    """
    if any(backend_of(p.data) != "numpy" for p in run.model.parameters()):
        return None, "the model is not on the CPU"
    try:
        from ...compiler import Step
        from ...compiler.tape.step import RecordedSteps
    except ModuleNotFoundError as missing:  # the folder may be deleted
        if missing.name not in OPTIONAL:
            raise
        return None, f"{missing.name} is not there"
    own_metrics = _own_metrics(run)
    # Lowered now, for whole batches, to find out whether it can be; steps are always in training mode.
    step = Step(run.model, loss, run.optimizer)
    shared = None
    if run.ranks is not None:
        step.recorded = RecordedSteps(run.model, loss_here(run, loss), run.optimizer)
        loader, shared = run.ranks.loader.whole, run.ranks.step(loader.batch_size)
        if shared is None:
            return step, "ranks make parts of batches one by one"
    run.model.train()
    if own_metrics is not None:
        return step, own_metrics
    inputs, labels = loader.dataset.inputs, loader.dataset.labels
    if type(loader) is not Loader or not isinstance(inputs, np.ndarray) or inputs.ndim != 2:
        return step, "it needs a Loader of minidl's own, over NumPy arrays of shape (N, D)"
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.ndim != 1:
        return step, "the labels are targets, no classes"
    changed = overridden(loader, "batches", "_here")
    if changed is not None:
        return step, changed
    size = (run.micro_batch or loader.batch_size) if shared is None else shared.batch.rows
    step.bound(size, inputs, labels.astype(np.int64), shared)
    return step, step.reason


def _own_metrics(run: Run) -> str | None:
    """Why metrics of the user's own need each step's outputs, if they do: there is no validation set to measure."""
    if run.measures and run.validation is None:
        return f"without a validation set, metrics ({', '.join(run.measures)}) are to see every output"
    return None


def _cuda_graph_step(run: Run, loader: Loader, loss: Callable[[Any, Any], Any]) -> tuple[Any, str | None]:
    """The step of a run on a GPU, to be captured as a CUDA graph, and why there is none."""
    if type(loader) is not Loader or not loader.dataset.classes:
        return None, "it needs a Loader of minidl's own, over integer labels"
    try:
        from ...compiler.cuda_graph import GraphStep
        from ...compiler.eligibility import in_the_way
    except ModuleNotFoundError as missing:
        if missing.name not in OPTIONAL:
            raise
        return None, f"{missing.name} is not there"
    reason = _own_metrics(run) or in_the_way(run.model, loss, run.optimizer)
    reason = reason or overridden(loader, "batches", "_there")
    if reason is not None:
        return None, reason
    run.model.train()
    try:
        return GraphStep(run.model, loss, run.optimizer, loader), None
    except UnsupportedError as error:
        return None, str(error)
