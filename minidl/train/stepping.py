"""Where a training stands in its epochs, for whoever lets an engine make its steps."""

from typing import Any

from ..data import Loader
from .callbacks import Run
from .metrics import RunningMetrics


def in_mid_epoch(run: Run) -> bool:
    """Whether the present epoch has begun and not ended: so a run resumes whose checkpoint was saved there."""
    return run.epoch > len(run.history)


def begin_epoch(run: Run, loader: Loader) -> None:
    """Go on with the present epoch, or begin the next one: in training mode, in an order, on inputs, drawn now."""
    run.model.train()
    if not in_mid_epoch(run):
        run.epoch += 1
        run.batch = 0
        run.steps = len(loader)  # of streamed batches not yet known
        run.order = loader.order()
        run.transform_seed = loader.transform_seed()
        run.metrics = RunningMetrics(run.measures)
        run.steps_by_engine.clear()
    if run.inputs_seed != run.transform_seed:
        _make_inputs(run, loader)


def _make_inputs(run: Run, loader: Loader) -> None:
    """Let `run.inputs` be what the transform makes for this epoch: in one place, since engines hold its address."""
    made = loader.transformed(run.transform_seed)
    if made is None or run.inputs is None:
        run.inputs = made
    else:
        run.inputs[...] = made
    run.inputs_seed = run.transform_seed


def finished_row(run: Run) -> dict[str, Any]:
    """The training's part of the history's row of an epoch that is done."""
    return {"epoch": run.epoch, "step": run.step, "lr": run.lr, **run.metrics.means()}
