"""What two threads of machine code need to share work: atomic reads and writes of one number in memory."""

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_X86 = platform.machine() in ("x86_64", "AMD64")


def _at(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())


@intrinsic
def load(context: Any, address: Any) -> Any:
    """The number at an address, and with it all that its writer wrote before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_at(builder, args[0]), "acquire", 8)

    return types.int64(types.int64), generate


@intrinsic
def store(context: Any, address: Any, value: Any) -> Any:
    """Write a number to an address, after all that was written before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _at(builder, args[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def claimed(context: Any, address: Any, number: Any) -> Any:
    """Put zero in the place of `number`, if that is at an address; whether it was."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pair = builder.cmpxchg(_at(builder, args[0]), args[1], _WORD(0), "acq_rel", "acquire")
        return builder.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64), generate


@intrinsic
def pause(context: Any) -> Any:
    """Tell the processor that this thread is waiting."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _X86:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), generate
