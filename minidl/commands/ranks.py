"""``minidl train`` as one of several processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import OptionError
from ..system.launched import launched


@contextmanager
def as_rank(parallel: bool, deadline: float, debug: bool) -> Iterator[Any]:
    """Within the block this process is one of the ranks, if it is `parallel`: the communicator, None if it is alone.

    Only rank 0 is heard, but with `debug` all are. Raises `OptionError` if the processes were started without it.
    """
    if not parallel and launched() > 1:
        raise OptionError(
            f"{launched()} processes were started together, and each would train the same: give --parallel, and they "
            f"train one model"
        )
    if not parallel or launched() == 1:
        yield None
        return
    from ..parallel import world

    comm: Any = world(deadline)
    if comm.rank and not debug:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    with comm.guarding():
        yield comm


def again(comm: Any, resume: str) -> str:
    """The command that goes on with a run, of which `resume` is the one for a process alone."""
    if comm is None:
        return resume
    from ..parallel.board import BOARD

    if BOARD in os.environ:
        return resume.replace("minidl train", f"minidl train --ranks {comm.size}")
    # Of a step within a job srun tells the size; mpiexec within a job is a step of one task.
    by_srun = os.environ.get("SLURM_STEP_NUM_TASKS") == str(comm.size)
    launcher = "srun --mpi=pmi2 --kill-on-bad-exit" if by_srun else "mpiexec"
    return f"{launcher} -n {comm.size} {resume.replace('minidl train', 'minidl train --parallel')}"
