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


_GROUP = ir.VectorType(ir.FloatType(), 8)  # lanes that OpenBLAS may make of two sums: see order.py


def _at(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _moved(builder: Any, address: Any, offset: int) -> Any:
    return builder.add(address, _WORD(offset))


class _Sum:
    """Lanes that rows are added to: `kind` says how many, `place` where they begin and end."""

    def __init__(self, builder: Any, kind: Any, address: Any, onto: bool) -> None:
        self._builder, self._kind = builder, kind
        self.place = _at(builder, address, kind)
        self._lanes = cgutils.alloca_once(builder, kind)
        zeros = ir.Constant(kind, [0.0] * kind.count)
        builder.store(builder.load(self.place, align=4) if onto else zeros, self._lanes)

    def add(self, row: Any, factor: Any) -> None:
        """Add a row times its factor, with one rounding where the processor can."""
        builder, kind, nothing = self._builder, self._kind, ir.Constant(self._kind, ir.Undefined)
        one = builder.insert_element(nothing, factor, _INDEX(0))
        factors = builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_INDEX, kind.count), [0] * kind.count))
        signature = ir.FunctionType(kind, [kind] * 3)
        name = f"llvm.fmuladd.v{kind.count}f32"
        multiply_add = cgutils.get_or_insert_function(builder.module, signature, name)
        builder.store(builder.call(multiply_add, [factors, row, builder.load(self._lanes)]), self._lanes)

    def keep(self, apart: bool = False) -> None:
        """Write the lanes to their place; `apart`, added to what is there."""
        found = self._builder.load(self._lanes)
        found = self._builder.fadd(self._builder.load(self.place, align=4), found) if apart else found
        self._builder.store(found, self.place).align = 4


def _entry(builder: Any, entries: Any, index: Any) -> tuple[Any, Any]:
    """The number of a row and its factor, of an entry of a list."""
    at = builder.add(entries, builder.shl(index, _WORD(3)))
    number = builder.zext(builder.load(_at(builder, at, _INDEX)), _WORD)
    return number, builder.load(_at(builder, _moved(builder, at, 4), ir.FloatType()))


def _parted(builder: Any, number: Any, factor: Any, limit: Any) -> tuple[Any, Any]:
    """An entry's factors for the sums of even and of odd numbers: one is zero. From `limit` on, all count as even."""
    odd = builder.and_(builder.trunc(number, ir.IntType(1)), builder.icmp_signed("<", number, limit))
    zero = ir.Constant(ir.FloatType(), 0.0)
    return builder.select(odd, zero, factor), builder.select(odd, factor, zero)


def _summing(onto: bool, apart: bool) -> Any:
    """A function that adds up rows, each times its factor, in their order, and leaves 64 sums in memory.

    It begins with what is there if `onto`, else with zeros; if `apart`, the sum is added to what is there at the end.
    """

    @intrinsic
    def sum_rows(context: Any, target: Any, rows: Any, stride: Any, entries: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, rows, stride, entries, count = args
            sums = _Sum(builder, _LANES, target, onto)
            with cgutils.for_range(builder, count) as loop:
                number, factor = _entry(builder, entries, loop.index)
                place = _at(builder, builder.add(rows, builder.mul(number, stride)), _LANES)
                sums.add(builder.load(place, align=4), factor)
            sums.keep(apart)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), generate

    return sum_rows


def _summing_rim(onto: bool) -> Any:
    """As `_summing`, and 8 of the 64 lanes, from `group` bytes on, also as sums of even and odd numbers in `pair`."""

    @intrinsic
    def sum_rows(context: Any, target: Any, pair: Any, rows: Any, stride: Any, entries: Any, count: Any, group: Any,
                 limit: Any) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, pair, rows, stride, entries, count, group, limit = args
            sums = _Sum(builder, _LANES, target, onto)
            both = [_Sum(builder, _GROUP, _moved(builder, pair, at), onto) for at in (0, 32)]
            with cgutils.for_range(builder, count) as loop:
                number, factor = _entry(builder, entries, loop.index)
                row = builder.add(rows, builder.mul(number, stride))
                sums.add(builder.load(_at(builder, row, _LANES), align=4), factor)
                some = builder.load(_at(builder, builder.add(row, group), _GROUP), align=4)
                for one, part in zip(both, _parted(builder, number, factor, limit), strict=True):
                    one.add(some, part)
            for one in (sums, *both):
                one.keep()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), generate

    return sum_rows


def _summing_pairs(onto: bool) -> Any:
    """A function that adds up rows as two sums of 64 lanes each in `pair`: of even numbers, and of odd ones."""

    @intrinsic
    def sum_rows(context: Any, pair: Any, rows: Any, stride: Any, entries: Any, count: Any, limit: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pair, rows, stride, entries, count, limit = args
            both = [_Sum(builder, _LANES, _moved(builder, pair, at), onto) for at in (0, 4 * LANES)]
            with cgutils.for_range(builder, count) as loop:
                number, factor = _entry(builder, entries, loop.index)
                row = builder.load(_at(builder, builder.add(rows, builder.mul(number, stride)), _LANES), align=4)
                for one, part in zip(both, _parted(builder, number, factor, limit), strict=True):
                    one.add(row, part)
            for one in both:
                one.keep()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), generate

    return sum_rows


set_to_rows = _summing(onto=False, apart=False)
add_rows = _summing(onto=True, apart=False)
add_sum_of_rows = _summing(onto=False, apart=True)
set_to_rows_and_rim, add_rows_and_rim = _summing_rim(onto=False), _summing_rim(onto=True)
set_pairs_to_rows, add_rows_to_pairs = _summing_pairs(onto=False), _summing_pairs(onto=True)


@intrinsic
def multiply_add(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c for three float32, rounded as in the sums of rows."""

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
