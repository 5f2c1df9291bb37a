"""Memory and other machine code by address: arrays, single numbers, records, calls."""

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

# Division by zero as in C: a check would keep LLVM from using vector instructions.
native = njit(error_model="numpy")


def _caller(result: Any) -> Any:
    """A function that calls the C function at an address with the scalars of a tuple."""

    @intrinsic
    def call_at(context: Any, address: Any, arguments: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = [builder.extract_value(args[1], i) for i in range(len(arguments))]
            void = result is types.void
            returned = ir.VoidType() if void else context.get_value_type(result)
            kind = ir.FunctionType(returned, [value.type for value in values])
            value = builder.call(builder.inttoptr(args[0], kind.as_pointer()), values)
            return context.get_dummy_value() if void else value

        return result(types.int64, arguments), generate

    return call_at


call, call_float32 = _caller(types.void), _caller(types.float32)
call_int32 = _caller(types.int32)


def _array_at(dtype: Any) -> Any:
    """A function that views `count` numbers at an address as an array, without copying."""

    @intrinsic
    def view(context: Any, address: Any, count: Any) -> Any:
        array = types.Array(dtype, 1, "C")

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            made = context.make_array(array)(context, builder)
            data = builder.inttoptr(args[0], made.data.type)
            size = context.get_constant(types.intp, dtype.bitwidth // 8)
            populate_array(
                made, data=data, shape=[args[1]], strides=[size], itemsize=size, meminfo=None
            )
            return made._getvalue()

        return array(types.int64, types.int64), generate

    return view


float32_at, uint8_at = _array_at(types.float32), _array_at(types.uint8)
float64_at = _array_at(types.float64)
int32_at, int64_at = _array_at(types.int32), _array_at(types.int64)


def _loader(dtype: Any) -> Any:
    """A function that reads one number at an address, aligned or not."""

    @intrinsic
    def load(context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], context.get_value_type(dtype).as_pointer())
            return builder.load(pointer, align=1)

        return dtype(types.int64), generate

    return load


load_uint8, load_int64 = _loader(types.uint8), _loader(types.int64)
load_float32, load_float64 = _loader(types.float32), _loader(types.float64)


def _storer(dtype: Any) -> Any:
    """A function that writes one number to an address, aligned or not."""

    @intrinsic
    def store(context: Any, address: Any, number: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store(args[1], builder.inttoptr(args[0], args[1].type.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, dtype), generate

    return store


store_int64 = _storer(types.int64)
store_float32, store_float64 = _storer(types.float32), _storer(types.float64)


@intrinsic
def record_at(context: Any, layout: Any, address: Any) -> Any:
    """Read the int64 numbers at an address as a `layout`, a NamedTuple class with named fields."""
    fields = layout.instance_class._fields
    record = types.NamedUniTuple(types.int64, len(fields), layout.instance_class)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        first = builder.inttoptr(args[1], word.as_pointer())
        values = [builder.load(builder.gep(first, [word(i)])) for i in range(len(fields))]
        return context.make_tuple(builder, record, values)

    return record(layout, address), generate


@intrinsic
def prefetch(context: Any, address: Any) -> Any:
    """Start loading the cache line at an address: it will be read soon."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, keep_in_cache, data = flag(0), flag(3), flag(1)
        builder.call(function, [builder.inttoptr(args[0], byte), read, keep_in_cache, data])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@native
def call_ufunc(loop: Any, data: Any, count: Any, scratch: Any, source: Any, target: Any) -> Any:
    """Apply a ufunc of one argument by NumPy's own inner loop.

    The loop takes its arguments by pointer: to the two addresses, to the count, and to the two
    strides. `scratch` holds these six int64.
    """
    arguments = int64_at(scratch, 6)
    arguments[0], arguments[1] = source, target
    arguments[3] = count
    arguments[4], arguments[5] = 4, 4
    call(loop, (scratch, scratch + 24, scratch + 32, data))
