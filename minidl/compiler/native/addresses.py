"""The addresses of machine code that NumPy calls itself: OpenBLAS's products, its ufuncs' loops.

A compiled step calls the same code as the eager one, so that the two give the same bits. The layout
of a ufunc is part of NumPy's C interface; the names of OpenBLAS's functions are those in NumPy's
wheels. Where something is not found, NumPy executes the step instead.
"""

import ctypes
import functools

import numpy as np

from ...errors import UnsupportedError

# Byte offsets in PyUFuncObject: the table of inner loops, and that of their data pointers.
_FUNCTIONS, _DATA = 32, 40


@functools.cache
def blas(name: str) -> int:
    """The address of a CBLAS function with 64-bit integers.

    Raises `UnsupportedError` if NumPy uses another library.
    """
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    for symbol in (f"scipy_cblas_{name}64_", f"cblas_{name}64_"):
        if hasattr(library, symbol):
            return ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value or 0
    raise UnsupportedError(f"NumPy's linear algebra has no {name} with 64-bit integers")


@functools.cache
def ufunc_loop(ufunc: np.ufunc, types: str) -> tuple[int, int]:
    """The address of a ufunc's inner loop for these `types` ("ff->f"), and its data pointer.

    Raises `UnsupportedError` if it has none.
    """
    if types not in ufunc.types:
        raise UnsupportedError(f"np.{ufunc.__name__} has no loop for {types}")
    number = ufunc.types.index(types)
    functions, data = _pointer(id(ufunc) + _FUNCTIONS), _pointer(id(ufunc) + _DATA)
    offset = number * ctypes.sizeof(ctypes.c_void_p)
    return _pointer(functions + offset), _pointer(data + offset)


def _pointer(address: int) -> int:
    """The pointer at an address."""
    return ctypes.c_void_p.from_address(address).value or 0
