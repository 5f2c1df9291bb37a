"""What the kernels in numpy_nn.py are made of: machine code where there is some, else `primitives` and `products`.

The bits are the same either way. Machine code is called for arrays so large that the call pays: it costs 3 to 5 µs.
"""

import math
from typing import Any

import numpy as np

from .. import machine_code, ops
from ..backend import Array
from . import primitives, products

# Elements from which on a pass of machine code is faster than NumPy's, by the activation in it.
WORTH = {"relu": 16384, "leaky_relu": 4096, "sigmoid": 8192, "tanh": 32768}
OUTER = 8192  # ... and an outer product

# Machine code does the same as these; it is asked only while they are what they were.
_NAMES = "activate", "activation_back", "batch_norm", "batch_norm_sums", "batch_norm_back", "weight_gradient"
_SHIPPED = [(primitives, name, getattr(primitives, name)) for name in _NAMES]
_SHIPPED += [(getattr(ops, name), "forward", getattr(ops, name).forward) for name in WORTH]
_SHIPPED.append((products, "matmul", products.matmul))

_products = machine_code.Wanted("products_without_zeros")
_operations = machine_code.Wanted("operations")


def look() -> None:
    """Ask for machine code if that is worth while by now."""
    _products.look()
    _operations.look()


def _found(wanted: machine_code.Wanted) -> Any:
    """The machine code, once it was loaded, unless somebody has put something else in the place of what it does."""
    if wanted.found is not None:
        for holder, name, function in _SHIPPED:
            if getattr(holder, name) is not function:
                return None
    return wanted.found


def matmul(x: Array, weight: Array) -> Array:
    """x @ weight: (B, in), (in, out) -> (B, out)."""
    pair = _found(_products)
    y = pair and pair[0](x, weight)
    return products.matmul(x, weight) if y is None else y


def weight_gradient(x: Array, d: Array) -> Array:
    """x.T @ d: (B, in), (B, out) -> (in, out)."""
    pair = _found(_products)
    gradient = pair and pair[1](x, d)
    if gradient is not None:
        return gradient
    execute = _found(_operations)
    if execute and len(x) == 1 and x.size * d.size >= OUTER:
        gradient = np.empty((x.size, d.size), x.dtype)
        if execute("weight_gradient", (gradient,), (x, d)):
            return gradient
    return primitives.weight_gradient(x, d)


def add_bias(y: Array, bias: Array, activation: str | None) -> Array:
    """activation(y + bias), in place of y if it fits there."""
    fits = y.ndim == 2 and bias.shape == y.shape[1:]
    execute = _found(_operations) if fits and _pays(activation, y) else None
    if execute and execute("bias_activate", (y,), (y, bias), name=activation):
        return y
    y = np.add(y, bias, out=y) if y.dtype == np.result_type(y, bias) and y.ndim else y + bias
    return y if activation is None else primitives.activate(y, activation, out=y if y.ndim else None)


def activation_back(g: Array, y: Array, name: str) -> Array:
    """The gradient of an activation's input, from `g`, that of its result, and `y`, the result itself."""
    execute = _found(_operations) if g.shape == y.shape and _pays(name, y) else None
    if execute:
        out = np.empty_like(y)
        if execute("activation_back", (out,), (g, y), name=name):
            return out
    return primitives.activation_back(g, y, name)


def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array, Array, Array]:
    """The result, x̂, 1/√(σ² + eps), the mean, and the sum of (x - mean)²."""
    execute = _found(_operations)
    if execute and _wide(x) and gamma.shape == beta.shape == x.shape[1:]:
        y, x_hat = np.empty_like(x), np.empty_like(x)
        inverse, mean, squares = (np.empty_like(gamma) for _ in range(3))
        if execute("batch_norm", (y, x_hat, inverse, mean, squares), (x, gamma, beta), eps=eps):
            return y, x_hat, inverse, mean, squares
    return primitives.batch_norm(x, gamma, beta, eps)


def batch_norm_back(g: Array, x_hat: Array, inverse: Array, gamma: Array, wanted: list[int]) -> list[Any]:
    """The gradients of x, gamma and beta that are `wanted`, by their numbers; None for one that is not."""
    execute = _found(_operations)
    if execute and _wide(g) and g.shape == x_hat.shape and gamma.shape == g.shape[1:]:
        d_gamma, d_beta, dx = np.empty_like(gamma), np.empty_like(gamma), np.empty_like(g)
        summed = execute("batch_norm_sums", (d_gamma, d_beta), (g, x_hat))
        operands = g, x_hat, inverse, gamma, d_gamma, d_beta
        if summed and (0 not in wanted or execute("batch_norm_back", (dx,), operands)):
            return [dx, d_gamma, d_beta]
    d_gamma, d_beta = primitives.batch_norm_sums(g, x_hat)
    dx = primitives.batch_norm_back(g, x_hat, inverse, gamma, d_gamma, d_beta) if 0 in wanted else None
    return [dx, d_gamma, d_beta]


def _pays(activation: str | None, y: Array) -> bool:
    """Whether a pass over y with this activation is faster by machine code."""
    return y.size >= WORTH.get(activation or "", math.inf)


def _wide(x: Array) -> bool:
    """Whether NumPy sums x (B, n) row by row; a single column it sums in pairs."""
    return x.ndim == 2 and x.shape[1] > 1 and len(x) > 0
