"""MPI for machine code: the address of MPI_Allreduce, and the handles that it is called with."""

import ctypes
from typing import Any, NamedTuple

import numpy as np

_Allreduce = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * 6)


class Function(NamedTuple):
    """The `address` of a function like MPI_Allreduce, of six int64, and what keeps it alive."""

    address: int
    owner: Any


def all_reduce(mpi: Any, world: Any) -> Function:
    """MPI_Allreduce as it lies in the MPI library that mpi4py has loaded.

    Where it is not found, a function that calls Python, which takes some microseconds more.
    """
    try:
        library = ctypes.CDLL(mpi.__file__)  # a name is looked up in the libraries that it needs as well
        mpi._handleof(world)
        return Function(ctypes.cast(library.MPI_Allreduce, ctypes.c_void_p).value or 0, library)
    except (AttributeError, OSError):
        return by_python(mpi, world)


def by_python(mpi: Any, world: Any) -> Function:
    """A function like MPI_Allreduce that adds up float32 in place among the processes of `world`, by mpi4py."""

    def add(in_place: int, vector: int, count: int, *handles: int) -> int:
        array = np.ctypeslib.as_array((ctypes.c_float * count).from_address(vector))
        try:
            world.Allreduce(mpi.IN_PLACE, array)
        except mpi.Exception as error:
            return int(error.Get_error_code())
        return 0

    function = _Allreduce(add)
    return Function(ctypes.cast(function, ctypes.c_void_p).value or 0, function)


def handles(mpi: Any, world: Any) -> list[int]:
    """What MPI_Allreduce is told, in this MPI's own numbers: to add in place, float32, sums, and whose."""
    known = getattr(mpi, "_handleof", lambda thing: 0)  # 0: mpi4py before 4.1, where Python adds up
    numbers = int(mpi.IN_PLACE), known(mpi.FLOAT), known(mpi.SUM), known(world)
    return [ctypes.c_int64(number).value for number in numbers]  # signed
