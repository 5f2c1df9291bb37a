"""A strict stand-in for CuPy, where there is no GPU.

`StrictArray` wraps a NumPy array and does what CuPy's ndarray does, and no more. It never becomes a
NumPy array by itself nor meets one; a function, keyword or method exists only if CuPy has it
(cupy_names.txt). It is stricter than CuPy in one thing: whatever would wait for the GPU without saying
so (``bool()``, ``float()``, ``int()``, iteration) raises.
"""

import functools
from pathlib import Path

import numpy as np

from minidl.ops.shape import rebuilt

_LINES = (Path(__file__).parent / "cupy_names.txt").read_text().splitlines()[1:]
# the parameters of each; None for a ufunc and for what is no function
CUPY = {
    name: tuple(p for p in rest.rstrip(")").split(", ") if p) if bracket else None
    for name, bracket, rest in (line.partition("(") for line in _LINES)
}


def _inner(value, where):
    """`value` with the arrays taken out of their wrappings, or the error CuPy gives to a NumPy array."""
    if isinstance(value, StrictArray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"{where}: unsupported type {type(value)}")
    if isinstance(value, tuple | list):
        return type(value)(_inner(v, where) for v in value)
    return value


def _outer(value):
    if isinstance(value, np.ndarray | np.generic):
        return StrictArray(value)
    if isinstance(value, tuple | list):
        return rebuilt(value, map(_outer, value))
    return value


def _checked(name, args, options):
    """Refuse more arguments, or other keywords, than CuPy's function of that name takes."""
    parameters = CUPY[name]
    if parameters is None:
        return
    positional = [p for p in parameters if not p.startswith("**")]
    if len(args) > len(positional) and not any(p.startswith("*") for p in positional):
        raise TypeError(f"cupy.{name}({', '.join(parameters)}) got {len(args)} arguments")
    for option in options:
        if option not in parameters and "**kwargs" not in parameters:
            raise TypeError(f"cupy.{name}({', '.join(parameters)}) takes no {option}=")


class _Function:
    """A function of the namespace; of a ufunc also ``at``."""

    def __init__(self, name):
        self.__name__ = name
        self._numpy = functools.reduce(getattr, name.split("."), np)

    def __call__(self, *args, **options):
        _checked(self.__name__, args, options)
        if self.__name__ == "where" and not isinstance(args[0], StrictArray):
            raise AttributeError("cupy.where takes its condition as an array: it calls condition.astype")
        if self.__name__ in ("asarray", "array"):  # here CuPy copies from the CPU, because it is told to
            args = [a._array if isinstance(a, StrictArray) else a for a in args]
        result = self._numpy(*_call_arguments(self.__name__, args), **_inner_options(self.__name__, options))
        return _outer(result)

    def at(self, array, index, *values):
        if not isinstance(array, StrictArray):
            raise TypeError(f"cupy.{self.__name__}.at takes an array, not {type(array)}")
        self._numpy.at(array._array, _index(index), *_inner(values, self.__name__))


def _call_arguments(name, args):
    return args if name in ("asarray", "array") else _inner(tuple(args), name)


def _inner_options(name, options):
    return {key: _inner(value, name) for key, value in options.items()}


def _index(index):
    """CuPy takes NumPy arrays as indices, and copies them to the GPU."""
    if isinstance(index, tuple):
        return tuple(_index(i) for i in index)
    return index._array if isinstance(index, StrictArray) else index


class _Namespace:
    """What ``sys.modules["cupy"]`` is to a CuPy array, and its ``linalg``."""

    __name__ = "strict"

    def __init__(self, within=""):
        self._within = within

    def __getattr__(self, name):
        if name == "linalg":
            return _Namespace("linalg.")
        if self._within + name in CUPY and not name.startswith("ndarray."):
            return _functions(self._within + name)
        if isinstance(getattr(np, name, None), float | type):  # pi, inf, float32, ...
            return getattr(np, name)
        raise AttributeError(f"module 'cupy' has no attribute {name!r}")


@functools.cache
def _functions(name):
    return _Function(name)


strict = _Namespace()


def _refused(what):
    def refuse(self, *args, **options):
        raise TypeError(f"{what} of an array on the GPU waits for the GPU: nothing in minidl may do it unasked")

    return refuse


class StrictArray:
    """See the module's docstring."""

    __slots__ = ("__weakref__", "_array")
    __array_ufunc__ = None  # NumPy's operators and ufuncs step back, or raise
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, array):
        self._array = np.asarray(array)

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    nbytes = property(lambda self: self._array.nbytes)
    strides = property(lambda self: self._array.strides)
    base = property(lambda self: None if self._array.base is None else StrictArray(self._array.base))
    T = property(lambda self: StrictArray(self._array.T))

    def __array_namespace__(self):
        return strict

    def __array__(
        self, *args, **options
    ):  # without it NumPy would make an array of objects, as it never does of CuPy's
        raise TypeError("implicit conversion to a NumPy array is not allowed: use .get()")

    def __array_function__(self, function, types, args, options):
        raise TypeError(
            f"numpy.{function.__name__} met an array on the GPU: call array_module(array).{function.__name__}"
        )

    def get(self):
        return self._array.copy()

    def item(self):
        return self._array.item()

    def tolist(self):
        return self._array.tolist()

    def __len__(self):
        return len(self._array)

    def __repr__(self):
        return f"Strict{self._array!r}"

    def __getitem__(self, index):
        return StrictArray(self._array[_index(index)])

    def __setitem__(self, index, value):
        self._array[_index(index)] = _inner(value, "assignment")

    __bool__ = _refused("bool()")
    __float__ = _refused("float()")
    __int__ = _refused("int()")
    __index__ = _refused("int()")
    __iter__ = _refused("iteration")
    __contains__ = _refused("in")


def _operator(name):
    def operate(self, *others):
        if not all(isinstance(o, StrictArray | np.generic | int | float) for o in others):
            if any(isinstance(o, np.ndarray) for o in others):
                raise TypeError(f"{name}: unsupported type {np.ndarray}")
            return NotImplemented
        return _outer(getattr(self._array, name)(*[_inner(o, name) for o in others]))

    return operate


def _method(name):
    def call(self, *args, **options):
        _checked(f"ndarray.{name}", args, options)
        return _outer(getattr(self._array, name)(*_inner(args, name), **_inner_options(name, options)))

    return call


_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor"
for _name in [
    *_BINARY.split(),
    *(f"r{n}" for n in _BINARY.split()),
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "neg",
    "pos",
    "abs",
]:
    setattr(StrictArray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in CUPY:
    _, _of_array, _name = _name.partition("ndarray.")
    if _of_array and callable(getattr(np.ndarray, _name, None)) and not hasattr(StrictArray, _name):
        setattr(StrictArray, _name, _method(_name))


def _in_place(name):
    def operate(self, other):
        np.copyto(self._array, _operator(name)(self, other)._array, casting="same_kind")
        return self

    return operate


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(StrictArray, f"__i{_name}__", _in_place(f"__{_name}__"))
