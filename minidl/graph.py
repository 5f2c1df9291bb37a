"""Walks over what was recorded, and what can be found wrong with it."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from .errors import GradientError
from .node import Node, ancestors

FREED = "this graph was freed by an earlier backward(): give that one retain_graph=True"


def check_recorded(what: str, output: Any) -> None:
    if not isinstance(output, Node):
        raise GradientError(f"{what} of a {type(output).__name__}, which is no Tensor, so that nothing was recorded")
    if not output.requires_grad:
        raise GradientError(
            f"{what} of a result that nothing recorded: no Tensor it was made from has requires_grad=True, "
            "or it was made under no_grad(), or through integers"
        )


def depends_only_on(output: Node, inputs: Sequence[Node]) -> bool:
    """Whether `output` was made of `inputs` and constants alone: of nothing else that requires a gradient."""
    seen, stack = {output, *inputs}, [output]
    while stack:
        for a in stack.pop()._args or ():
            if isinstance(a, Node) and a.requires_grad and a not in seen:
                if a._op is None:
                    return False
                seen.add(a)
                stack.append(a)
    return True


def leading_to(inputs: set[Node], output: Node) -> set[Node]:
    """The nodes on a way from one of `inputs` to `output`: nothing else's gradient need be computed."""
    oldest = max([x._born for x in inputs], default=0)
    history, seen = [output], {output}
    for node in history:
        if node._op is not None and node._born <= oldest:
            if node._args is None:
                raise GradientError(FREED)
            for a in node._args:
                if isinstance(a, Node) and a.requires_grad and a not in seen:
                    seen.add(a)
                    history.append(a)
    useful = set(inputs)
    for node in sorted(history, key=attrgetter("_born"), reverse=True):
        if node._args is not None and any(isinstance(a, Node) and a in useful for a in node._args):
            useful.add(node)
    return useful


def recorded_ops(output: Any) -> Iterator[tuple[Any, tuple[Any, ...], Node]]:
    """The recorded ops that `output` was made by, oldest first: each op, its arguments, its result."""
    for node in reversed(ancestors(output)) if isinstance(output, Node) else ():
        if node._op is not None and node._args is not None:
            yield node._op, node._args, node
