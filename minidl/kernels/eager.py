"""What the kernels in numpy_nn.py are made of: machine code where there is some, else `primitives` and `products`.

The bits are the same either way. Machine code is called for arrays so large that the call pays.
"""

from typing import Any

import numpy as np

from .. import machine_code
from . import primitives, products
from .products import Array

WORTH = 8192  # elements from which on one pass of machine code is faster than two of NumPy's

_products = machine_code.Wanted("products_without_zeros")
_operations = machine_code.Wanted("operations")


def look() -> None:
    """Ask for machine code if that is worth while by now."""
    _products.look()
    _operations.look()


def _found(wanted: machine_code.Wanted) -> Any:
    """The machine code that was `wanted`, if it is there and may take the place of NumPy's calls."""
    return wanted.found if wanted.found is not None and machine_code.silent() else None


def matmul(x: Array, weight: Array) -> Array:
    """x @ weight: (B, in), (in, out) -> (B, out)."""
    by_machine = _found(_products)
    y = by_machine and by_machine[0](x, weight)
    return products.matmul(x, weight) if y is None else y


def weight_gradient(x: Array, d: Array) -> Array:
    """x.T @ d: (B, in), (B, out) -> (in, out)."""
    by_machine = _found(_products)
    gradient = by_machine and by_machine[1](x, d)
    return primitives.weight_gradient(x, d) if gradient is None else gradient


def add_bias(y: Array, bias: Array, activation: str | None) -> Array:
    """activation(y + bias), in place of y if it fits there."""
    if activation == "relu" and y.size >= WORTH and y.ndim == 2 and bias.shape == y.shape[1:]:
        execute, out = _found(_operations), np.empty_like(y)
        if execute and execute("bias_activate", (out,), (y, bias), name="relu"):
            return out
    y = np.add(y, bias, out=y) if y.dtype == np.result_type(y, bias) and y.ndim else y + bias
    return y if activation is None else primitives.activate(y, activation, out=y if y.ndim else None)


def activation_back(g: Array, y: Array, name: str) -> Array:
    """The gradient of an activation's input, from `g`, that of its result, and `y`, the result itself."""
    if name == "relu" and y.size >= WORTH and g.shape == y.shape:
        execute, out = _found(_operations), np.empty_like(y)
        if execute and execute("activation_back", (out,), (g, y), name=name):
            return out
    return primitives.activation_back(g, y, name)


def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> tuple[Array, Array, Array]:
    """The result, x̂, and 1/√(σ² + eps)."""
    execute = _found(_operations)
    if execute and _wide(x) and gamma.shape == beta.shape == x.shape[1:]:
        y, x_hat = np.empty_like(x), np.empty_like(x)
        inverse, mean, squares = (np.empty_like(gamma) for _ in range(3))
        if execute("batch_norm", (y, x_hat, inverse, mean, squares), (x, gamma, beta), eps=eps):
            return y, x_hat, inverse
    return primitives.batch_norm(x, gamma, beta, eps)[:3]


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


def _wide(x: Array) -> bool:
    """Whether NumPy sums x (B, n) row by row; a single column it sums in pairs."""
    return x.ndim == 2 and x.shape[1] > 1 and len(x) > 0
