"""Every operation, under NumPy's name and with its semantics, and a few that neural networks add."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from .arithmetic import (
    add,
    clip,
    divide,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    maximum,
    minimum,
    multiply,
    not_equal,
    power,
    subtract,
)
from .elementwise import (
    absolute,
    arccos,
    arcsin,
    arctan,
    arctan2,
    ceil,
    cos,
    cosh,
    exp,
    expm1,
    floor,
    isfinite,
    isnan,
    log,
    log1p,
    negative,
    positive,
    reciprocal,
    round,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
    where,
)
from .indexing import argsort, getitem, repeat, sort, take, take_along_axis
from .linalg import diag, dot, einsum, inner, matmul, norm, outer, tensordot, trace
from .nn import batch_norm as batch_norm  # these four check nothing: minidl.nn, which does, is their public face
from .nn import binary_cross_entropy as binary_cross_entropy
from .nn import dense as dense
from .nn import leaky_relu, log_softmax, relu, sigmoid, softmax, softplus
from .nn import softmax_cross_entropy as softmax_cross_entropy
from .reduce import argmax, argmin, cumsum, logsumexp, max, mean, min, prod, std, sum, var
from .shape import (
    astype,
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    moveaxis,
    pad,
    ravel,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    tile,
    transfer,
    transpose,
)

__all__ = [
    "absolute",
    "add",
    "arccos",
    "arcsin",
    "arctan",
    "arctan2",
    "argmax",
    "argmin",
    "argsort",
    "astype",
    "broadcast_to",
    "ceil",
    "clip",
    "concatenate",
    "cos",
    "cosh",
    "cumsum",
    "diag",
    "divide",
    "dot",
    "einsum",
    "equal",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "floor",
    "getitem",
    "greater",
    "greater_equal",
    "inner",
    "isfinite",
    "isnan",
    "leaky_relu",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "norm",
    "not_equal",
    "outer",
    "pad",
    "positive",
    "power",
    "prod",
    "ravel",
    "reciprocal",
    "relu",
    "repeat",
    "reshape",
    "roll",
    "round",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "trace",
    "transfer",
    "transpose",
    "var",
    "where",
]

_FUNCTIONS: dict[str, Callable[..., Any]] = {name: globals()[name] for name in __all__}
# by NumPy's own objects, not their names: numpy.ma.sum and numpy.linalg.trace are something else
_NAMESAKES = {getattr(np, name): function for name, function in _FUNCTIONS.items() if hasattr(np, name)}
_NAMESAKES |= {np.amax: max, np.amin: min, np.around: round, np.linalg.norm: norm}
_RENAMED = {"a_min": "min", "a_max": "max", "newshape": "shape"}


@cache
def numpy_function(func: Callable[..., Any]) -> Callable[..., Any]:
    """minidl's function for one of NumPy's that was called on a Tensor, to be called as NumPy's is.

    Raises `UnsupportedError` if there is none; the function returned raises it for an option, such as
    ``out=``, that minidl's does not have.
    """
    name = f"{getattr(func, '__module__', None) or 'numpy'}.{func.__name__}"
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
