"""The second half of the engine: one sweep back through what was recorded.

The history of a result is walked from the newest node to the oldest, each node once, and each
formula is handed the gradient that arrived: as arrays (fast), or as Tensors (``create_graph``),
whereupon the same formulas record a graph of their own, to be differentiated again.
"""

import operator
from collections.abc import Sequence
from typing import Any

from .autograd import Node, recording, unbroadcast, wrap
from .backend import array_module
from .errors import DTypeError, GradientError, ShapeError


def backward(output: Node, grad: Any, retain_graph: bool, create_graph: bool) -> None:
    """Carry out `Tensor.backward`; its docstring says what is promised."""
    if not output.requires_grad:
        raise GradientError(
            "backward() on a result that nothing recorded: no Tensor it was made from has requires_grad=True, "
            "or it was made under no_grad(), or through integers"
        )
    history, found = _sweep(output, grad, None, create_graph)
    leaves = [node for node in history if node._op is None and node in found]
    for leaf in leaves:
        if leaf.data.dtype.kind != "f":
            raise DTypeError(f"a Tensor of dtype {leaf.data.dtype} cannot take a gradient: only floating ones can")
    for leaf in leaves:
        if create_graph:
            leaf.grad = found[leaf] if leaf.grad is None else leaf.grad + found[leaf]
        elif leaf.grad is not None:
            leaf.grad.data += found[leaf]
            leaf.grad.changed()
        else:  # copied, so that no two leaves share a gradient
            slot = leaf._slot if _fits(leaf._slot, leaf.data) else array_module(leaf.data).empty_like(leaf.data)
            slot[...] = found[leaf]
            leaf.grad = wrap(slot)
    if not (retain_graph or create_graph):
        for node in history:
            node._args = node._saved = None


def _fits(slot: Any, data: Any) -> bool:
    """Whether a gradient of `data` can be written into `slot`: not if `data` was replaced by something else since."""
    return type(slot) is type(data) and slot.shape == data.shape and slot.dtype == data.dtype


def gradients(output: Any, inputs: Sequence[Any], grad: Any = None, create_graph: bool = False) -> list[Any]:
    """The gradients of `output` with respect to each of `inputs`: Tensors, shaped like them.

    `inputs` are Tensors that require a gradient, leaves or interior ones; no ``.grad`` is touched, and
    the graph is kept. `grad`, of `output`'s shape, is the gradient that arrives at it (1 if it holds
    one element). An input that `output` does not depend on gets zeros. With `create_graph` the result
    can be differentiated again. Raises as `Tensor.backward` does, and `GradientError` if an input
    requires no gradient.
    """
    for i, x in enumerate(inputs):
        if not (isinstance(x, Node) and x.requires_grad):
            raise GradientError(f"gradients: input {i} is not a Tensor with requires_grad=True")
    found = _sweep(output, grad, inputs, create_graph)[1] if output.requires_grad else {}
    zeros = [array_module(x.data).zeros_like(x.data) for x in inputs]
    if create_graph:
        return [found[x] if x in found else wrap(zero) for x, zero in zip(inputs, zeros, strict=True)]
    return [wrap(zero + found[x] if x in found else zero) for x, zero in zip(inputs, zeros, strict=True)]


def _sweep(output: Node, seed: Any, inputs: Sequence[Node] | None, create: bool) -> tuple[list[Node], dict[Node, Any]]:
    """The history of `output`, and the gradients of its leaves (of `inputs`, where those are given)."""
    kept = set(inputs or ())
    history = _history(output, min([x._born for x in kept]) if kept else 0)
    useful = _leading_to(kept, history) if inputs is not None else None
    found: dict[Node, Any] = {output: _seed(output, seed, create)}
    owned: set[Node] = set()  # a first contribution is borrowed and never written into; a sum is ours
    with recording(create):
        for node in history:
            op, args = node._op, node._args
            if op is None or args is None or node not in found or (useful is not None and node not in useful):
                continue
            g = found[node] if node in kept else found.pop(node)
            wanted, values = [], []
            for i, a in enumerate(args):
                if isinstance(a, Node):
                    values.append(a if create else a.data)
                    if a.requires_grad and (useful is None or a in useful):
                        wanted.append(i)
                else:
                    values.append(a)
            y = node if create else node.data
            for i, ga in zip(wanted, op.pullback(g, y, values, wanted, node._saved), strict=True):
                if ga is None:
                    continue
                a = args[i]
                data = a.data
                if ga.shape != data.shape or ga.dtype != data.dtype:
                    ga = unbroadcast(ga, data.shape, data.dtype)
                if a not in found:
                    found[a] = ga
                elif a in owned and not create:
                    found[a] += ga
                else:
                    found[a] = found[a] + ga
                    owned.add(a)
    return history, found


def _history(output: Node, oldest: int) -> list[Node]:
    """`output` and what it was made from, back to birth number `oldest`: newest first, each once."""
    seen, stack = {output}, [output]
    while stack:
        node = stack.pop()
        if node._op is None or node._born < oldest:
            continue
        if node._args is None:
            raise GradientError("this graph was freed by an earlier backward(): give that one retain_graph=True")
        changes = 0
        for a in node._args:
            if isinstance(a, Node):
                if a._changes:
                    changes += a._changes[0]
                if a.requires_grad and a not in seen:
                    seen.add(a)
                    stack.append(a)
        if changes != node._seen:
            raise GradientError(
                f"an argument of {node._op.name} was changed in place (by +=, load_state_dict, optimizer.step(), ...) "
                f"after {node._op.name} had used it, so its gradient would be wrong: run the forward again"
            )
    return sorted(seen, key=operator.attrgetter("_born"), reverse=True)


def _leading_to(inputs: set[Node], history: list[Node]) -> set[Node]:
    """The nodes of `history` on a way from one of `inputs`: nothing else's gradient need be computed."""
    useful = set(inputs)
    for node in reversed(history):
        if node._args is not None and any(isinstance(a, Node) and a in useful for a in node._args):
            useful.add(node)
    return useful


def _seed(output: Node, seed: Any, create: bool) -> Any:
    """The gradient that arrives at `output`, from what `backward` was given."""
    data = output.data
    if seed is None and data.size != 1:
        raise GradientError(
            f"backward from a result of shape {data.shape}: only a single element has a gradient of its own; "
            f"reduce it first (.sum(), .mean()), or pass grad= of that shape"
        )
    given = 1 if seed is None else seed.data if isinstance(seed, Node) else seed
    value = array_module(data).asarray(given, dtype=data.dtype)
    if seed is None and data.ndim:
        value = value.reshape(data.shape)
    if value.shape != data.shape:
        raise ShapeError(f"backward: grad has shape {value.shape}, the result has {data.shape}")
    return (seed if isinstance(seed, Node) else wrap(value)) if create else value
