"""The graph of a loss, to be looked at: as text, SVG, DOT or HTML."""

from collections.abc import Iterator
from typing import Any

from ...errors import OptionError
from . import drawing
from .local import Index
from .numbers import shape_of, shown, summary
from .receipt import Receipt, made
from .recorded import GraphNode, Names, Recorded, named_by


class Graph:
    """A recorded graph, as `graph` reads it: `nodes`, and ways to show them. ``print(it)`` gives the text.

    `nodes` are `GraphNode`s, arguments before results; the last one is the loss. ``it[name]``, ``it[number]`` and
    ``it[tensor]`` find one.
    """

    def __init__(self, recorded: Recorded, unfolded: bool) -> None:
        self._recorded, self._unfolded = recorded, unfolded
        self.nodes = recorded.nodes

    def __getitem__(self, thing: Any) -> GraphNode:
        return self._recorded.find(thing)

    def __iter__(self) -> Iterator[GraphNode]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def receipt(self, thing: Any, index: Index | int = ()) -> Receipt:
        """Why one element of a gradient is what it is: see `receipt`. The graph must have been unfolded.

        Raises `OptionError` if it was not, or if there is no such element.
        """
        if not self._unfolded:
            raise OptionError("a receipt goes through each op by itself: make the graph with unfold=True")
        return made(self._recorded, thing, index)

    def text(self) -> str:
        """A line per node, in the order of the forward pass; the backward pass goes through them from below."""
        rows = [("", "node", "made of", "shape", "value", "gradient of the loss")]
        for node in self.nodes:
            made_of = " ".join(map(str, node.inputs)) if node.op else "-"
            gradient = "-" if node.gradient is None else summary(node.gradient)
            rows.append((str(node.number), node.name, made_of, shape_of(node.value), summary(node.value), gradient))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)

    def svg(self) -> str:
        """A picture, leaves above and the loss below, each node with its shape, value and gradient."""
        return drawing.svg(self.nodes)

    def dot(self) -> str:
        """The graph in the language of Graphviz's programs."""
        return drawing.dot(self.nodes)

    def html(self) -> str:
        """A page with the picture, and each node's numbers to be unfolded; it loads nothing from elsewhere."""
        return drawing.html(self.nodes)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes, {self.nodes[-1].name} = {shown(self.nodes[-1].value)}>"

    def _repr_html_(self) -> str:
        return self.svg()


def graph(loss: Any, names: Names = None, *, unfold: bool = False, **named: Any) -> Graph:
    """What was recorded for `loss`: each op with its arguments, its value, and the gradient of `loss` there.

    Nothing is touched: no ``.grad`` is written, and ``backward()`` may follow. Ask before it, though, as it frees what
    was recorded.

    Args:
        loss: a recorded Tensor of one element.
        names: of the leaves: a model, for those of its parameters, or a mapping of names to Tensors and arrays.
        unfold: show the ops that a fused one (dense, batch_norm, softmax_cross_entropy) is made of. Its arguments and
            its result keep their recorded values and gradients, to the bit; those in between are the composition's.
        named: more Tensors and arrays by name, such as ``x=x, y=y``.

    Raises:
        GradientError: if nothing was recorded, if `loss` has more than one element, or after ``backward()``.
    """
    return Graph(Recorded(loss, {**named_by(names), **named}, unfold), unfold)
