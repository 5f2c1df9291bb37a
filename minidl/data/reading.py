"""Arrays, of whatever a user has that holds numbers."""

import math
from typing import Any

import numpy as np

from ..arrays import as_array, is_array
from ..backend import to_numpy
from ..errors import DataError, DTypeError

LARGEST = 1 << 32  # bytes of a sparse matrix, once it is dense


def array_of(values: Any, where: str) -> np.ndarray:
    """`values` as a NumPy array, whatever they are: a Tensor's or a GPU's too. Raises `DTypeError`."""
    there = hasattr(values, "numpy") or is_array(values)
    try:
        array = to_numpy(values) if there else as_array(values, where)
        return as_array(array.tolist(), where) if array.dtype == object else array
    except ValueError as error:  # rows of several lengths
        raise DTypeError(f"{where}: {error}") from error


def inputs_of(values: Any, name: str) -> np.ndarray:
    """The inputs as one array: floats and uint8 in their own dtype, all else as float32; dense, if they are sparse."""
    where = f"{name}: inputs"
    if hasattr(values, "toarray"):
        return _dense(values, where)
    inputs = array_of(values, where)
    if inputs.dtype.kind not in "biufc":
        raise DTypeError(f"{where}: expected numbers, got {inputs.dtype} of shape {inputs.shape}")
    own = str(getattr(values, "dtype", "object"))
    kept = own != "object" and _kept(inputs.dtype)
    return inputs if kept else inputs.astype(np.float32, copy=False)


def _kept(dtype: np.dtype[Any]) -> bool:
    """Whether inputs stay in this dtype: floats, pixels, and what is refused later; not counts and booleans."""
    return dtype.kind not in "biu" or dtype == np.uint8


def _dense(values: Any, where: str) -> np.ndarray:
    """A SciPy sparse matrix as an array; counts, integers of more than a byte, as float32."""
    dtype = values.dtype if _kept(values.dtype) else np.dtype(np.float32)
    size = math.prod(values.shape) * dtype.itemsize
    if size > LARGEST:
        raise DataError(
            f"{where}: a {type(values).__name__} of shape {values.shape} is {size / 1e9:.1f} GB once it is dense, as "
            f"minidl computes with it: keep fewer columns (max_features= of a vectorizer), or give fit a function that "
            f"yields batches, (matrix[i : i + 128], labels[i : i + 128]), see docs/data.md"
        )
    return values.astype(dtype, copy=False).toarray()
