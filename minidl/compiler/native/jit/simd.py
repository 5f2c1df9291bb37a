"""Sums of rows, 64 numbers side by side in vector registers: what sparse products are made of.

LLVM is given the 64 lanes as one vector, and spreads it over as many registers as the processor's
width asks for: eight of AVX2's. That many independent sums keep both multipliers of a core busy.

An *entry* is an int64 in memory: the index of a row in its lower half, a float32 in the upper. All
addresses, strides and counts are int64. `group` is the byte offset of 8 of the 64 lanes, which
OpenBLAS sums as even and odd terms apart; from term `limit` on, all terms count as even.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .opcodes import LANES

_LANES, _GROUP = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.FloatType(), 8)
_INT32, _INT64, _FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _offset(builder: Any, address: Any, offset: int) -> Any:
    return builder.add(address, _INT64(offset))


class _Accumulator:
    """Lanes that rows are added to, and the memory where they begin (if `continued`) and end."""

    def __init__(self, builder: Any, kind: Any, address: Any, continued: bool) -> None:
        self._builder, self._kind = builder, kind
        self._memory = _pointer(builder, address, kind)
        self._lanes = cgutils.alloca_once(builder, kind)  # LLVM keeps it in registers
        zeros = ir.Constant(kind, [0.0] * kind.count)
        first = builder.load(self._memory, align=4) if continued else zeros
        builder.store(first, self._lanes)

    def add(self, row: Any, factor: Any) -> None:
        """Add a row times a factor, with one rounding where the processor can."""
        builder, kind = self._builder, self._kind
        undefined = ir.Constant(kind, ir.Undefined)
        one = builder.insert_element(undefined, factor, _INT32(0))
        all_zero = ir.Constant(ir.VectorType(_INT32, kind.count), [0] * kind.count)
        factors = builder.shuffle_vector(one, undefined, all_zero)  # the factor in each lane
        signature = ir.FunctionType(kind, [kind] * 3)
        name = f"llvm.fmuladd.v{kind.count}f32"
        multiply_add = cgutils.get_or_insert_function(builder.module, signature, name)
        lanes = builder.load(self._lanes)
        builder.store(builder.call(multiply_add, [factors, row, lanes]), self._lanes)

    def write(self, added: bool = False) -> None:
        """Write the lanes to memory, or add them to what is there."""
        builder = self._builder
        lanes = builder.load(self._lanes)
        if added:
            lanes = builder.fadd(builder.load(self._memory, align=4), lanes)
        builder.store(lanes, self._memory).align = 4


def _load_entry(builder: Any, entries: Any, number: Any) -> tuple[Any, Any]:
    """The row's index and its factor, of entry `number`."""
    at = builder.add(entries, builder.shl(number, _INT64(3)))
    index = builder.zext(builder.load(_pointer(builder, at, _INT32)), _INT64)
    return index, builder.load(_pointer(builder, _offset(builder, at, 4), _FLOAT))


def _load_row(builder: Any, rows: Any, stride: Any, index: Any, kind: Any) -> Any:
    address = builder.add(rows, builder.mul(index, stride))
    return builder.load(_pointer(builder, address, kind), align=4)


def _even_and_odd(builder: Any, index: Any, factor: Any, limit: Any) -> tuple[Any, Any]:
    """A term's factors for the sums of even and of odd terms: one of them is zero."""
    is_odd = builder.trunc(index, ir.IntType(1))
    odd = builder.and_(is_odd, builder.icmp_signed("<", index, limit))
    zero = ir.Constant(_FLOAT, 0.0)
    return builder.select(odd, zero, factor), builder.select(odd, factor, zero)


def _sum_rows(continued: bool, added: bool) -> Any:
    """A function that sums `count` rows, each times its factor, in their order, into 64 lanes.

    It begins with what is at `target` if `continued`, else with zeros; at the end the sum is
    written there or, if `added`, added to what is there.
    """

    @intrinsic
    def sum_rows(
        context: Any, target: Any, rows: Any, stride: Any, entries: Any, count: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, rows, stride, entries, count = args
            sums = _Accumulator(builder, _LANES, target, continued)
            with cgutils.for_range(builder, count) as loop:
                index, factor = _load_entry(builder, entries, loop.index)
                sums.add(_load_row(builder, rows, stride, index, _LANES), factor)
            sums.write(added)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), generate

    return sum_rows


def _sum_rows_and_group(continued: bool) -> Any:
    """As `_sum_rows`, and one group of lanes also as sums of even and odd terms, in `pair`."""

    @intrinsic
    def sum_rows(
        context: Any,
        target: Any,
        pair: Any,
        rows: Any,
        stride: Any,
        entries: Any,
        count: Any,
        group: Any,
        limit: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, pair, rows, stride, entries, count, group, limit = args
            sums = _Accumulator(builder, _LANES, target, continued)
            even_and_odd = [
                _Accumulator(builder, _GROUP, _offset(builder, pair, at), continued)
                for at in (0, 32)
            ]
            with cgutils.for_range(builder, count) as loop:
                index, factor = _load_entry(builder, entries, loop.index)
                sums.add(_load_row(builder, rows, stride, index, _LANES), factor)
                part = _load_row(builder, builder.add(rows, group), stride, index, _GROUP)
                factors = _even_and_odd(builder, index, factor, limit)
                for half, half_factor in zip(even_and_odd, factors, strict=True):
                    half.add(part, half_factor)
            for accumulator in (sums, *even_and_odd):
                accumulator.write()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), generate

    return sum_rows


def _sum_rows_to_pair(continued: bool) -> Any:
    """A function that sums rows as two times 64 lanes in `pair`: even terms, and odd ones."""

    @intrinsic
    def sum_rows(
        context: Any, pair: Any, rows: Any, stride: Any, entries: Any, count: Any, limit: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pair, rows, stride, entries, count, limit = args
            even_and_odd = [
                _Accumulator(builder, _LANES, _offset(builder, pair, at), continued)
                for at in (0, 4 * LANES)
            ]
            with cgutils.for_range(builder, count) as loop:
                index, factor = _load_entry(builder, entries, loop.index)
                row = _load_row(builder, rows, stride, index, _LANES)
                factors = _even_and_odd(builder, index, factor, limit)
                for half, half_factor in zip(even_and_odd, factors, strict=True):
                    half.add(row, half_factor)
            for half in even_and_odd:
                half.write()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), generate

    return sum_rows


set_to_rows = _sum_rows(continued=False, added=False)
add_rows = _sum_rows(continued=True, added=False)
add_sum_of_rows = _sum_rows(continued=False, added=True)
set_to_rows_and_group = _sum_rows_and_group(continued=False)
add_rows_and_group = _sum_rows_and_group(continued=True)
set_pair_to_rows = _sum_rows_to_pair(continued=False)
add_rows_to_pair = _sum_rows_to_pair(continued=True)


@intrinsic
def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a · b + c for three float32, rounded as in the sums of rows."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_FLOAT, [_FLOAT] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.f32")
        return builder.call(function, args)

    return types.float32(types.float32, types.float32, types.float32), generate


@intrinsic
def copy_lanes(context: Any, source: Any, target: Any) -> Any:
    """Copy 64 numbers from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (_pointer(builder, address, _LANES) for address in args)
        builder.store(builder.load(source, align=4), target).align = 4
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def entry(context: Any, index: Any, value: Any) -> Any:
    """An entry: the index in the lower half, the value's bits in the upper."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.zext(builder.bitcast(args[1], _INT32), _INT64)
        return builder.or_(builder.shl(bits, _INT64(32)), args[0])

    return types.int64(types.int64, types.float32), generate
