"""What a gradient formula returned, brought to the shape and dtype of its argument or found wrong; and no gradient."""

from typing import Any

import numpy as np

from .autograd import Op, unbroadcast
from .backend import Array, array_module
from .errors import GradientError, ShapeError


@Op
def zeros_of(a: Array) -> Array:
    """Zeros like `a`, whose derivative in `a` is 0: what a constant is to the engine, at every order."""
    return array_module(a).zeros_like(a)


zeros_of.vjp(lambda g, y, a: zeros_of(g))


def fitted(op: Op[...], i: int, gradient: Any, argument: Any, result: Any) -> Any:
    """The `gradient` that `op`'s formula gave for argument number `i`, fitted to that `argument`.

    Axes that the forward broadcast are summed, axes of length 1 (or missing ones) that the op reduced are repeated.
    Raises `ShapeError` for any other shape, `GradientError` for what is no array.
    """
    if not hasattr(gradient, "shape"):
        raise GradientError(f"{_formula(op, i)} returned a {type(gradient).__name__}: it must return an array")
    if gradient.shape == argument.shape or _fits(gradient, argument.shape, result):
        fit = unbroadcast.forward if isinstance(gradient, np.generic) else unbroadcast  # a scalar needs no op's care
        return fit(gradient, argument.shape, argument.dtype)
    raise ShapeError(
        f"{_formula(op, i)} returned shape {tuple(gradient.shape)}; the argument has {argument.shape}, the result "
        f"{result.shape}: return the argument's shape; axes that were broadcast, and axes of length 1 in the place of "
        f"those that the op reduces, are fitted to it"
    )


def _fits(gradient: Any, shape: tuple[int, ...], result: Any) -> bool:
    """Whether a gradient of this shape can be meant for an argument of that `shape`, given the op's `result`."""
    missing = len(shape) - gradient.ndim
    kept = result.shape if result.ndim == len(shape) else None  # no axis has gone: each can be looked at by itself
    summed, repeated = False, missing > 0 and any(length != 1 for length in shape[:missing])
    for axis in range(1, min(gradient.ndim, len(shape)) + 1):
        given, wanted = gradient.shape[-axis], shape[-axis]
        if given == wanted:
            continue
        # An argument's axis of length 1 was broadcast; a gradient's is one that the op has reduced.
        if wanted == 1:
            summed = True
        elif given != 1 or (kept is not None and kept[-axis] != 1):
            return False
        else:
            repeated = True
    return not repeated or (gradient.size >= result.size and not (missing > 0 and summed))


def _formula(op: Op[...], i: int) -> str:
    name = "" if op.signature.variadic else f" ({op.signature.names[i]})"
    return f"{op.name}: the gradient formula of argument {i}{name}"
