"""Where NumPy keeps the machine code that it calls itself: OpenBLAS's products, and the inner loops of its ufuncs.

A compiled step calls the same code as the eager one, so that the two give the same bits. The layout of a ufunc is
part of NumPy's C interface; the names of OpenBLAS's functions are those in NumPy's wheels. Where something is not
found, the step is replayed by NumPy instead.
"""

import ctypes
import functools

import numpy as np

from ...errors import UnsupportedError

_FUNCTIONS, _DATA = 32, 40  # offsets in PyUFuncObject: the table of loops, and that of their data pointers


@functools.cache
def blas(name: str) -> int:
    """The address of a CBLAS function with 64-bit integers. Raises `UnsupportedError` if NumPy uses another library."""
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    for written in (f"scipy_cblas_{name}64_", f"cblas_{name}64_"):
        if hasattr(library, written):
            return ctypes.cast(getattr(library, written), ctypes.c_void_p).value or 0
    raise UnsupportedError(f"NumPy's linear algebra has no {name} with 64-bit integers")


@functools.cache
def loop(ufunc: np.ufunc, types: str) -> tuple[int, int]:
    """The address of a ufunc's inner loop for these `types` ("ff->f"), and its data pointer.

    Raises `UnsupportedError` if it has none.
    """
    if types not in ufunc.types:
        raise UnsupportedError(f"np.{ufunc.__name__} has no loop for {types}")
    number = ufunc.types.index(types)
    table, data = (ctypes.c_void_p.from_address(id(ufunc) + at).value or 0 for at in (_FUNCTIONS, _DATA))
    word = ctypes.sizeof(ctypes.c_void_p)
    address = ctypes.c_void_p.from_address(table + number * word).value
    return address or 0, ctypes.c_void_p.from_address(data + number * word).value or 0
