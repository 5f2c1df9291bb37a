"""What NumPy's own functions do when they are given a Tensor (NEP 13 and 18): minidl's of the same name."""

import inspect
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from .. import ops
from ..backend import array_module
from ..errors import UnsupportedError
from .shape import plain

# by NumPy's own objects, not their names: numpy.ma.sum and numpy.linalg.trace are something else
_NAMESAKES = {getattr(np, name): getattr(ops, name) for name in ops.__all__ if hasattr(np, name)}
_NAMESAKES |= {np.amax: ops.max, np.amin: ops.min, np.around: ops.round, np.linalg.norm: ops.norm}
_RENAMED = {"a_min": "min", "a_max": "max", "newshape": "shape"}
# What has no gradient, and is answered with plain numbers and arrays.
_ANSWERED = {
    np.all, np.allclose, np.any, np.argpartition, np.argsort, np.argwhere, np.array_equal, np.array_equiv, np.bincount,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.count_nonzero, np.digitize, np.flatnonzero, np.histogram,
    np.invert, np.isclose, np.isin, np.isinf, np.lexsort, np.logical_and, np.logical_not, np.logical_or, np.logical_xor,
    np.nonzero, np.searchsorted, np.signbit, np.unique,
}  # fmt: skip


@cache
def numpy_function(func: Callable[..., Any]) -> Callable[..., Any]:
    """minidl's function for one of NumPy's that was called on a Tensor, to be called as NumPy's is.

    Raises `UnsupportedError` if there is none; the function returned raises it for an option, such as
    ``out=``, that minidl's does not have.
    """
    name = f"{getattr(func, '__module__', None) or 'numpy'}.{func.__name__}"
    if func in _ANSWERED and func not in _NAMESAKES:
        return partial(_answer, func)
    if func not in _NAMESAKES:
        raise UnsupportedError(
            f"minidl has no {name} for Tensors: write it with minidl's functions, or leave the graph, so that no "
            f"gradient flows, with .numpy(): {name}(x.numpy())"
        )
    ours = _NAMESAKES[func]
    if isinstance(func, np.ufunc):
        return ours
    accepted = inspect.signature(ours).parameters
    try:
        theirs = inspect.signature(func)
    except ValueError:  # NumPy before 2.4 has none for functions in C, such as concatenate
        theirs = inspect.Signature([*accepted.values(), inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)])

    def called(*args: Any, **options: Any) -> Any:
        given = theirs.bind(*args, **options).arguments
        operands = given.pop("operands", ())  # einsum's
        given |= given.pop("kwargs", {})
        given = {_RENAMED.get(option, option): value for option, value in given.items()}
        for option in [option for option in given if option not in accepted]:
            if given.pop(option) is not None:
                raise UnsupportedError(f"{name} of a Tensor takes no {option}=, only {', '.join(accepted)}")
        return ours(*operands, **given)

    return called


def _answer(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What NumPy's `func`, or CuPy's of that name, says of the Tensors' arrays."""
    args, options = plain(args), {name: plain(value) for name, value in options.items()}
    module = next((m for m in map(array_module, _arrays((*args, *options.values()))) if m is not np), np)
    return (func if module is np else getattr(module, func.__name__))(*args, **options)


def _arrays(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _arrays(value)
        elif hasattr(value, "dtype"):
            yield value
