"""A training step made eagerly, and recorded: what ops, kernels and the loss did to the batch."""

import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import hooks, nn, ops
from ...arrays import ARRAYS
from ...autograd import Node, Op
from ...deposit import assign, slot_of
from ...nn._module import Buffer as Statistic
from ...nn._shared_batch import shared_batch
from ...nn._shared_norm import batch_norm_across
from ...operands import AS_THEY_ARE, SCALARS
from ...ops.shape import plain as without_tensors
from ...ops.shape import rebuilt
from ...overrides import made_here, overridden
from .. import op_rules
from ..program import Buffer
from .tape import Tape
from .traced import Traced, TracedScalar, plain, traced

ARRAYS.update((Traced, TracedScalar))  # ops compute with it as they do with an ordinary array
AS_THEY_ARE.add(Traced)
SCALARS.add(TracedScalar)

# Op -> how its forward and its gradients are written down, with kernels of the program's own.
RULES: dict[Any, tuple[Callable[..., Any], Callable[..., Any]]] = {
    ops.dense: (op_rules.dense, op_rules.dense_back),
    ops.batch_norm: (op_rules.batch_norm, op_rules.batch_norm_back),
    ops.softmax_cross_entropy: (
        op_rules.softmax_cross_entropy,
        op_rules.softmax_cross_entropy_back,
    ),
    batch_norm_across: (op_rules.shared_norm, op_rules.shared_norm_back),
}


class Recorder(hooks.Watcher):
    """Notes on a tape what one thread does."""

    def __init__(self, tape: Tape, model: nn.Module) -> None:
        self.tape = tape
        layers = [m for _, m in model.named_modules() if type(m) is nn.BatchNorm]
        own = [m for m in layers if overridden(m, "forward", "_follow") is None]
        shared = shared_batch()
        self._shared = shared is not None
        if shared is not None and not shared.counts:  # see `op_rules.fits`
            own = [m for m in own if not m.sync]
        self._following = {m.running_mean.data.ctypes.data: m for m in own}
        self._following_too = {m.running_var.data.ctypes.data for m in own}
        self._norms: list[Any] = []  # whose running statistics follow the next batch_norm
        self._across: Any = None  # what the last batch_norm_across has kept

    def evaluate(self, op: Op[...], values: list[Any]) -> tuple[Any, Any]:
        tape = self.tape
        if not tape.listens():
            return op.evaluate(values)
        values = [tape.as_traced(v) for v in values]
        if not any(_holds_traced(v) for v in values):
            return op.evaluate(values)
        tape.ops[op] = None
        rule = _rule(op)
        if rule is not None and op_rules.fits(op, values):
            y, saved = op.evaluate(plain(values))
            buffers = [tape.buffer(v) if isinstance(v, np.ndarray) else v for v in values]
            out, kept = rule[0](tape, *buffers)
            if op is batch_norm_across:
                self._across = kept
            if op is ops.batch_norm and self._norms:
                layer = self._norms.pop()
                running = tape.buffer(layer.running_mean.data), tape.buffer(layer.running_var.data)
                op_rules.follow(tape, running, kept, layer.momentum)
            return tape.new(y, out), (saved, kept)
        if not op.whole:
            mark, reason = len(tape.instructions), tape.reason
            y, saved = op.evaluate(values)
            if self._known(y):
                return y, saved
            # NumPy's calls do not tell it all: the op is called as a whole.
            del tape.instructions[mark:]
            tape.reason = reason
        y, saved = op.evaluate(plain(values))
        made = tape.new(y)
        cell: list[Any] = [saved]

        def call(*values: Any) -> Any:
            y, cell[0] = op.evaluate(list(values))
            return y

        call.__name__ = op.name
        vars(call)["whole"] = op.whole
        tape.note_call(call, (tape.buffer(made),), tuple(values), {})
        return made, saved if saved is None else (cell, None)

    def pullback(
        self, op: Op[...], g: Any, y: Any, args: Sequence[Any], wanted: list[int], saved: Any
    ) -> Any:
        tape = self.tape
        if not tape.listens() or isinstance(y, Node):  # a gradient that is itself recorded, by ops
            return op.pullback(g, y, args, wanted, saved)
        values = [tape.as_traced(v) for v in args]
        rule = _rule(op)
        if rule is not None and op_rules.fits(op, values):
            found = op.pullback(plain(g), plain(y), plain(values), wanted, saved[0])
            buffers = [tape.buffer(v) if isinstance(v, np.ndarray) else v for v in values]
            outs = rule[1](tape, tape.buffer(g), tape.buffer(y), saved[1], wanted, *buffers)
            return [tape.new(array, out) for array, out in zip(found, outs, strict=True)]
        if isinstance(saved, tuple) and len(saved) == 2 and isinstance(saved[0], list):
            return self._called_pullback(op, g, y, values, wanted, saved[0])
        return op.pullback(g, y, values, wanted, saved)

    def write(self, run: Callable[..., Any], *args: Any) -> Any:
        tape, target = self.tape, args[0]
        if not tape.listens():
            return run(*args)
        place = target.ctypes.data
        if place in self._following and self._shared and self._following[place].sync:
            layer = self._following[place]
            mean, variance = layer.running_mean.data, layer.running_var.data
            running = tape.buffer(mean), tape.buffer(variance)
            op_rules.shared_follow(tape, running, self._across, layer.momentum)
        elif place in self._following:
            self._norms.append(self._following[place])
        elif place not in self._following_too:
            if tape.found(target) is None:
                tape.fail("a parameter that requires a gradient is not the optimizer's")
            elif run is operator.setitem:
                tape.write(target, *args[1:])
                return None
            else:
                return run(traced(tape, target), *args[1:])
        return run(*plain(args))

    def draw(self, run: Callable[..., Any], *args: Any) -> Any:
        made = run(*args)
        if not self.tape.listens():
            return made
        mask = self.tape.new(made)
        if shared_batch() is not None:  # a part of what is drawn
            self.tape.note_call(run, (self.tape.buffer(mask),), args, {})
            return mask
        self.tape.emit_to("dropout_mask", (self.tape.buffer(mask),), (), rate=args[1])
        return mask

    def check(self, run: Callable[..., Any], *args: Any) -> None:
        if self.tape.listens() and _holds_traced(args):
            self.tape.note_call(run, (), args, {})
        run(*plain(args))

    def _known(self, result: Any) -> bool:
        return (
            isinstance(result, np.ndarray)
            and bool(result.size)
            and self.tape.found(result) is not None
        )

    def _called_pullback(
        self, op: Any, g: Any, y: Any, values: list[Any], wanted: list[int], cell: list[Any]
    ) -> list[Any]:
        """The gradients of an op that was called as a whole, with what its kernel saved."""
        tape = self.tape
        found = op.pullback(plain(g), plain(y), plain(values), wanted, cell[0])
        made = [tape.new(array) for array in found]

        def call(g: Any, y: Any, *values: Any) -> Any:
            return op.pullback(g, y, list(values), wanted, cell[0])

        call.__name__ = f"{op.name}_back"
        tape.note_call(call, tuple(map(tape.buffer, made)), (g, y, *values), {})
        return made


def _rule(op: Any) -> Any:
    """How the program writes an op down itself; None if it has no way, or the op was changed."""
    return RULES[op] if op in RULES and made_here(op) else None


def _holds_traced(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_holds_traced, value))
    return isinstance(value, Traced)


class Recorded:
    """A step that was made eagerly.

    `tape`: what it did; `batch`: the buffers of its batch, and `arrays`, what was in them;
    `results`: the buffers of the loss and of the model's output, None if that is no single array.
    """

    def __init__(
        self, tape: Tape, batch: list[Buffer], arrays: list[Any], results: list[Any]
    ) -> None:
        self.tape, self.batch, self.arrays, self.results = tape, batch, arrays, results
        self.surroundings: list[Any] = []  # what it depends on


def leaves(value: Any) -> list[Any]:
    """What a batch consists of, in order, be it in tuples and lists: arrays, numbers, None."""
    value = without_tensors(value)
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def arrays_of(value: Any) -> list[Any]:
    """The arrays among the leaves of a batch."""
    return [leaf for leaf in leaves(value) if isinstance(leaf, np.ndarray)]


def record(model: Any, loss: Any, optimizer: Any, x: Any, y: Any) -> tuple[Any, Any, Recorded]:
    """Forward, loss and backward on the batch (x, y), which may be arrays or tuples of them.

    Returns the loss, the model's output, and what was recorded.
    """
    tape = Tape()
    names = {id(p): name for name, p in model.named_parameters()}
    tensors = [p for _, p in model.named_parameters()]
    for p in tensors:
        tape.know(p.data, names[id(p)], "parameter")
    for piece in optimizer.vectors.pieces:
        name = names.get(id(piece.parameter), f"p{piece.number}")
        if id(piece.parameter) not in names:
            tape.know(piece.value, name, "parameter")
        tape.know(piece.gradient, f"d_{name}", "gradient")
    for name, statistic in model.named_tensors(Statistic):
        tape.know(statistic.data, name, "statistic")
        tensors.append(statistic)
    batch: list[Buffer] = []
    arrays: list[Any] = []

    def taken(value: Any) -> Any:
        value = without_tensors(value)
        if isinstance(value, tuple | list):
            return rebuilt(value, map(taken, value))
        if not isinstance(value, np.ndarray):
            return value
        arrays.append(value.copy(order="K"))
        batch.append(tape.know(arrays[-1], f"x{len(batch)}", "batch"))
        return traced(tape, arrays[-1])

    x, y = taken(x), taken(y)
    optimizer.zero_grad()
    with _watching(tape, Recorder(tape, model)):
        with _seen(tape, tensors):
            output = model(x)
            value = loss(output, y)
        value.backward()
    results = [_buffer(tape, value), _buffer(tape, output)]
    if results[0] is None:
        tape.fail("the loss does not depend on the batch")
    return value, output, Recorded(tape, batch, arrays, results)


@contextmanager
def _watching(tape: Tape, recorder: Recorder) -> Iterator[None]:
    """Within the block `recorder` watches, unless somebody else does, or comes to in the middle."""
    with _lock:
        free = hooks.watcher is None
        if free:
            hooks.watcher = recorder
    if not free:
        tape.interrupted = True
        tape.close()
    try:
        yield
    finally:
        with _lock:
            if hooks.watcher is recorder:
                hooks.watcher = None
            else:
                tape.interrupted = True
        tape.close()


_lock = threading.Lock()


@contextmanager
def _seen(tape: Tape, tensors: list[Any]) -> Iterator[None]:
    """Within the block what anybody does with the tensors' arrays is noted."""
    arrays = [t.data for t in tensors]
    for t, array in zip(tensors, arrays, strict=True):
        assign(t, traced(tape, array), slot_of(t))
    try:
        yield
    finally:
        for t, array in zip(tensors, arrays, strict=True):
            if isinstance(t.data, Traced) and t.data.ctypes.data == array.ctypes.data:
                assign(t, array, slot_of(t))
            else:
                tape.reason = tape.reason or "it replaces the array of a Tensor"
                assign(t, plain(t.data), slot_of(t))


def _buffer(tape: Tape, value: Any) -> Any:
    array = without_tensors(value)
    return tape.found(array) if isinstance(array, np.ndarray) and array.size else None
