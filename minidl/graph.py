"""What was recorded, read: who made a result of what, which of it a gradient needs, and what can be wrong with it."""

from collections.abc import Sequence
from typing import Any

from .errors import GradientError
from .node import Node, ancestors

FREED = "this graph was freed by an earlier backward(): give that one retain_graph=True"


def maker(node: Any) -> Any:
    """The op that `node` is the result of; None for a leaf, for a constant, and for what is no Tensor."""
    return getattr(node, "_op", None)


def arguments(node: Node) -> tuple[Any, ...]:
    """What `node` was made from, all the arguments of its `maker`; none for a leaf, and once the graph is freed."""
    return node._args or ()


def saved(node: Any) -> Any:
    """What a kernel left for the gradients of the result `node`; None if there is nothing."""
    return getattr(node, "_saved", None)


def is_freed(node: Node) -> bool:
    """Whether the result `node` no longer knows what it was made from."""
    return node._op is not None and node._args is None


def check_recorded(what: str, output: Any) -> None:
    """Raise `GradientError` unless `output` is a Tensor that requires a gradient."""
    if not isinstance(output, Node):
        raise GradientError(f"{what} of a {type(output).__name__}, which is no Tensor, so that nothing was recorded")
    if not output.requires_grad:
        raise GradientError(
            f"{what} of a result that nothing recorded: no Tensor it was made from has requires_grad=True, "
            "or it was made under no_grad(), or through integers"
        )


def depends_only_on(output: Node, leaves: Sequence[Node]) -> bool:
    """Whether `output` was made of `leaves` and constants alone: of no other leaf that requires a gradient."""
    known = set(leaves)
    return all(not node.requires_grad or node._op is not None or node in known for node in ancestors(output))


def leading_to(inputs: set[Node], output: Node) -> set[Node]:
    """The nodes between `inputs` and `output`: nothing else's gradient need be computed."""
    oldest = max([x._born for x in inputs], default=0)
    relevant = set(inputs)
    for node in reversed(ancestors(output, oldest)):  # the oldest first: arguments before results
        if node._args is None:
            if node._op is not None and node._born <= oldest:
                raise GradientError(FREED)
            continue
        for a in node._args:
            if isinstance(a, Node) and a in relevant:
                relevant.add(node)
                break
    return relevant
