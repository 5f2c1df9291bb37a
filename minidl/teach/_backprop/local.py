"""The derivative of one op: of all its result's elements, by one element of one argument."""

from typing import Any

import numpy as np

from ...autograd import recording
from ...backward import gradients
from ...fitting import fitted
from ...tensor import Tensor
from .recorded import GraphNode, Place

Array = np.ndarray
Index = tuple[int, ...]
_PRODUCTS = {"matmul", "multiply"}  # their derivative by one argument is the other


def derivative(node: GraphNode, position: int, index: Index, nodes: list[GraphNode]) -> Array:
    """d (each element of the node's value) / d (element `index` of its argument at `position`).

    A gradient formula is linear in the gradient that arrives. So what it gives for one element of the argument, as a
    function of what arrives, has as *its* gradient the derivative itself: no op needs a second formula.
    """
    return _derivative(node, position, index, _values(node, nodes))


def depending(node: GraphNode, position: int, index: Index, nodes: list[GraphNode]) -> int:
    """How many elements of a product can depend on that one, if no factor is zero; of other results, how many do."""
    values = _values(node, nodes)
    if node.op in _PRODUCTS:
        values = [np.ones_like(value) for value in values]
    return int(np.count_nonzero(_derivative(node, position, index, values)))


def _values(node: GraphNode, nodes: list[GraphNode]) -> list[Any]:
    return [nodes[a.number].value if isinstance(a, Place) else a for a in node.arguments]


def _derivative(node: GraphNode, position: int, index: Index, values: list[Any]) -> Array:
    op = node.maker
    assert op is not None
    arriving = Tensor(np.zeros_like(node.value), requires_grad=True)
    with recording(True):
        (found,) = op.pullback(arriving, node.value, values, [position], None)
        if found is None or not found.requires_grad:
            return np.zeros_like(node.value)
        at_index = fitted(op, position, found, values[position], node.value)[index]
        (columns,) = gradients(at_index, [arriving])
    return columns.numpy()


def named_factor(node: GraphNode, position: int, index: Index, at: Index, nodes: list[GraphNode]) -> str:
    """What the derivative of element `at` is: of a product the other factor's element, else the op's name and ′."""
    others = [a for i, a in enumerate(node.arguments) if i != position]
    if node.op in _PRODUCTS and len(others) == 1 and isinstance(others[0], Place):
        other = nodes[others[0].number]
        if node.op == "multiply":
            shape = other.value.shape
            place = tuple(0 if n == 1 else i for n, i in zip(shape, at[len(at) - len(shape) :], strict=True))
            return element(other.name, place)
        if other.value.ndim == len(index) == 2:
            return element(other.name, (at[0], index[0]) if position else (index[1], at[1]))
    return f"{node.op}′"


def element(name: str, index: Index) -> str:
    """The name of an element."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name
