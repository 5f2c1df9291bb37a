"""What a launcher such as mpiexec or srun tells each process that it starts."""

import os

_SIZES = "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"  # MPICH and Intel, Open MPI, srun


def launched() -> int:
    """How many processes were started together with this one, itself included: 1 without a launcher."""
    sizes = [os.environ.get(name, "") for name in _SIZES]
    return max((int(size) for size in sizes if size.isdecimal()), default=1)
