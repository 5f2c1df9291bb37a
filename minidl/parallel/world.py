"""Finding out which processes were launched together."""

from typing import Any

from ..errors import OptionError
from ..system.extras import missing_extra
from ..system.launched import launched
from .communicator import Alone, Communicator


def world(deadline: float = 60.0) -> Alone | Communicator:
    """The ranks that mpiexec or srun has launched, for ``fit(..., parallel=world())``; without one, this process alone.

    Args:
        deadline: seconds after which the ranks that wait for another end all of them, since it hangs: at least so many,
            and 20 times the longest step so far. 0 waits for ever. The first call decides.

    Returns:
        What has a `rank`, from 0, and a `size`. A program may ask ``if world().rank == 0`` before it prints.

    Raises:
        MissingExtraError: processes were launched, and mpi4py is not there.
        OptionError: another MPI's mpiexec than mpi4py's has launched them.
    """
    global _made
    if launched() == 1:
        return Alone()
    if _made is None:
        _made = _connected(deadline)
    return _made


_made: Communicator | None = None


def _connected(deadline: float) -> Communicator:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: there is mpi4py, and no library of an MPI
        cause: Any = error if isinstance(error, ImportError) else ImportError(str(error))
        raise missing_extra("several processes need mpi4py and an MPI", "mpi4py", "mpi", cause) from error
    if MPI.COMM_WORLD.size != launched():
        library = MPI.Get_library_version().split()[0]
        raise OptionError(
            f"parallel: {launched()} processes were launched, and mpi4py's MPI ({library}) knows of "
            f"{MPI.COMM_WORLD.size}: use the mpiexec of that MPI"
        )
    return Communicator(MPI, deadline)
