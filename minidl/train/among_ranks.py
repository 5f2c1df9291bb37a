"""A `fit` among several processes: whether it is one, and what is different then (all else is in parallel/)."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from ..data import Loader
from ..errors import OptionError
from ..hardware.thread_limit import limit
from ..hardware.threads import CORES
from ..system.launched import launched
from .callbacks import Run
from .signals import in_common


def communicator(parallel: Any) -> Any:
    """The communicator that `fit` was given as `parallel`, if there are several ranks; None if this process is alone.

    Raises `OptionError` if it should have been given one: else all would train the same, into the same folder.
    """
    # Workers of mpi4py.futures have tasks of their own.
    if parallel is None and launched() > 1 and "mpi4py.futures" not in sys.modules:
        raise OptionError(
            f"fit: {launched()} processes were started together: give fit(..., parallel=minidl.parallel.world()), so "
            f"that they train one model (minidl train: --parallel); parallel=False lets each train by itself"
        )
    if parallel in (None, False):
        return None
    if not hasattr(parallel, "rank"):
        raise OptionError(f"fit: parallel={parallel!r}: give minidl.parallel.world(), or False")
    return parallel if parallel.size > 1 else None


@contextmanager
def together(comm: Any) -> Iterator[None]:
    """Within the block the ranks fail together, stop together, and only the first of them warns."""
    quiet = warnings.catch_warnings() if comm.rank else nullcontext()
    with comm.guarding(), in_common(), quiet:
        if comm.rank:
            warnings.simplefilter("ignore")
        yield


def threads_each(comm: Any, threads: int | None) -> int:
    """How many threads each rank may have: as many as asked for, else its part of this machine's cores."""
    return threads or limit() or max(1, CORES // comm.here)


def join(run: Run, loader: Loader, comm: Any, **options: Any) -> Loader:
    """Make the ranks those of `run`; returns a loader of this one's rows. `options`: what must be alike in all."""
    from ..parallel.training import Ranks

    run.ranks = Ranks(run, loader, options, comm)
    return run.ranks.loader


def agree(run: Run) -> None:
    """Let signals and wishes to stop count in all ranks, if there are several."""
    if run.ranks is not None:
        run.ranks.agree(run)
