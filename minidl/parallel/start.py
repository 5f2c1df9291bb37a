"""Before the first step: that all ranks are about to train the same, and have the same numbers."""

import platform
from itertools import zip_longest
from typing import Any

import numpy as np

from .. import __version__
from ..backend import backend_of, generator, restore_rng, rng_state
from ..data import Loader
from ..errors import OptionError, StateError
from ..nn._module import Buffer
from ..train.callbacks import Run
from ..train.saving.run_state import fingerprint
from .communicator import Communicator

STREAMS = "init", "shuffle", "dropout", "split", "sample", "augment"


def check_possible(run: Run) -> None:
    """Raise `OptionError` for what several ranks cannot train."""
    if not hasattr(run.optimizer, "vectors"):
        raise OptionError("fit: parallel: it needs one of minidl's optimizers, whose gradients are one vector")
    values = run.optimizer.vectors.values
    if backend_of(values) != "numpy":
        raise OptionError(
            "fit: parallel: ranks are for the CPU as yet: use_backend('numpy'), or train on one GPU alone"
        )
    if values.dtype not in (np.float32, np.float64):
        raise OptionError(f"fit: parallel: MPI adds float32 and float64, and the parameters are {values.dtype}")


def compare(run: Run, loader: Loader, options: dict[str, Any], comm: Communicator) -> None:
    """Raise `StateError` in all ranks, and say how they differ, unless all have been started with the same."""
    all_facts = comm.gather(_facts(run, loader, options))
    for rank, facts in enumerate(all_facts):
        differing = [name for name, value in all_facts[0].items() if facts[name] != value]
        if differing:
            shown = "; ".join(f"{name}: {_apart(facts[name], all_facts[0][name])}" for name in differing)
            raise StateError(
                f"rank {rank} of {comm.size} is not like rank 0: {shown}: start all ranks with the same program, "
                f"options and data"
            )


def _apart(theirs: Any, ours: Any) -> str:
    """The first lines in which two values differ: that of another rank, and rank 0's."""
    pairs = zip_longest(str(theirs).splitlines(), str(ours).splitlines(), fillvalue="nothing")
    return next(f"{a.strip()} instead of {b.strip()}" for a, b in pairs if a != b)


def _facts(run: Run, loader: Loader, options: dict[str, Any]) -> dict[str, Any]:
    """What must be the same in all ranks: JSON values."""
    data = fingerprint(loader.dataset)
    groups = [{k: repr(v) for k, v in group.items() if k != "params"} for group in run.optimizer.groups]
    settings = {k: v for k, v in options.items() if v is None or isinstance(v, int | float | str)}
    return {
        "minidl": __version__,
        "NumPy": np.__version__,
        "Python": platform.python_version(),
        "seed": rng_state()["seed"],
        "training data": f"{data['samples']} samples with SHA-256 {data['sha256'][:12]}",
        "batch size": loader.batch_size,
        "batches": len(loader),
        "model": repr(run.model) if " at 0x" not in repr(run.model) else "",
        "parameters": [list(p.data.shape) for p in run.optimizer.vectors.parameters],
        "optimizer": f"{type(run.optimizer).__name__}, t={run.optimizer.t}",
        "hyperparameters": [{k: v for k, v in group.items() if " at 0x" not in v} for group in groups],
    } | {f"{name}=": value for name, value in settings.items()}


def begin_alike(run: Run, comm: Communicator) -> None:
    """Give all ranks the weights, statistics, optimizer's state and random streams of rank 0."""
    for purpose in STREAMS:  # those that no seed has started, too
        generator(purpose)
    restore_rng(comm.from_first(rng_state()))
    vectors = run.optimizer.vectors
    vectors.claim()
    held = {id(p) for p in vectors.parameters}
    buffers = [buffer for _, buffer in run.model.named_tensors(Buffer)]
    others = [p for p in run.model.parameters() if id(p) not in held]
    for array in [vectors.values, *vectors.state.values(), *(tensor.data for tensor in (*buffers, *others))]:
        comm.broadcast_(array)
    for tensor in (*vectors.parameters, *buffers, *others):
        tensor.changed()


def send_state(found: Any, comm: Communicator) -> tuple[dict[str, np.ndarray], Any]:
    """What rank 0 has `found`, the arrays and the JSON values of a checkpoint, in all ranks."""
    arrays, content = found or ({}, None)
    layout = comm.from_first([(name, array.dtype.str, array.shape) for name, array in arrays.items()])
    received = {name: arrays.get(name, np.empty(shape, dtype)) for name, dtype, shape in layout}
    for array in received.values():
        comm.broadcast_(array)
    return received, comm.from_first(content)
