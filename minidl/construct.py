"""What `Tensor(data, ...)` holds: the array, and its history where the data has one."""

from typing import Any

import numpy as np

from . import ops
from .arrays import Array, as_array
from .backend import Backend, array_module, backend_of, current_backend, to_backend
from .errors import DTypeError, GradientError
from .node import Node
from .operands import holds
from .recording import paused

_LITERALS = {int, float, bool, range}


def source(data: Any, leaf: bool, dtype: Any, backend: Backend | None) -> Array | Node:
    """`data` as an array of `dtype` on `backend`; as a Tensor where it is one, or a list with Tensors in it.

    A Tensor that is recorded stays so, and its gradient passes through. Raises `GradientError` if it
    is to become a `leaf`, to which no history leads; `DTypeError` for what is no number; `ShapeError` for ragged lists.
    """
    if isinstance(data, list | tuple) and holds(data, lambda node: True):
        data = ops.stack(data)
    if isinstance(data, Node):
        return _of_tensor(data, leaf, dtype, backend)
    array = as_array(data, "Tensor")
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"Tensor: cannot hold dtype {array.dtype}: give real numbers or booleans")
    if type(data) in _LITERALS or isinstance(data, list | tuple):
        array = array.astype(np.float32) if dtype is None and array.dtype.kind in "iuf" else array
        backend = backend or current_backend()
    array = to_backend(array, backend or backend_of(array))
    return array if dtype is None else array_module(array).asarray(array, dtype=dtype)


def _of_tensor(tensor: Any, leaf: bool, dtype: Any, backend: Backend | None) -> Node:
    if tensor.requires_grad and not paused():
        if leaf:
            raise GradientError(
                "Tensor: data that requires a gradient cannot become a new leaf, to which no history leads: use it as "
                "it is, or give .detach() of it"
            )
        tensor = ops.reshape(tensor, tensor.shape)  # a Tensor of its own, of the same memory
    else:
        tensor = tensor.detach()
    if backend is not None:
        tensor = tensor.to(backend)
    return tensor if dtype is None or tensor.dtype == dtype else ops.astype(tensor, dtype)
