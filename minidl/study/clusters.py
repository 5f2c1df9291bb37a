"""Executors of clusters, by name, where the libraries are installed: MPI, Dask, Slurm by submitit.

Each gives how many work for it, a function that makes the executor, and one that ends it at once.
"""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from ..errors import MissingExtraError, OptionError
from ..system.extras import missing_extra
from ..system.launched import launched

Cluster: TypeAlias = tuple[int, Callable[[], Executor], Callable[[Executor], None]]
SLURM_TASK = 60.0  # seconds of work in a job, at least: to start one takes seconds
_POLL = 1.0  # seconds between two looks at Slurm's jobs
_PATIENCE = 15  # looks, until a job that is gone counts as dead: a shared folder may show its result late
_LOGS = ".slurm"


@contextmanager
def driver(executor: str) -> Iterator[str | Executor | None]:
    """The executor for the one process that is to drive; None in those that work for it, once it has ended.

    That matters to "mpi" only, where mpiexec or srun has started this program several times. Raises `OptionError` if it
    has not, or if it has and `executor` is another; `MissingExtraError` without mpi4py.
    """
    if executor != "mpi":
        if launched() > 1:
            raise OptionError(
                f"mpiexec or srun has started {launched()} of this: add --executor mpi, which lets them work together"
            )
        yield executor
        return
    mpi, futures = _mpi4py()
    if mpi.COMM_WORLD.size < 2:
        raise OptionError("--executor mpi: start it by mpiexec or srun: one process drives, so -n 3 gives two workers")
    with futures.MPICommExecutor(mpi.COMM_WORLD, root=0) as found:
        yield found


def mpi() -> Cluster:
    """The other ranks of ``mpiexec -n N python -m mpi4py.futures PROGRAM``."""
    _, futures = _mpi4py()
    executor = futures.MPIPoolExecutor()
    return executor.num_workers, lambda: executor, lambda found: found.shutdown(wait=True, cancel_futures=True)


def _mpi4py() -> tuple[Any, Any]:
    try:
        from mpi4py import MPI, futures
    except ImportError as error:
        raise missing_extra("studies on ranks need mpi4py and an MPI", "mpi4py", "mpi", error) from error
    return MPI, futures


def dask(address: str) -> Cluster:
    """The workers of Dask's scheduler at this address, each to have one thread."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError(f"executor 'dask:{address}' needs Dask: pip install distributed") from error
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise OptionError(f"executor 'dask:{address}': no scheduler answers there: {error}") from error
    workers = len(client.nthreads())
    if not workers:
        client.close()
        raise OptionError(f"executor 'dask:{address}': it has no workers: start some by dask worker {address}")
    return workers, lambda: client.get_executor(pure=False), lambda _: client.close()


def slurm(options: str) -> Cluster:
    """Jobs of Slurm: ``partition=NAME,array=N`` and whatever else submitit takes; N is how many may run at once."""
    try:
        import submitit
    except ImportError as error:
        raise MissingExtraError(f"executor 'slurm:{options}' needs submitit: pip install submitit") from error
    given = dict(part.partition("=")[::2] for part in filter(None, options.split(",")))
    workers = given.pop("array", "10")
    if not workers.isdecimal() or not int(workers) or not all(given.values()):
        raise OptionError(f"executor 'slurm:{options}': write NAME=VALUE,..., such as slurm:partition=main,array=20")
    try:
        executor = submitit.AutoExecutor(_LOGS, cluster=given.pop("cluster", "slurm"))
        executor.update_parameters(**{name: int(v) if v.isdecimal() else v for name, v in _named(given).items()})
    except (RuntimeError, NameError) as error:
        raise OptionError(f"executor 'slurm:{options}': {error}") from error
    return int(workers), lambda: _Jobs(executor), lambda found: found.shutdown(wait=True, cancel_futures=True)


def _named(given: dict[str, str]) -> dict[str, str]:
    """Options by the names that submitit has for them."""
    shared = "timeout_min", "mem_gb", "cpus_per_task", "nodes", "tasks_per_node", "gpus_per_node", "name"
    return {name if name in shared else f"slurm_{name}": value for name, value in given.items()}


class _Jobs(Executor):
    """submitit's jobs as futures: a thread looks now and then which of them have ended."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._jobs: dict[Future[Any], Any] = {}
        self._missed: Counter[Future[Any]] = Counter()  # in how many looks a job was neither queued nor had a result
        self._ending = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        """A job."""
        future: Future[Any] = Future()
        with self._lock:
            self._jobs[future] = self._executor.submit(function, *arguments, **named)
        return future

    def _look(self) -> None:
        local = self._executor.cluster != "slurm"  # processes of this machine, to try things out
        while not self._ending:
            queued = None if local else _queued()
            with self._lock:
                jobs = [*self._jobs.items()]
            for future, job in jobs:
                if job.paths.result_pickle.exists() or (local and job.done()):
                    self._end(future, job.result)
                elif queued is not None and job.job_id not in queued:  # killed, or its result is on its way
                    self._missed[future] += 1
                    if self._missed[future] >= _PATIENCE:
                        self._end(future, partial(_raise, RuntimeError(f"job {job.job_id} left no result")))
            time.sleep(_POLL)

    def _end(self, future: Future[Any], result: Callable[[], Any]) -> None:
        """Give the future its result, or what it raises."""
        with self._lock:
            del self._jobs[future]
        try:
            future.set_result(result())
        except Exception as error:  # whatever a job ends with: its owner decides
            future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Look no more; cancel what runs."""
        self._ending = True
        with self._lock:
            jobs = [*self._jobs.values()]
        for job in jobs:
            job.cancel()
        if wait:
            self._thread.join()


def _queued() -> set[str] | None:
    """The jobs that Slurm knows to wait or run; None if it does not answer. It needs no accounting, as sacct does."""
    try:
        done = subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return set(done.stdout.split()) if done.returncode == 0 else None


def _raise(error: Exception) -> None:
    raise error
