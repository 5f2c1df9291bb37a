"""A gradient as the sum that it is: over all that its element went into, local derivative × gradient there.

    ∂L/∂a = Σ over uses of a, Σ over elements y of each use's result: ∂y/∂a · ∂L/∂y

is the chain rule that the backward pass adds up (Griewank & Walther, "Evaluating Derivatives", 2008, chapter 3). For a
weight of a Dense it is the sum over the batch of input × delta; for a delta, the sum over the next layer's units of
weight × their delta, times the activation's derivative.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import OptionError
from .local import Index, depending, derivative, element, named_factor
from .receipt_text import text
from .recorded import GraphNode, Names, Place, Recorded, named_by


@dataclass(frozen=True)
class Term:
    """One term: `local`, the derivative of element `index` of `node` (a result), times `delta`, the gradient there.

    `factor` says what `local` is where it is an element of another argument: such as ``x[17, 3]``.
    """

    node: GraphNode
    index: Index
    local: float
    delta: float
    factor: str

    @property
    def value(self) -> float:
        """What it adds to the gradient."""
        return self.local * self.delta


@dataclass(frozen=True)
class Receipt:
    """One element of one gradient, and the terms that it is the sum of: ``print(it)`` shows the largest.

    `value` is the gradient itself, as the backward pass computed it; `terms` are those that are not zero, the largest
    first, worked out in float64; `zeros` counts the others; `remainder` is what rounding makes of the difference. `why`
    goes on from one of the terms to the gradient in it.
    """

    node: GraphNode
    index: Index
    value: float
    terms: list[Term]
    zeros: int
    graph: Recorded = field(repr=False)

    @property
    def name(self) -> str:
        """The element, such as ``layers.0.weight[3, 7]``."""
        return element(self.node.name, self.index)

    @cached_property
    def total(self) -> float:
        """The sum of the terms."""
        return math.fsum(term.value for term in self.terms)

    @property
    def remainder(self) -> float:
        """The gradient minus the sum: the rounding of the numbers' dtype."""
        return self.value - self.total

    def why(self, number: int = 0) -> "Receipt":
        """The receipt of the gradient in the term of that number: of the largest, if none is given."""
        if not 0 <= number < len(self.terms):
            raise OptionError(f"why({number}): this gradient has {len(self.terms)} terms, numbered from 0")
        term = self.terms[number]
        return _of(self.graph, term.node, term.index)

    def text(self, most: int = 5, depth: int = 3, language: Any = "en") -> str:
        """The largest terms, `most` of them, and `depth` levels: under each that of its largest term's gradient."""
        return text(self, most, depth, language)

    def __str__(self) -> str:
        return self.text()


def receipt(loss: Any, parameter: Any, index: Index | int = (), names: Names = None, **named: Any) -> Receipt:
    """Why the gradient of `loss` with respect to one element is what it is: the terms that the chain rule adds up.

    Fused ops are looked at unfolded. Nothing is touched; ask before ``backward()``, which frees the graph. For many
    receipts of one loss there is ``graph(loss, unfold=True).receipt``.

    Args:
        loss: a recorded Tensor of one element.
        parameter: a Tensor in its graph that requires a gradient, a leaf or not; or its name.
        index: of the element, a number per axis.
        names: what things are called: a model, or a mapping of names to Tensors and arrays.
        named: more of them, such as ``x=x``.

    Raises:
        OptionError: if `parameter` is not in the graph or requires no gradient, or has no such element.
        GradientError: as `graph` does.
    """
    return made(Recorded(loss, {**named_by(names), **named}, unfold=True), parameter, index)


def made(graph: Recorded, thing: Any, index: Index | int) -> Receipt:
    """The receipt of an element of what `thing` names. Raises `OptionError` if there is none."""
    node = graph.find(thing)
    if node.gradient is None:
        raise OptionError(f"{node.name} requires no gradient, so there is none to ask about")
    place = (index,) if isinstance(index, int) else tuple(index)
    if len(place) != node.value.ndim or not all(-n <= i < n for i, n in zip(place, node.value.shape, strict=True)):
        raise OptionError(f"{element(node.name, place)}: there is no such element, its shape is {node.value.shape}")
    return _of(graph, node, tuple(int(i) % n for i, n in zip(place, node.value.shape, strict=True)))


def _of(graph: Recorded, node: GraphNode, index: Index) -> Receipt:
    """The receipt of an element of a node."""
    terms: list[Term] = []
    zeros = 0
    for user in (graph.nodes[number] for number in node.users):
        if user.gradient is None:
            continue
        for position, argument in enumerate(user.arguments):
            if not (isinstance(argument, Place) and argument.number == node.number):
                continue
            local = derivative(user, position, index, graph.nodes)
            zeros += depending(user, position, index, graph.nodes) - int(np.count_nonzero(local))
            for at in zip(*(places.tolist() for places in np.atleast_1d(local).nonzero()), strict=True):
                at = at if local.ndim else ()
                factor = named_factor(user, position, index, at, graph.nodes)
                terms.append(Term(user, at, float(local[at]), float(user.gradient[at]), factor))
    nonzero = sorted((term for term in terms if term.value != 0), key=lambda term: -abs(term.value))
    assert node.gradient is not None
    return Receipt(node, index, float(node.gradient[index]), nonzero, zeros + len(terms) - len(nonzero), graph)
