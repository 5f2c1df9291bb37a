"""The second half of the engine: one sweep back through what was recorded.

The history of a result is walked from the newest node to the oldest, each node once, and each
formula is handed the gradient that arrived: as arrays (fast), or as Tensors (``create_graph``),
whereupon the same formulas record a graph of their own, to be differentiated again.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any

from .autograd import Node, _mode, unbroadcast, wrap
from .backend import array_module, backend_of, out_of_memory
from .errors import DTypeError, GradientError, ShapeError

_FREED = "this graph was freed by an earlier backward(): give that one retain_graph=True"


def backward(output: Node, grad: Any, retain_graph: bool, create_graph: bool) -> None:
    """Carry out `Tensor.backward`; its docstring says what is promised."""
    if not output.requires_grad:
        raise GradientError(
            "backward() on a result that nothing recorded: no Tensor it was made from has requires_grad=True, "
            "or it was made under no_grad(), or through integers"
        )
    found, history = _sweep(output, grad, None, create_graph)
    for leaf in found:
        if leaf.data.dtype.kind != "f":
            raise DTypeError(f"a Tensor of dtype {leaf.data.dtype} cannot take a gradient: only floating ones can")
    for leaf, g in found.items():
        if create_graph:
            leaf.grad = g if leaf.grad is None else leaf.grad + g
        elif leaf.grad is not None:
            leaf.grad.data += g
            leaf.grad.changed()
        else:  # copied, so that no two leaves share a gradient
            slot = leaf._slot if _fits(leaf._slot, leaf.data) else array_module(leaf.data).empty_like(leaf.data)
            slot[...] = g
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
    found = _sweep(output, grad, inputs, create_graph)[0] if output.requires_grad else {}
    zeros = [array_module(x.data).zeros_like(x.data) for x in inputs]
    if create_graph:
        return [found[x] if x in found else wrap(zero) for x, zero in zip(inputs, zeros, strict=True)]
    return [wrap(zero + found[x] if x in found else zero) for x, zero in zip(inputs, zeros, strict=True)]


def _sweep(output: Node, seed: Any, inputs: Sequence[Node] | None, create: bool) -> tuple[dict[Node, Any], list[Node]]:
    """The gradients of the leaves of `output` (of `inputs`, where those are given), and the nodes on the way there."""
    kept = set(inputs or ())
    useful = None if inputs is None else _leading_to(kept, output)
    found: dict[Node, Any] = {output: _seed(output, seed, create)}  # the gradients that have arrived so far
    history: list[Node] = []
    waiting = [] if output._op is None else [(output._born, output)]  # a heap: the newest, the least number, on top
    before, _mode.recording = _mode.recording, create
    try:
        while waiting:
            node = heappop(waiting)[1]
            op, args = node._op, node._args
            if op is None or args is None:
                raise GradientError(_FREED)
            history.append(node)
            g = found[node] if node in kept else found.pop(node)
            values: list[Any] = []
            wanted: list[int] = []
            for a in args:
                if isinstance(a, Node):
                    if a.requires_grad and (useful is None or a in useful):
                        wanted.append(len(values))
                    values.append(a if create else a.data)
                    if a._changes is not None and a._changes[0] < node._born:
                        raise GradientError(
                            f"an argument of {op.name} was changed in place (by +=, load_state_dict, optimizer.step(), "
                            f"...) after {op.name} had used it, so its gradient would be wrong: run the forward again"
                        )
                else:
                    values.append(a)
            if not wanted:
                continue
            try:
                arrived = op.pullback(g, node if create else node.data, values, wanted, node._saved)
            except MemoryError as error:
                raise out_of_memory(f"the gradient of {op.name}", [node.data], error) from error
            for k, i in enumerate(wanted):
                ga, a = arrived[k], args[i]
                if ga is None:
                    continue
                data = a.data
                if ga.shape != data.shape or ga.dtype is not data.dtype:
                    ga = unbroadcast(ga, data.shape, data.dtype)
                if a not in found:
                    found[a] = ga
                    if a._op is not None:
                        heappush(waiting, (a._born, a))
                else:  # never in place: a first contribution is borrowed
                    found[a] = found[a] + ga
    finally:
        _mode.recording = before
    return found, history


def _leading_to(inputs: set[Node], output: Node) -> set[Node]:
    """The nodes on a way from one of `inputs` to `output`: nothing else's gradient need be computed."""
    oldest = max([x._born for x in inputs], default=0)
    history, seen = [output], {output}
    for node in history:
        if node._op is not None and node._born <= oldest:
            if node._args is None:
                raise GradientError(_FREED)
            for a in node._args:
                if isinstance(a, Node) and a.requires_grad and a not in seen:
                    seen.add(a)
                    history.append(a)
    useful = set(inputs)
    for node in sorted(history, key=attrgetter("_born"), reverse=True):
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
    xp = array_module(data)
    if seed is None:
        if backend_of(data) == "numpy" and not (create or data.ndim):
            return data.dtype.type(1)  # a scalar, with which NumPy does sums in a tenth of the time
        value = xp.ones_like(data)
    else:
        value = xp.asarray(seed.data if isinstance(seed, Node) else seed, dtype=data.dtype)
    if value.shape != data.shape:
        raise ShapeError(f"backward: grad has shape {value.shape}, the result has {data.shape}")
    return (seed if isinstance(seed, Node) else wrap(value)) if create else value
