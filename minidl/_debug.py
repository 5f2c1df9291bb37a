"""Every op watched as it runs: which made the first number that is not finite, and who writes behind minidl's back.

Nothing here costs anything until `debug` is entered: the block puts a watcher into hooks.py and takes it away at its
end. It watches only the threads that are inside such a block.
"""

import math
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from . import hooks
from .autograd import Node, Op, ancestors
from .backend import Array, array_module
from .contexts import F, Reusable
from .errors import NonFiniteError
from .graph import is_freed, maker
from .ops.shape import plain


class _Here(threading.local):
    def __init__(self) -> None:
        self.blocks = 0  # how many debug blocks this thread is in
        self.modules: list[Any] = []  # those that are running, outermost first
        self.in_formula = False  # whether a gradient formula is running: what it returns counts, not its way there


_here = _Here()
_lock = threading.RLock()
_users = 0  # how many debug blocks all threads are in
_held: dict[int, tuple[np.ndarray, int]] = {}  # by id, each array made read-only, and how many nodes hold it
_origins: dict[int, tuple[Any, Any]] = {}  # by id of a node's array, the model and the layer that it was made in
_releases: dict[int, tuple[int, Any]] = {}  # by id of a node, the thread that made it, and what gives back its arrays


class _Watcher(hooks.Watcher):
    """Passes each moment on to the functions below, if this thread is inside a `debug` block."""

    def evaluate(self, op: Op[...], values: list[Any]) -> tuple[Any, Any]:
        return _checked_forward(op, values) if _here.blocks else op.evaluate(values)

    def record(self, node: Node, args: Sequence[Any], saved: Any) -> None:
        if _here.blocks:
            _hold(node, args, saved)

    def pullback(self, op: Op[...], g: Any, y: Any, args: Sequence[Any], wanted: list[int], saved: Any) -> Any:
        checked = _here.blocks and not _here.in_formula
        return _checked_pullback(op, g, y, args, wanted, saved) if checked else op.pullback(g, y, args, wanted, saved)

    def backward(self, run: Callable[[], None], output: Node) -> None:
        if _here.blocks:
            _checked_backward(run, output)
        else:
            run()

    def forward(self, module: Any, run: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return _located(module, run, *args, **options) if _here.blocks else run(*args, **options)

    def write(self, run: Callable[..., Any], *args: Any) -> Any:
        return _writing(run, *args)  # in any thread: what another one holds is read-only for all


class _Debug(Reusable):
    def __enter__(self) -> None:
        global _users
        with _lock:
            hooks.watcher = _watcher
            _users += 1
        _here.blocks += 1

    def __exit__(self, *error: Any) -> None:
        global _users
        _here.blocks -= 1
        if not _here.blocks:
            for thread, release in list(_releases.values()):
                if thread == threading.get_ident():
                    release()
        with _lock:
            _users -= 1
            if not _users:
                hooks.watcher = None


_watcher = _Watcher()


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


# What is watched: the numbers


def _checked_forward(op: Op[...], values: list[Any]) -> tuple[Any, Any]:
    with np.errstate(all="ignore"):
        result, saved = op.evaluate(values)
    if not (_here.in_formula or _finite(result)):
        fault = _first_fault(values)
        blame = (
            f"{_named(op, fault)}, {_shown(values[fault])}, was not finite already"
            if fault is not None
            else f"all that it was given is finite, so this is where it began: {_ranges(op, values)}"
        )
        raise NonFiniteError(f"{op.name}, forward{_location(_running())}: the result, {_shown(result)}; {blame}")
    return result, saved


def _checked_pullback(op: Op[...], g: Any, y: Any, args: Sequence[Any], wanted: list[int], saved: Any) -> Any:
    where = f"{op.name}, backward{_location(_origins.get(id(plain(y))))}"
    if not _finite(g):
        raise NonFiniteError(
            f"{where}: the gradient that arrived, {_shown(g)}; no op made it so: it was handed to backward(), or it "
            f"is the sum of the gradients from several uses, and overflowed"
        )
    _here.in_formula = True
    try:
        with np.errstate(all="ignore"):
            found = op.pullback(g, y, args, wanted, saved)
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


def _checked_backward(run: Callable[[], None], output: Node) -> None:
    leaves = [node for node in ancestors(output) if node.requires_grad and maker(node) is None]
    with np.errstate(all="ignore"):
        run()
    for _, release in list(_releases.values()):
        alive = release.peek()
        if alive is not None and is_freed(alive[0]):
            release()
    for leaf in leaves:
        if not _finite(leaf.grad):
            raise NonFiniteError(
                f"backward: the gradient of a leaf, {_shown(leaf.grad)}; each part of it was finite, and their sum "
                f"(over its uses, or with what .grad held before) overflowed"
            )


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
    parts = []
    for i, a in enumerate(args):
        name = op.signature.names[i] if not op.signature.variadic else f"{i}"
        if _is_floating(plain(a)):
            parts.append(f"{name} {_range(a)}")
        elif a is not None and not hasattr(a, "shape"):
            parts.append(f"{name}={a!r:.40}")
    return ", ".join(parts)


def _range(value: Any) -> str:
    value = plain(value)
    extent = f" from {value.min().item():.6g} to {value.max().item():.6g}" if value.size else ""
    return f"{value.dtype}{list(value.shape)}{extent}"


# Where it happens: the layer


def _located(module: Any, run: Callable[..., Any], *args: Any, **options: Any) -> Any:
    _here.modules.append(module)
    try:
        return run(*args, **options)
    finally:
        _here.modules.pop()


def _running() -> tuple[Any, Any] | None:
    """The model and the layer that are running."""
    return (_here.modules[0], _here.modules[-1]) if _here.modules else None


def _location(running: tuple[Any, Any] | None) -> str:
    """The layer's name in the model, and what it is."""
    if running is None:
        return ""
    model, layer = running
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


def _hold(node: Node, args: Sequence[Any], saved: Any) -> None:
    """Make the arrays that `node` keeps read-only for as long as its graph needs them."""
    arrays = [a for a in _arrays((node, tuple(args), saved)) if a.flags.writeable or id(a) in _held]
    with _lock:
        for a in arrays:
            _held[id(a)] = (a, _held.get(id(a), (a, 0))[1] + 1)
            a.flags.writeable = False
    running = _running()
    if running is not None:
        _origins[id(node.data)] = running
    release = weakref.finalize(node, _release, id(node), id(node.data), arrays)
    _releases[id(node)] = threading.get_ident(), release


def _release(node: int, data: int, arrays: list[np.ndarray]) -> None:
    _releases.pop(node, None)
    _origins.pop(data, None)
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


def _writing(run: Callable[..., Any], *args: Any) -> Any:
    """Let minidl write: such a change is noted by the version counter, which every graph checks."""
    with _lock:
        for a, _ in list(_held.values()):
            _make_writeable(a)
    try:
        return run(*args)
    finally:
        with _lock:
            for a, _ in list(_held.values()):
                a.flags.writeable = False
