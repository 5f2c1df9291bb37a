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

# By NumPy's own objects, not their names: numpy.ma.sum and numpy.linalg.trace are something else. minidl/linalg.py
# adds its own.
NAMESAKES: dict[Any, Callable[..., Any]] = {
    getattr(np, name): getattr(ops, name) for name in ops.__all__ if hasattr(np, name)
}
_RENAMED = {"a_min": "min", "a_max": "max", "newshape": "shape"}
# What has no gradient, and is answered with plain numbers and arrays.
ANSWERED = {
    np.all, np.allclose, np.any, np.argpartition, np.argsort, np.argwhere, np.array2string, np.array_equal,
    np.array_equiv, np.array_repr, np.array_str, np.bincount, np.bitwise_and, np.bitwise_or, np.bitwise_xor,
    np.can_cast, np.count_nonzero, np.diag_indices_from, np.digitize, np.flatnonzero, np.histogram, np.histogram2d,
    np.histogram_bin_edges, np.intersect1d, np.invert, np.isclose, np.iscomplex, np.iscomplexobj, np.isin, np.isinf,
    np.isneginf, np.isposinf, np.isreal, np.isrealobj, np.left_shift, np.lexsort, np.linalg.matrix_rank,
    np.logical_and, np.logical_not, np.logical_or, np.logical_xor, np.may_share_memory, np.min_scalar_type,
    np.nanargmax, np.nanargmin, np.ndim, np.nonzero, np.result_type, np.right_shift, np.save, np.savetxt, np.savez,
    np.savez_compressed, np.searchsorted, np.setdiff1d, np.setxor1d, np.shape, np.shares_memory, np.signbit, np.size,
    np.tril_indices_from, np.triu_indices_from, np.union1d, np.unique, np.unravel_index,
}  # fmt: skip


@cache
def numpy_function(func: Callable[..., Any]) -> Callable[..., Any]:
    """minidl's function for one of NumPy's that was called on a Tensor, to be called as NumPy's is.

    Raises `UnsupportedError` if there is none; the function returned raises it for an option, such as
    ``out=``, that minidl's does not have.
    """
    name = f"{getattr(func, '__module__', None) or 'numpy'}.{func.__name__}"
    if func in ANSWERED and func not in NAMESAKES:
        return partial(_answer, func)
    if func not in NAMESAKES:
        raise UnsupportedError(
            f"minidl has no {name} for Tensors: write it with minidl's functions, or leave the graph, so that no "
            f"gradient flows, with .numpy(): {name}(x.numpy())"
        )
    ours = NAMESAKES[func]
    if isinstance(func, np.ufunc):
        return ours
    own = inspect.signature(ours).parameters
    accepted = [option for option, parameter in own.items() if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    try:
        theirs = inspect.signature(func)
    except ValueError:  # NumPy before 2.4 has none for functions in C, such as concatenate
        theirs = inspect.Signature([*own.values(), inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)])
    nameless = [name for name, parameter in theirs.parameters.items() if parameter.kind is parameter.POSITIONAL_ONLY]
    several = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in theirs.parameters.values())

    def called(*args: Any, **options: Any) -> Any:
        bound = theirs.bind(*args, **options)
        by_place, given = (bound.args, bound.kwargs) if several else ((), bound.arguments)  # f(a, *several) and f(a, b)
        by_place = (*by_place, *[given.pop(name) for name in nameless if name in given])
        given |= given.pop("kwargs", {})
        given = {_RENAMED.get(option, option): value for option, value in given.items()}
        for option in [option for option in given if option not in accepted]:
            if given.pop(option) is not None:
                raise UnsupportedError(f"{name} of a Tensor takes no {option}=, only {', '.join(accepted)}")
        return ours(*by_place, **given)

    return called


def answering(name: str) -> Callable[..., Any] | None:
    """What answers as NumPy's function of that `name` does, for Tensors too; None if there is none."""
    theirs = getattr(np, name, None)
    return numpy_function(theirs) if callable(theirs) and theirs in ANSWERED else None


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """What ``numpy.where`` is: without `x` and `y` the places where the condition holds."""
    return _answer(np.nonzero, condition) if x is None and y is None else ops.where(condition, x, y)


def _answer(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What NumPy's `func`, or CuPy's of that name, says of the Tensors' arrays."""
    args, options = plain(args), {name: plain(value) for name, value in options.items()}
    module = next((m for m in map(array_module, _arrays((*args, *options.values()))) if m is not np), np)
    home = module.linalg if getattr(func, "__module__", None) == "numpy.linalg" else module
    return (func if module is np else getattr(home, func.__name__))(*args, **options)


def _arrays(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _arrays(value)
        elif hasattr(value, "dtype"):
            yield value


NAMESAKES[np.where] = _where
