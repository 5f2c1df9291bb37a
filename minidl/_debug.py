"""Every op watched as it runs: which made the first number that is not finite, and who writes behind minidl's back.

Nothing here costs anything until `debug` is entered: the block exchanges a few methods of other classes for
watchful ones and puts them back at its end. They watch only the threads that are inside such a block.
"""

import functools
import math
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from .autograd import Node, Op
from .backend import Array, array_module
from .contexts import F, Reusable
from .errors import NonFiniteError
from .fusable import Fusable
from .nn import BatchNorm, Dense, Module
from .operands import prepared
from .ops.shape import plain
from .tensor import Tensor


class _Here(threading.local):
    def __init__(self) -> None:
        self.blocks = 0  # how many debug blocks this thread is in
        self.modules: list[Module] = []  # those that are running, outermost first
        self.in_formula = False  # whether a gradient formula is running: what it returns counts, not its way there


_here = _Here()
_lock = threading.RLock()
_exchanged: list[tuple[type, str, Any]] = []  # where a method was exchanged, and for which one
_users = 0  # how many debug blocks all threads are in
_held: dict[int, tuple[np.ndarray, int]] = {}  # by id, each array made read-only, and how many nodes hold it
_places: dict[int, tuple[Module, Module]] = {}  # by id of a node's array, the model and the layer that it was made in
_releases: dict[int, Any] = {}  # by id of a node, what gives back its arrays


class _Debug(Reusable):
    def __enter__(self) -> None:
        global _users
        with _lock:
            if not _users:
                _exchange()
            _users += 1
        _here.blocks += 1

    def __exit__(self, *error: Any) -> None:
        global _users
        _here.blocks -= 1
        with _lock:
            _users -= 1
            if not _users:
                while _exchanged:
                    setattr(*_exchanged.pop())
                for release in list(_releases.values()):
                    release()


@overload
def debug(function: None = None) -> _Debug: ...
@overload
def debug(function: F) -> F: ...
def debug(function: F | None = None) -> _Debug | F:
    """A context manager and a decorator: within it every op is checked as it runs, in this thread.

    The first result or gradient that is infinite or NaN raises `NonFiniteError`. It names the op, forward
    or backward, the shapes, the layer if it happened inside a model, and whether an argument was not finite
    already or this op is where it began. NumPy's warnings of the same are silent meanwhile.

    The arrays that a graph holds (arguments, results, what kernels saved) are read-only until the graph is
    freed or the block ends, so that a write behind minidl's back (into ``.data``, or into an array that was
    handed in) is NumPy's `ValueError` on that very line. What minidl counts as a change (``optimizer.step()``,
    ``load_state_dict``, in-place operators on Tensors) goes on as ever. CuPy's arrays cannot be made read-only.

    A block inside another changes nothing. As a decorator, ``@debug()`` or ``@debug``, it holds for the whole body of
    generators and coroutines too. To find where a training step goes wrong, run that step again,
    forward and backward, within it. Ops are checked, a compiled step and an optimizer's update are not.
    """
    return _Debug() if function is None else _Debug()(function)


def debugging() -> bool:
    """Whether this thread is inside a `debug` block."""
    return _here.blocks > 0


def _exchange() -> None:
    """Put a watchful method in the place of each that matters."""
    watched: list[tuple[type, str, Callable[..., Any]]] = [
        (Op, "__call__", _checked_call),
        (Op, "pullback", _checked_pullback),
        (Fusable, "pullback", _checked_pullback),
        (Module, "__call__", _located),
        (Dense, "forward", _located),  # Sequential calls it without a detour
        (Tensor, "backward", _checked_backward),
        (Tensor, "_in_place", _writing),
        (Tensor, "__setitem__", _writing),
        (Module, "load_state_dict", _writing),
        (BatchNorm, "_follow", _writing),
    ]
    for owner, name, watchful in watched:
        original = vars(owner)[name]
        _exchanged.append((owner, name, original))
        setattr(owner, name, _if_debugging(original, watchful))


def _if_debugging(original: Callable[..., Any], watchful: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(*args: Any, **params: Any) -> Any:
        return watchful(original, *args, **params) if _here.blocks else original(*args, **params)

    return method


# What is watched: the numbers


def _checked_call(original: Callable[..., Any], op: Op[...], *args: Any, **params: Any) -> Any:
    with np.errstate(all="ignore"):
        result = original(op, *args, **params)
    if not (_here.in_formula or _finite(result)):
        given = _given(op, args, params)
        fault = _first_fault(given)
        blame = (
            f"{_named(op, fault)}, {_shown(given[fault])}, was not finite already"
            if fault is not None
            else f"all that it was given is finite, so this is where it began: {_ranges(op, given)}"
        )
        raise NonFiniteError(f"{op.name}, forward{_place(_running())}: the result, {_shown(result)}; {blame}")
    if isinstance(result, Node) and result._op is not None:
        _hold(result)
    return result


def _checked_pullback(
    original: Callable[..., Any], op: Op[...], g: Any, y: Any, args: Sequence[Any], wanted: list[int], saved: Any
) -> Any:
    if _here.in_formula:
        return original(op, g, y, args, wanted, saved)
    where = f"{op.name}, backward{_place(_places.get(id(plain(y))))}"
    if not _finite(g):
        raise NonFiniteError(
            f"{where}: the gradient that arrived, {_shown(g)}; no op made it so: it was handed to backward(), or it "
            f"is the sum of the gradients from several uses, and overflowed"
        )
    _here.in_formula = True
    try:
        with np.errstate(all="ignore"):
            found = original(op, g, y, args, wanted, saved)
    finally:
        _here.in_formula = False
    for i, gradient in zip(wanted, found, strict=True):
        if gradient is not None and not _finite(gradient):
            fault = _first_fault(args)
            blame = (
                f"{_named(op, fault)}, {_shown(args[fault])}, was not finite already"
                if fault is not None
                else f"all that it was given is finite, so this is where it began: g {_range(g)}, {_ranges(op, args)}"
            )
            raise NonFiniteError(f"{where}: the gradient for {_named(op, i)}, {_shown(gradient)}; {blame}")
    return found


def _checked_backward(original: Callable[..., Any], tensor: Tensor, *args: Any, **params: Any) -> None:
    leaves = _leaves(tensor)
    with np.errstate(all="ignore"):
        original(tensor, *args, **params)
    for release in list(_releases.values()):
        alive = release.peek()
        if alive is not None and alive[0]._args is None:  # backward has freed its graph
            release()
    for leaf in leaves:
        if not _finite(leaf.grad):
            raise NonFiniteError(
                f"backward: the gradient of a leaf, {_shown(leaf.grad)}; each part of it was finite, and their sum "
                f"(over its uses, or with what .grad held before) overflowed"
            )


def _given(op: Op[...], args: Sequence[Any], params: dict[str, Any]) -> Sequence[Any]:
    """All arguments of the call, without Tensors; lists where arrays are expected are arrays."""
    given = op.signature.bind(tuple(plain(a) for a in args), params)
    return prepared(op.name, given, op.arrays if op.arity >= 0 else len(given) + op.arrays)


def _is_floating(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") == "f"


def _finite(value: Any) -> bool:
    """Whether `value`, if it is floating numbers at all, has neither infinities nor NaN in it."""
    value = plain(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not _is_floating(value) or array_module(value).isfinite(value).all().item()


def _first_fault(args: Sequence[Any]) -> int | None:
    return next((i for i, a in enumerate(args) if not _finite(a)), None)


def _named(op: Op[...], i: int) -> str:
    return f"argument {i}" if op.signature.variadic else f"argument {i} ({op.signature.names[i]})"


def _shown(value: Any) -> str:
    """The dtype and shape of what is not finite, how much of it, and the first such element."""
    value = np.asarray(value) if isinstance(value, float) else plain(value)
    bad = ~array_module(value).isfinite(value)
    at = np.unravel_index(int(bad.argmax()), value.shape)
    element = f"{value[at].item()} at {[int(i) for i in at]}" if at else f"{value.item()}"
    share = f"has {int(bad.sum())} of {bad.size} elements not finite, the first " if bad.size > 1 else "is "
    return f"{value.dtype}{list(value.shape)}, {share}{element}"


def _ranges(op: Op[...], args: Sequence[Any]) -> str:
    """What an op was given: each array's dtype, shape and range, each parameter's value."""
    told = []
    for i, a in enumerate(args):
        name = op.signature.names[i] if not op.signature.variadic else f"{i}"
        if _is_floating(plain(a)):
            told.append(f"{name} {_range(a)}")
        elif a is not None and not hasattr(a, "shape"):
            told.append(f"{name}={a!r:.40}")
    return ", ".join(told)


def _range(value: Any) -> str:
    value = plain(value)
    extent = f" from {value.min().item():.6g} to {value.max().item():.6g}" if value.size else ""
    return f"{value.dtype}{list(value.shape)}{extent}"


def _leaves(output: Node) -> list[Node]:
    seen, stack = {output}, [output]
    while stack:
        for a in stack.pop()._args or ():
            if isinstance(a, Node) and a.requires_grad and a not in seen:
                seen.add(a)
                stack.append(a)
    return [node for node in seen if node._op is None]


# Where it happens: the layer


def _located(original: Callable[..., Any], module: Module, *args: Any) -> Any:
    _here.modules.append(module)
    try:
        return original(module, *args)
    finally:
        _here.modules.pop()


def _running() -> tuple[Module, Module] | None:
    return (_here.modules[0], _here.modules[-1]) if _here.modules else None


def _place(place: tuple[Module, Module] | None) -> str:
    """The layer's name in the model, and what it is."""
    if place is None:
        return ""
    model, layer = place
    name = next((name for name, module in model.named_modules() if module is layer), "")
    what = repr(layer) if len(list(layer.named_modules())) == 1 else type(layer).__name__
    return f", in {name} {what}" if name else f", in {what}"


# Who may write: nobody but minidl


def _arrays(value: Any) -> Iterator[np.ndarray]:
    """The NumPy arrays in `value`, also those of Tensors and inside tuples and lists."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from _arrays(item)
    elif isinstance(plain(value), np.ndarray):
        yield plain(value)


def _hold(node: Node) -> None:
    """Make the arrays that `node` saved read-only for as long as its graph needs them."""
    arrays = [a for a in _arrays((node, node._args, node._saved)) if a.flags.writeable or id(a) in _held]
    with _lock:
        for a in arrays:
            _held[id(a)] = (a, _held.get(id(a), (a, 0))[1] + 1)
            a.flags.writeable = False
    running = _running()
    if running is not None:
        _places[id(node.data)] = running
    _releases[id(node)] = weakref.finalize(node, _release, id(node), id(node.data), arrays)


def _release(node: int, data: int, arrays: list[np.ndarray]) -> None:
    _releases.pop(node, None)
    _places.pop(data, None)
    with _lock:
        for a in arrays:
            _, holders = _held.pop(id(a))
            if holders > 1:
                _held[id(a)] = (a, holders - 1)
            else:
                _make_writeable(a)


def _make_writeable(a: Array) -> None:
    """Undo `a.flags.writeable = False`, which NumPy refuses while what `a` is a view of is read-only."""
    owner = a.base
    if isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner.flags.writeable = a.flags.writeable = True
        owner.flags.writeable = False
    else:
        a.flags.writeable = True


def _writing(original: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Let minidl write: the version counter tells every graph of such a change."""
    with _lock:
        for a, _ in list(_held.values()):
            _make_writeable(a)
    try:
        return original(*args, **params)
    finally:
        with _lock:
            for a, _ in list(_held.values()):
                a.flags.writeable = False
