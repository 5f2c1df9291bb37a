"""What counts as an array: one rule for Tensors, ops, losses and data sets.

Ops compute with NumPy's own ndarray, and with the arrays of a device's library. Everything else that can be read as
numbers becomes one of these at the door, because it only looks alike: a ``numpy.matrix`` multiplies by matrix
product, a pandas Series adds by index, a masked array leaves elements out.
"""

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .errors import DTypeError, ShapeError

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import DTypeLike as DTypeLike

    class SupportsArray(Protocol):
        """NumPy's arrays and scalars, Tensors, and what other libraries let `numpy.asarray` read."""

        def __array__(self) -> np.ndarray: ...

    ArrayLike: TypeAlias = SupportsArray | float | list[Any] | tuple[Any, ...]
else:  # what tools are told in detail, `help` need not spell out
    ArrayLike = DTypeLike = Any

Array: TypeAlias = Any  # a numpy.ndarray or a cupy.ndarray: CuPy's type cannot be named where it is not installed


def _on_device(kind: type) -> bool:
    if issubclass(kind, np.ndarray | np.generic):
        return False
    return kind.__module__.partition(".")[0] == "cupy" or hasattr(kind, "__array_namespace__")


def _converts(kind: type) -> bool:
    if issubclass(kind, np.generic | list | tuple):
        return True
    if kind is np.ndarray or on_device(kind):
        return False
    return any(hasattr(kind, name) for name in ("__array__", "__array_interface__", "toarray"))


# Whether a type is the array type of another library than NumPy that minidl computes with (CuPy above all).
on_device: Callable[[type], bool] = functools.cache(_on_device)
# Whether values of a type have to become arrays, or Python's numbers, before an op may see them.
converts: Callable[[type], bool] = functools.cache(_converts)


PIXEL = np.float32(1 / 255)  # what a uint8 input is multiplied by

ARRAYS: set[type] = {np.ndarray}  # and what a compiled step's recording puts in its place


def is_array(value: Any) -> bool:
    """Whether `value` is what ops compute with: exactly NumPy's ndarray, or a device's array."""
    return type(value) in ARRAYS or on_device(type(value))


def as_array(value: Any, where: str = "as_array") -> Array:
    """`value` as an array that ops compute with: ndarrays and a device's arrays as they are, all else as an ndarray.

    Numbers, lists, ``numpy.matrix``, memory maps, pandas' Series and DataFrames, pyarrow's and h5py's arrays: whatever
    `numpy.asarray` or `numpy.from_dlpack` takes, in the dtype that NumPy gives it (numbers that pandas holds as objects
    become numbers).
    Whether the dtype will do is the caller's to say. Raises `DTypeError`, which begins with `where`, for a masked
    array with masked elements, for a sparse matrix, and for what is no array at all; `ShapeError` for ragged lists.
    """
    if is_array(value):
        return value
    _refuse_masked(value, where)
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        value = _from_dlpack(value, where)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{where}: {error}: nested lists must be of equal lengths at each depth") from error
    if array.dtype == object:
        if not array.ndim:
            fix = "it is sparse: .toarray() makes it dense" if hasattr(value, "toarray") else "give an array or a list"
            raise DTypeError(f"{where}: a {type(value).__name__} is no array of numbers: {fix}")
        array = _of_numbers(array)
    return array


def common_dtype(values: Iterable[Any]) -> np.dtype[Any]:
    """The dtype that arrays and Python numbers have together: NumPy's promotion, in which such numbers never widen."""
    return np.result_type(*[getattr(value, "dtype", value) for value in values])


def _from_dlpack(value: Any, where: str) -> Array:
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError) as error:
        raise DTypeError(f"{where}: a {type(value).__name__}: {error}: give it as an array on the CPU") from error


_NUMBERS = {float, int, list}  # what lists hold as a rule, and no mask with it


def _refuse_masked(value: Any, where: str) -> None:
    """Raise if elements of `value`, or of an array in the list `value`, are masked: `asarray` would uncover them."""
    if isinstance(value, list | tuple):
        kinds = set(map(type, value))
        if not kinds <= _NUMBERS and any(hasattr(kind, "mask") for kind in kinds):
            for item in value:
                _refuse_masked(item, where)
    elif isinstance(value, np.ndarray) and np.any(getattr(value, "mask", False)):
        count = int(np.sum(value.mask))  # type: ignore[attr-defined]
        raise DTypeError(
            f"{where}: {count} of {value.size} elements of this array are masked, and minidl knows no masks: say what "
            f"they count as, a.filled(value), or leave them out, a.compressed()"
        )


def _of_numbers(array: np.ndarray) -> np.ndarray:
    """An array of objects as one of numbers, if that is what they are: pandas' columns of mixed or nullable dtype."""
    try:
        return np.array(array.tolist())
    except ValueError:  # lists of several lengths: these stay objects, which no dtype check lets pass
        return array
