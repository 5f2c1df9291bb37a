"""Sums of rows, 64 numbers side by side: what products with sparse matrices are made of, kept in vector registers.

LLVM is told the 64 lanes as one vector, and spreads it over as many registers as the processor's are wide: eight of
AVX2's. So many sums at a time keep both multipliers of a core busy; fewer would wait for one another.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64
_LANES = ir.VectorType(ir.FloatType(), LANES)
_INDEX, _WORD = ir.IntType(32), ir.IntType(64)


def _at(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _summing(onto: bool, apart: bool) -> Any:
    """A function that adds up rows, each times its factor, in their order, and leaves 64 sums in memory.

    It begins with what is there if `onto`, else with zeros; if `apart`, the sum is added to what is there at the end.
    """

    @intrinsic
    def sum_rows(context: Any, target: Any, rows: Any, stride: Any, entries: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, rows, stride, entries, count = args
            sums = cgutils.alloca_once(builder, _LANES)
            place = _at(builder, target, _LANES)
            zeros = ir.Constant(_LANES, [0.0] * LANES)
            builder.store(builder.load(place, align=4) if onto else zeros, sums)
            kind = ir.FunctionType(_LANES, [_LANES] * 3)
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
            with cgutils.for_range(builder, count) as loop:
                entry = builder.add(entries, builder.shl(loop.index, _WORD(3)))
                number = builder.zext(builder.load(_at(builder, entry, _INDEX)), _WORD)
                factor = builder.load(_at(builder, builder.add(entry, _WORD(4)), ir.FloatType()))
                row = builder.load(_at(builder, builder.add(rows, builder.mul(number, stride)), _LANES), align=4)
                one = builder.insert_element(ir.Constant(_LANES, ir.Undefined), factor, _INDEX(0))
                spread = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
                factors = builder.shuffle_vector(one, ir.Constant(_LANES, ir.Undefined), spread)
                builder.store(builder.call(multiply_add, [factors, row, builder.load(sums)]), sums)
            found = builder.load(sums)
            found = builder.fadd(builder.load(place, align=4), found) if apart else found
            builder.store(found, place).align = 4
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), generate

    return sum_rows


set_to_rows = _summing(onto=False, apart=False)
add_rows = _summing(onto=True, apart=False)
add_sum_of_rows = _summing(onto=False, apart=True)


@intrinsic
def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Any:
    """A b + c for three float32, rounded as in the sums of rows."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.FloatType()
        kind = ir.FunctionType(number, [number] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.f32"), args)

    return types.float32(types.float32, types.float32, types.float32), generate


@intrinsic
def copy(context: Any, source: Any, target: Any) -> Any:
    """64 numbers from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (_at(builder, address, _LANES) for address in args)
        builder.store(builder.load(source, align=4), target).align = 4
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def entry(context: Any, index: Any, factor: Any) -> Any:
    """An entry of a list: the number of a row in its lower half, the factor's bits in the upper."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        upper = builder.zext(builder.bitcast(args[1], _INDEX), _WORD)
        return builder.or_(builder.shl(upper, _WORD(32)), args[0])

    return types.int64(types.int64, types.float32), generate
