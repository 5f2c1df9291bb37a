"""The second half of the engine: the backward pass, from a result to what it was made from.

    grads = {output: seed}
    queue = [output]
    while queue:
        node = the newest node in queue                            # all of its uses are newer: its gradient is complete
        for parent, g in (gradient formulas of node, given grads.pop(node)):
            grads[parent] += g, and parent joins the queue

Each formula is given its gradient as an array (fast), or as a Tensor (``create_graph``): then the same formulas record
a graph of their own, to be differentiated again.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import Any, TypeVar

from . import hooks
from .backend import array_module, backend_of, out_of_memory
from .deposit import accumulated, check_held, deposited, retained
from .errors import DTypeError, GradientError, ShapeError
from .fitting import fitted, zeros_of
from .graph import FREED, check_recorded, leading_to
from .hardware.arithmetic import computes
from .node import Node, wrap
from .recording import pauses

N = TypeVar("N", bound=Node)
_CHANGED = (
    "{what} of {op} was changed in place (by +=, .data =, load_state_dict, optimizer.step(), ...) after {op} {since}, "
    "so the gradient would be wrong: run the forward again"
)


def backward(output: Node, grad: Any, retain_graph: bool, create_graph: bool) -> None:
    """Do what `Tensor.backward` promises."""
    check_recorded("backward()", output)
    watcher = hooks.watcher
    if watcher is None:
        _store_gradients(output, grad, retain_graph, create_graph)
    else:
        watcher.backward(partial(_store_gradients, output, grad, retain_graph, create_graph), output)


def _store_gradients(output: Node, grad: Any, retain_graph: bool, create_graph: bool) -> None:
    """Add to each leaf's ``.grad`` what arrives there; nothing is touched before all of it has been checked."""
    grads, visited = _backward_pass(output, grad, None, create_graph)
    for leaf in grads:
        if leaf._array.dtype.kind != "f":
            raise DTypeError(f"a Tensor of dtype {leaf._array.dtype} cannot take a gradient: only floating ones can")
        if leaf.grad is not None:
            check_held(leaf)
    for leaf, g in grads.items():
        leaf.grad = deposited(leaf, g) if leaf.grad is None and not create_graph else accumulated(leaf, g, create_graph)
    # Arguments, and what kernels have saved, may go; a second pass that comes here is an error, not a wrong number.
    if not (retain_graph or create_graph):
        for node in visited:
            node._args = node._saved = None


@computes
def gradients(output: Any, inputs: N | Iterable[N], grad: Any = None, create_graph: bool = False) -> list[N]:
    """The gradients of `output` with respect to each of `inputs`: a list of Tensors, shaped like them.

    No ``.grad`` is touched, and the graph is kept.

    Args:
        output: a recorded Tensor.
        inputs: Tensors that require a gradient, leaves or interior ones: a list of them, or a single one.
        grad: the gradient that arrives at `output`, of its shape; 1 by default, if it holds one element.
        create_graph: record the gradients, so that they can be differentiated again.

    Returns:
        A list of Tensors, of the shapes and dtypes of `inputs`; zeros for one that `output` does not depend on.

    Raises:
        ShapeError: if `grad` does not fit.
        GradientError: as `Tensor.backward` does, and if an input requires no gradient.
    """
    inputs = [inputs] if isinstance(inputs, Node) else list(inputs)
    for i, x in enumerate(inputs):
        if not (isinstance(x, Node) and x.requires_grad):
            raise GradientError(f"gradients: input {i} is not a Tensor with requires_grad=True")
    check_recorded("gradients()", output)
    grads, _ = _backward_pass(output, grad, inputs, create_graph)
    if create_graph:
        return [_differentiable(grads.get(x), x) for x in inputs]
    # What the pass has found may be somebody else's array (the seed, say): the sum with zeros is a new one.
    zeros = [array_module(x._array).zeros_like(x._array) for x in inputs]
    return [wrap(zero + grads[x] if x in grads else zero) for x, zero in zip(inputs, zeros, strict=True)]


def _differentiable(gradient: Any, x: Node) -> Any:
    """`gradient`, recorded as a function of `x` even where it is constant: its own gradient is then 0, not an error."""
    if gradient is None:
        return zeros_of(x)
    return gradient if getattr(gradient, "requires_grad", False) else gradient + zeros_of(x)


def _backward_pass(
    output: Node, seed: Any, inputs: Sequence[Node] | None, create: bool
) -> tuple[dict[Node, Any], list[Node]]:
    """The gradients of the leaves of `output` (of `inputs`, if those are given), and the nodes visited on the way.

    With those of the leaves come those of results that are to be retained.
    """
    requested = retained() if inputs is None else set(inputs)
    relevant = None if inputs is None else leading_to(requested, output)
    grads: dict[Node, Any] = {output: _seed(output, seed, create)}
    visited: list[Node] = []
    queue = [] if output._op is None else [(output._born, output)]  # a heap: the newest, the least number, on top
    watcher = hooks.watcher
    # With create_graph the formulas record, even under no_grad(); without it they do not, whatever they compute.
    before = pauses.set(0 if create else 1)
    try:
        while queue:
            node = heappop(queue)[1]
            op, args = node._op, node._args
            if op is None or args is None:
                raise GradientError(FREED)
            visited.append(node)
            # Complete by now, and popped, so that its memory may be used again; kept if the caller asked for it.
            grad = grads[node] if node in requested else grads.pop(node)

            # What the formulas are given, if it is still what it was in the forward pass. (The clock counts down: a
            # change with a smaller number than the node's came after it.)
            if node._changes is not None and node._changes[0] < node._born:
                raise GradientError(_CHANGED.format(what="the result", op=op.name, since="was computed"))
            values: list[Any] = []
            wanted: list[int] = []
            for a in args:
                if isinstance(a, Node):
                    if a.requires_grad and (relevant is None or a in relevant):
                        wanted.append(len(values))
                    values.append(a if create else a._array)
                    if a._changes is not None and a._changes[0] < node._born:
                        raise GradientError(_CHANGED.format(what="an argument", op=op.name, since="had used it"))
                else:
                    values.append(a)
            if not wanted:
                continue

            result = node if create else node._array
            try:
                if watcher is None:
                    parent_grads = op.pullback(grad, result, values, wanted, node._saved)
                else:
                    parent_grads = watcher.pullback(op, grad, result, values, wanted, node._saved)
            except MemoryError as error:
                raise out_of_memory(f"the gradient of {op.name}", [node._array], error) from error

            # Each argument's gradient, in its shape and dtype, added to what has arrived there.
            for k, i in enumerate(wanted):
                parent, g = args[i], parent_grads[k]
                if g is None:  # the formula says that it is zero
                    continue
                data = parent._array
                try:
                    fits = g.shape == data.shape and g.dtype is data.dtype
                except AttributeError:  # no array at all
                    fits = False
                if not fits:
                    g = fitted(op, i, g, data, node._array)
                if parent not in grads:
                    grads[parent] = g
                    if parent._op is not None:
                        heappush(queue, (parent._born, parent))
                else:  # Out of place: the first gradient may be an array that somebody else holds.
                    grads[parent] = grads[parent] + g
    finally:
        pauses.reset(before)
    return grads, visited


def _seed(output: Node, seed: Any, create: bool) -> Any:
    """The gradient that arrives at `output`, from what `backward` was given."""
    data = output._array
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
        value = xp.asarray(seed._array if isinstance(seed, Node) else seed, dtype=data.dtype)
    if value.shape != data.shape:
        raise ShapeError(f"backward: grad has shape {value.shape}, the result has {data.shape}")
    return (seed if isinstance(seed, Node) else wrap(value)) if create else value
