"""What was recorded for a loss, read out: every value, every gradient, and what was made of what.

Fused ops are unfolded on request: the composition that a kernel stands in for is run on the same arguments. What both
forms have, a fused op's arguments and its result, keeps the values and gradients that were recorded.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...arrays import is_array
from ...autograd import Op, ancestors, recording
from ...backend import to_numpy
from ...backward import gradients
from ...errors import GradientError, OptionError
from ...fusable import Fusable
from ...graph import FREED, arguments, check_recorded, is_freed, maker
from ...nn import Module
from ...nn._module import Buffer
from ...node import Node

Names = Module | Mapping[str, Any] | None
_CONSTANT = "constant"
_TAKE_INPUTS = {"dense", "matmul"}


@dataclass(frozen=True)
class Place:
    """Stands for a node among an op's arguments."""

    number: int


@dataclass(eq=False)
class GraphNode:
    """A value in a recorded graph: a result of an op, or a leaf.

    `number` counts from the inputs to the loss. `op` is the name of what made it, None for a leaf; `inputs` are the
    numbers of the nodes that it was made from, `users` of those that were made from it, `options` the op's other
    arguments. `value` and `gradient` (of the loss with respect to it, None if it requires none) have the same shape.
    """

    number: int
    name: str
    op: str | None
    inputs: list[int]
    options: dict[str, Any]
    value: np.ndarray
    gradient: np.ndarray | None
    users: list[int] = field(default_factory=list)
    maker: Op[...] | None = field(default=None, repr=False)
    arguments: tuple[Any, ...] = field(default=(), repr=False)  # all of the op's, a `Place` for each node


class Recorded:
    """The nodes of the graph of `loss`, arguments before results: the last one is the loss.

    Raises `GradientError` if nothing was recorded, or if the graph was freed by ``backward()``.
    """

    def __init__(self, loss: Any, names: Names = None, unfold: bool = False) -> None:
        check_recorded("the graph", loss)
        self._unfold = unfold
        self._composed: dict[int, Node] = {}  # by the identity of a fused op's result: that of the composition
        self._results: dict[int, Node] = {}  # the other way round
        self._inner: dict[int, list[Node]] = {}  # what lies between, by the identity of the fused op's result
        self._things = list(self._in_order(loss))
        self._gradients = self._all_gradients(loss)
        self._numbers = {id(thing): number for number, thing in enumerate(self._things)}
        known = {id(thing): name for name, thing in named_by(names).items()}
        self.nodes: list[GraphNode] = []
        used: Counter[str] = Counter()
        for thing in self._things:
            node = self._read(thing)
            node.name = known.get(id(thing)) or _made_up(node, self.nodes, used)
            for i in dict.fromkeys(node.inputs):
                self.nodes[i].users.append(node.number)
            if node.op in _TAKE_INPUTS:  # a batch has no name, but a place
                first = self.nodes[node.inputs[0]]
                first.name = first.name.replace(_CONSTANT, "input") if first.op is None else first.name
            self.nodes.append(node)

    def find(self, thing: Any) -> GraphNode:
        """The node of a Tensor, or the one of that name or number. Raises `OptionError` if there is none."""
        if isinstance(thing, str | int):
            found = [node for node in self.nodes if thing in (node.name, node.number)]
            if found:
                return found[0]
            leaves = ", ".join(node.name for node in self.nodes if node.op is None and node.gradient is not None)
            raise OptionError(f"there is no {thing!r} in this graph; what requires a gradient there is {leaves}")
        if id(thing) not in self._numbers:
            raise OptionError("this Tensor is not in the graph: the loss was not made from it")
        return self.nodes[self._numbers[id(thing)]]

    def _in_order(self, loss: Node) -> Iterator[Any]:
        """All things that the loss was made from, arguments first. No recursion: graphs may be deep."""
        waiting: list[tuple[Any, bool]] = [(loss, False)]
        seen: set[int] = set()
        while waiting:
            thing, ready = waiting.pop()
            if ready:
                yield thing
            elif id(thing) not in seen:
                seen.add(id(thing))
                waiting.append((thing, True))
                waiting += [(a, False) for a in reversed(self._made_from(thing)) if isinstance(a, Node) or is_array(a)]

    def _made_from(self, thing: Any) -> list[Any]:
        """The arguments of what made a result, unfolded if that is asked for; none for a leaf."""
        if not isinstance(thing, Node):
            return []
        if is_freed(thing):
            raise GradientError(f"{FREED}, or ask before it")
        if self._unfold and isinstance(maker(thing), Fusable) and id(thing) not in self._composed:
            self._compose(thing)
        made = self._composed.get(id(thing), thing)
        return [self._results.get(id(a), a) for a in arguments(made)]

    def _compose(self, thing: Node) -> None:
        """Run the composition that the fused op of `thing` stands for."""
        with recording(True):
            made: Any = thing
            while isinstance(op := maker(made), Fusable):
                made = op.compose(arguments(made))
        self._composed[id(thing)], self._results[id(made)] = made, thing
        new = set(ancestors(made)) - set(ancestors(thing)) - {made}
        self._inner[id(thing)] = [node for node in new if node.requires_grad]

    def _all_gradients(self, loss: Node) -> dict[int, Any]:
        """The gradients, by the identity of what they belong to."""
        inner = {id(node) for nodes in self._inner.values() for node in nodes}
        recorded = [t for t in self._things if isinstance(t, Node) and t.requires_grad and id(t) not in inner]
        found = dict(zip(map(id, recorded), gradients(loss, recorded), strict=True))
        for thing in reversed(self._things):
            if self._inner.get(id(thing)):
                between = self._inner[id(thing)]
                parts = gradients(self._composed[id(thing)], between, found[id(thing)])
                found |= zip(map(id, between), parts, strict=True)
        return found

    def _read(self, thing: Any) -> GraphNode:
        made = self._composed.get(id(thing), thing)
        op = maker(made)
        given = self._made_from(thing)
        places = tuple(Place(self._numbers[id(a)]) if id(a) in self._numbers else a for a in given)
        gradient = self._gradients.get(id(thing))
        return GraphNode(
            number=self._numbers[id(thing)],
            name="",
            op=op and op.name,
            inputs=[place.number for place in places if isinstance(place, Place)],
            options=_options(op, places),
            value=_copy(thing),
            gradient=None if gradient is None else _copy(gradient),
            maker=op,
            arguments=places,
        )


def _copy(thing: Any) -> np.ndarray:
    return np.array(to_numpy(thing.data if isinstance(thing, Node) else thing))


def _options(op: Op[...] | None, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The arguments of an op that are no nodes, by name; None is left out."""
    if op is None:
        return {}
    names = op.signature.names
    if op.signature.variadic:  # the arrays have no names
        arguments = arguments[len(arguments) - len(names) :]
    pairs = zip(names, arguments, strict=False)
    return {name: value for name, value in pairs if value is not None and not isinstance(value, Place)}


def named_by(names: Names) -> dict[str, Any]:
    """What has a name: of a model its parameters and buffers."""
    if isinstance(names, Module):
        return {**dict(names.named_parameters()), **dict(names.named_tensors(Buffer))}
    return dict(names or {})


def _made_up(node: GraphNode, before: list[GraphNode], used: Counter[str]) -> str:
    """A name for what has none: its op's, after the layer whose parameter is in it; numbered, if there is another."""
    layers = [before[i].name.rpartition(".")[0] for i in node.inputs if before[i].op is None]
    layer = next(filter(None, layers), None)
    kind = node.op or ("parameter" if node.gradient is not None else _CONSTANT)
    name = f"{layer} {kind}" if layer else kind
    used[name] += 1
    return f"{name} #{used[name]}" if used[name] > 1 else name
