"""The second half of the engine: one sweep back through what was recorded.

The history of a result is walked from the newest node to the oldest, each node once, and each
formula is handed the gradient that arrived: as arrays (fast), or as Tensors (``create_graph``),
whereupon the same formulas record a graph of their own, to be differentiated again.
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import Any, TypeVar

from .backend import array_module, backend_of, out_of_memory
from .deposit import accumulated, check_held, deposited
from .errors import DTypeError, GradientError, ShapeError
from .fitting import fitted, zeros_of
from .graph import FREED, check_recorded, leading_to
from .node import Node, wrap
from .recording import pauses

N = TypeVar("N", bound=Node)
_CHANGED = (
    "{what} of {op} was changed in place (by +=, .data =, load_state_dict, optimizer.step(), ...) after {op} {since}, "
    "so the gradient would be wrong: run the forward again"
)


def backward(output: Node, grad: Any, retain_graph: bool, create_graph: bool) -> None:
    """Carry out `Tensor.backward`; its docstring says what is promised."""
    check_recorded("backward()", output)
    found, history = _sweep(output, grad, None, create_graph)
    for leaf in found:
        if leaf._array.dtype.kind != "f":
            raise DTypeError(f"a Tensor of dtype {leaf._array.dtype} cannot take a gradient: only floating ones can")
        if leaf.grad is not None:
            check_held(leaf)
    for leaf, g in found.items():
        leaf.grad = deposited(leaf, g) if leaf.grad is None and not create_graph else accumulated(leaf, g, create_graph)
    if not (retain_graph or create_graph):
        for node in history:
            node._args = node._saved = None


def gradients(output: Any, inputs: N | Iterable[N], grad: Any = None, create_graph: bool = False) -> list[N]:
    """The gradients of `output` with respect to each of `inputs`: a list of Tensors, shaped like them.

    `inputs` are Tensors that require a gradient, leaves or interior ones (a list of them, or a single one); no
    ``.grad`` is touched, and the graph is kept. `grad`, of `output`'s shape, is the gradient that arrives at it (1 if
    it holds one element). An input that `output` does not depend on gets zeros. With `create_graph` the result
    can be differentiated again. Raises as `Tensor.backward` does, and `GradientError` if an input
    requires no gradient.
    """
    inputs = [inputs] if isinstance(inputs, Node) else list(inputs)
    for i, x in enumerate(inputs):
        if not (isinstance(x, Node) and x.requires_grad):
            raise GradientError(f"gradients: input {i} is not a Tensor with requires_grad=True")
    check_recorded("gradients()", output)
    found = _sweep(output, grad, inputs, create_graph)[0]
    if create_graph:
        return [_differentiable(found.get(x), x) for x in inputs]
    zeros = [array_module(x._array).zeros_like(x._array) for x in inputs]
    return [wrap(zero + found[x] if x in found else zero) for x, zero in zip(inputs, zeros, strict=True)]


def _differentiable(gradient: Any, x: Node) -> Any:
    """`gradient`, recorded as a function of `x` even where it is constant: its own gradient is then 0, not an error."""
    if gradient is None:
        return zeros_of(x)
    return gradient if getattr(gradient, "requires_grad", False) else gradient + zeros_of(x)


def _sweep(output: Node, seed: Any, inputs: Sequence[Node] | None, create: bool) -> tuple[dict[Node, Any], list[Node]]:
    """The gradients of the leaves of `output` (of `inputs`, where those are given), and the nodes on the way there."""
    kept = set(inputs or ())
    useful = None if inputs is None else leading_to(kept, output)
    found: dict[Node, Any] = {output: _seed(output, seed, create)}  # the gradients that have arrived so far
    history: list[Node] = []
    waiting = [] if output._op is None else [(output._born, output)]  # a heap: the newest, the least number, on top
    before = pauses.set(0 if create else 1)
    try:
        while waiting:
            node = heappop(waiting)[1]
            op, args = node._op, node._args
            if op is None or args is None:
                raise GradientError(FREED)
            history.append(node)
            if node._changes is not None and node._changes[0] < node._born:
                raise GradientError(_CHANGED.format(what="the result", op=op.name, since="was computed"))
            g = found[node] if node in kept else found.pop(node)
            values: list[Any] = []
            wanted: list[int] = []
            for a in args:
                if isinstance(a, Node):
                    if a.requires_grad and (useful is None or a in useful):
                        wanted.append(len(values))
                    values.append(a if create else a._array)
                    if a._changes is not None and a._changes[0] < node._born:
                        raise GradientError(_CHANGED.format(what="an argument", op=op.name, since="had used it"))
                else:
                    values.append(a)
            if not wanted:
                continue
            try:
                arrived = op.pullback(g, node if create else node._array, values, wanted, node._saved)
            except MemoryError as error:
                raise out_of_memory(f"the gradient of {op.name}", [node._array], error) from error
            for k, i in enumerate(wanted):
                ga, a = arrived[k], args[i]
                if ga is None:
                    continue
                data = a._array
                try:
                    fits = ga.shape == data.shape and ga.dtype is data.dtype
                except AttributeError:  # no array at all
                    fits = False
                if not fits:
                    ga = fitted(op, i, ga, data, node._array)
                if a not in found:
                    found[a] = ga
                    if a._op is not None:
                        heappush(waiting, (a._born, a))
                else:  # never in place: a first contribution is borrowed
                    found[a] = found[a] + ga
    finally:
        pauses.reset(before)
    return found, history


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
