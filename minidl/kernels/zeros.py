"""Matrix products with a batch, which machine code makes without its zeros where there is some and that pays.

The bits are those of `products`: machine code adds up in the same order, where a product with zero changes no sum.
"""

from .. import machine_code
from . import primitives, products
from .products import Array

_without = machine_code.Wanted("products_without_zeros")


def matmul(x: Array, weight: Array) -> Array:
    """x @ weight: (B, in), (in, out) -> (B, out)."""
    _without.look()
    y = None if _without.found is None else _without.found[0](x, weight)
    return products.matmul(x, weight) if y is None else y


def weight_gradient(x: Array, d: Array) -> Array:
    """x.T @ d: (B, in), (B, out) -> (in, out)."""
    gradient = None if _without.found is None else _without.found[1](x, d)
    return primitives.weight_gradient(x, d) if gradient is None else gradient
