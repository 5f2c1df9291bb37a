"""What machine code needs to reach memory and other machine code by address: pointers, and calls through them."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def pointer(context: Any, address: Any) -> Any:
    """An address as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


def caller(result: Any) -> Any:
    """A function that calls what is at an address with the scalars of a tuple, as C does."""

    @intrinsic
    def call_at(context: Any, address: Any, arguments: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = [builder.extract_value(args[1], i) for i in range(len(arguments))]
            returned = ir.VoidType() if result is types.void else context.get_value_type(result)
            kind = ir.FunctionType(returned, [value.type for value in values])
            found = builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)
            return context.get_dummy_value() if result is types.void else found

        return result(types.int64, arguments), generate

    return call_at


call, call_float = caller(types.void), caller(types.float32)


@njit(inline="always", error_model="numpy")
def floats(address: Any, count: Any) -> Any:
    return carray(pointer(address), (count,), np.float32)


@njit(inline="always", error_model="numpy")
def loop(address: Any, data: Any, count: Any, places: Any, source: Any, target: Any) -> Any:
    """One ufunc of one argument, by NumPy's own inner loop."""
    places[0], places[1], places[3], places[4], places[5] = source, target, count, 4, 4
    at = places.ctypes.data
    call(address, (at, at + 24, at + 32, data))
