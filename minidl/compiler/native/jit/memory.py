"""What machine code needs to reach memory and other machine code by address: arrays of what is there, and calls."""

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array


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
native = njit(error_model="numpy")  # division by zero as C has it: a check would keep LLVM from vector instructions


def vector(kind: Any) -> Any:
    """A function that makes an array of what is at an address: so many numbers of this kind."""

    @intrinsic
    def make(context: Any, address: Any, count: Any) -> Any:
        array = types.Array(kind, 1, "C")

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            made = context.make_array(array)(context, builder)
            data = builder.inttoptr(args[0], made.data.type)
            size = context.get_constant(types.intp, kind.bitwidth // 8)
            populate_array(made, data=data, shape=[args[1]], strides=[size], itemsize=size, meminfo=None)
            return made._getvalue()

        return array(types.int64, types.int64), generate

    return make


floats, integers, octets = vector(types.float32), vector(types.int64), vector(types.uint8)
integers32 = vector(types.int32)


def reader(kind: Any) -> Any:
    """A function that reads one number of this kind at an address, wherever that is."""

    @intrinsic
    def read(context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = builder.inttoptr(args[0], context.get_value_type(kind).as_pointer())
            return builder.load(place, align=1)

        return kind(types.int64), generate

    return read


octet, integer, real = reader(types.uint8), reader(types.int64), reader(types.float32)


@intrinsic
def put(context: Any, address: Any, number: Any) -> Any:
    """Write an int64 to an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], builder.inttoptr(args[0], args[1].type.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def expect(context: Any, address: Any) -> Any:
    """Have the cache line at an address brought near, for it will be read soon."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(prefetch, [builder.inttoptr(args[0], byte), flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@native
def ufunc(address: Any, data: Any, count: Any, room: Any, source: Any, target: Any) -> Any:
    """One ufunc of one argument, by NumPy's own inner loop; `room` for six integers is where it is told so."""
    places = integers(room, 6)
    places[0], places[1], places[3], places[4], places[5] = source, target, count, 4, 4
    call(address, (room, room + 24, room + 32, data))
