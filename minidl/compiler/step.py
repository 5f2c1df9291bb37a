"""A training step, compiled: lowered to a program once, and then executed again and again."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import nn
from ..autograd import Node, wrap
from ..backend import Array
from ..deposit import slot_of
from ..display.tables import html_line
from ..errors import UnsupportedError
from ..hardware.arithmetic import computes
from ..hardware.threads import both
from ..kernels import primitives
from ..nn._loss_checks import check_labels
from ..nn._shared_batch import SharedStep
from ..ops.shape import plain, rebuilt
from ..optim.execution.upcoming import step_overlapped
from .eligibility import Watch, in_the_way, numbers_of
from .lower import lower, ops_of
from .native.cache.objects import Source
from .native.cache.worth import Worth
from .native.executor import NativeExecutor, needed
from .native.single import SingleSteps
from .native.summation_order import Order
from .native.zeros import order_without_zeros
from .numpy_executor import NumpyExecutor, allocate
from .passes import optimised
from .program import Program, listing_html
from .tape.step import RecordedSteps


class Step:
    """One training step of `model`: ``value = step(x, y)`` computes, differentiates, updates.

    x, y: a batch, as arrays that the model and the loss take, or tuples of arrays; the value is the
    loss of the batch, as before the update. Gradients are left in ``p.grad``.

    A `Sequential` of minidl's layers under `nn.softmax_cross_entropy` is lowered to a program at
    the first call for a batch size (lower.py); the steps of any other model and loss are recorded
    twice and then replayed (tape/). Passes make a program shorter and smaller (passes.py); it is
    executed in fixed buffers, without building a graph, by NumPy or, with the extra `fast` and once
    that is worth loading, by machine code: ``step.engine`` tells. Results are those of the eager
    step, bit for bit but for a Softplus behind a BatchNorm and for large products by ``@``.

    What cannot be compiled runs eagerly: ``step.reason`` says why. So it does if a step would pass
    by anything that is not minidl's own: an overridden or wrapped ``optimizer.step``, a
    ``forward`` that was set on a layer, `minidl.debug`; for a model that is not wholly in training
    mode; and on a GPU. ``print(step.program)`` shows the program after each pass, with its buffers,
    bytes and operations.
    """

    def __init__(self, model: nn.Module, loss: Callable[[Any, Any], Any], optimizer: Any) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.program: Program | None = None  # of the last call; None if that was eager
        self.reason: str | None = None  # why the last call was eager; None if it was not
        self.engine = "eager"  # what made it: "eager", "replay" (by NumPy) or "machine code"
        self._bound: dict[Any, Bound | str] = {}
        self.recorded = RecordedSteps(model, loss, optimizer)
        self._alone = threading.RLock()  # two threads would fill the same buffers

    @computes
    def __call__(self, x: Any, y: Any) -> Any:
        """Make one update; returns the batch's loss. Raises as the eager step does."""
        x, y = _array(x, np.float32), _array(y)
        with self._alone:
            return self._update(x, y)

    def __repr__(self) -> str:
        if self.program is None:
            return f"<Step, eager: {self.reason or 'not called yet'}>"
        return f"<Step, {self.engine}: {len(self.program.instructions)} instructions>"

    def _repr_html_(self) -> str:
        """The program, for a notebook."""
        listing = "" if self.program is None else listing_html(self.program)
        return html_line(repr(self)) + listing

    def _update(self, x: Any, y: Any) -> Any:
        known = self.recorded
        if not (
            known.model is self.model
            and known.loss is self.loss
            and known.optimizer is self.optimizer
        ):
            self._bound.clear()
            self.recorded = RecordedSteps(self.model, self.loss, self.optimizer)
        recorded = self.recorded
        value = recorded.replay(x, y)
        if value is None:
            bound = self._of_layers(x, y)
            if bound is not None:
                self.engine = bound.engine
                return bound.step(x, y)
            value = recorded.make(x, y)
        self.program, self.reason = recorded.program, recorded.reason
        self.engine = recorded.engine
        self.optimizer.step()
        return value

    def _of_layers(self, x: Array, y: Array) -> "Bound | None":
        """The program of layers that minidl knows, for such a batch; None if there is none."""
        floats = isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind == "f"
        classes = isinstance(y, np.ndarray) and y.ndim == 1
        return self.bound(len(x), x, y) if floats and classes else None

    def bound(
        self, batch: int, x: Array, y: Array, shared: SharedStep | None = None
    ) -> "Bound | None":
        """The program for batches like `x` and `y`, ready to run; None if the step is eager.

        `shared`: the batch of which these are a part, if other processes have the rest.
        """
        # The last batch of an epoch may be smaller: each size has a program of its own.
        key = batch, x.shape[1:], x.dtype, y.dtype, shared and shared.batch
        known = self._bound.get(key)
        if not isinstance(known, Bound) or not known.holds():
            known = self._bound[key] = self._compiled(batch, x, y, shared)
        if isinstance(known, Bound):
            self.program, self.reason = known.program, None
            return known
        self.program, self.reason = None, known
        return None

    def _compiled(self, batch: int, x: Array, y: Array, shared: SharedStep | None) -> "Bound | str":
        """The program for batches like `x` and `y`, or why there is none."""
        try:
            reason = in_the_way(self.model, self.loss, self.optimizer)
            if reason is not None:
                raise UnsupportedError(reason)
            if not all(module.training for _, module in self.model.named_modules()):
                raise UnsupportedError(
                    "compile: a part of the model is in evaluation mode: model.train() ends that"
                )
            self.optimizer.vectors.claim()  # now, not in the first update
            program = lower(self.model, self.loss, batch, x.shape[1], y.dtype, shared)
            wanted = program.buffers("batch")[0].dtype
            pixels = x.dtype == np.uint8 and wanted == np.float32
            if x.dtype != wanted and not pixels:
                raise UnsupportedError(f"compile: the batch is {x.dtype}, the model {wanted}")
            return Bound(self, optimised(program))
        except UnsupportedError as error:
            return str(error)


def _array(values: Any, dtype: Any = None) -> Array:
    """An array of what a user gives for a batch: a Tensor, an array, or lists of numbers."""
    values = plain(values)
    if isinstance(values, tuple):  # in which numbers stay what they are
        kept = bool | int | float | str
        return rebuilt(values, (p if isinstance(p, kept) else _array(p, dtype) for p in values))
    if values is None or isinstance(values, dict | str) or hasattr(values, "dtype"):
        return values
    return np.asarray(values, dtype)


class Bound:
    """A program with its arrays, and the state of model and optimizer that it was lowered from."""

    def __init__(self, step: Step, program: Program) -> None:
        self.program, self.optimizer = program, step.optimizer
        allocate(program)

        # What a step is given, and what it gives.
        named = {b.name: b for b in program.buffers("work", "batch")}
        self.x, self.labels = named["x"].array, named["labels"].array
        self.loss, self.right = named["loss"].array, named["right"].array
        loss_step = next(s for s in program.instructions if s.op == "softmax_cross_entropy")
        self.logits = loss_step.args[0].array
        self.draws = any(s.op == "dropout_mask" for s in program.instructions)
        self._single: SingleSteps | None = None  # by machine code, once that is worth while
        self._worth = Worth()
        self._pixels: Array | None = None  # a batch of them, once there is one

        # What the program has been lowered from. `holds` compares this at every step.
        modules = [m for _, m in step.model.named_modules()]
        self._parameters = [(p, p.data, p.requires_grad) for p in step.model.parameters()]
        # Tensors made once: every step hands them out again.
        self._gradients = [(p, wrap(slot_of(p))) for p, _, wanted in self._parameters if wanted]
        self._frozen = [p for p in step.optimizer.vectors.parameters if not p.requires_grad]
        self._statistics = [(t, t.data) for _, t in step.model.named_tensors(nn.Buffer)]
        self._modules = modules
        numbers = [(m, numbers_of(m)) for m in modules]
        self._numbers = [(m, found) for m, found in numbers if found.count(None) < len(found)]
        held = [(vars(m), name, value) for m in modules for name, value in vars(m).items()]
        self._tensors = [entry for entry in held if isinstance(entry[2], Node)]
        self._sequentials = [m for m in modules if isinstance(m, nn.Sequential)]
        self._layers = [list(m.layers) for m in self._sequentials]
        self._watch = Watch(step.optimizer, step.model, ops_of(step.model))

        executor = NumpyExecutor(program)
        self.forward, self.backward = executor.forward, executor.backward
        self._last = executor.last

    def holds(self) -> bool:
        """Whether model and optimizer are still as they were when the step was lowered."""
        for p, data, wanted in self._parameters:
            if p.data is not data or p.requires_grad is not wanted:
                return False
        for m in self._modules:
            if not m.training:
                return False
        for m, numbers in self._numbers:
            if numbers_of(m) != numbers:
                return False
        for held, name, tensor in self._tensors:
            if held.get(name) is not tensor:
                return False
        if not self.statistics_in_place():
            return False
        for m, layers in zip(self._sequentials, self._layers, strict=True):
            if m.layers != layers:
                return False
        return self._watch.undisturbed()

    def statistics_in_place(self) -> bool:
        """Whether the running statistics are in the arrays that the program updates."""
        return all(tensor.data is data for tensor, data in self._statistics)

    def step(self, x: Array, y: Array) -> Any:
        """Make a whole step on one's own batch: by machine code, once that is worth loading."""
        labels = self._classes(y)
        if self._single is not None:
            value = self._single.step(x, labels)
            self.show_gradients()
            return value
        start = time.perf_counter()
        self.x[...], self.labels[...] = x, labels
        self.forward()
        self.backward()
        self.update()
        seconds = time.perf_counter() - start
        make = partial(self._singly, x, labels)
        self._single = self._worth.after(seconds, self.code, make)
        return self.loss[()]

    def _classes(self, y: Array) -> Array:
        """Labels as int64. Raises `LabelError` for what is no class."""
        if y.shape == self.labels.shape and y.dtype.kind in "iu":
            labels = y.astype(np.int64, copy=False)
            # As an unsigned number a negative one is large: one look finds both.
            if labels.view(np.uint64).max() < self.logits.shape[1]:
                return labels
        return check_labels(y, self.logits).astype(np.int64)

    @property
    def engine(self) -> str:
        """What executes it, step by step."""
        return "replay" if self._single is None else "machine code"

    def _singly(self, x: Array, labels: Array) -> SingleSteps:
        """This step by machine code, for batches like this one."""
        weight = next(s.args[1].array for s in self.program.instructions if s.op == "matmul")
        order = self.order_without_zeros(x)
        return SingleSteps(x, labels, self.native, order, weight)

    def gather(self, inputs: Array, labels: Array, samples: Array) -> None:
        """Copy these samples of a data set into the batch; pixels (uint8) are scaled to [0, 1]."""
        if inputs.dtype == np.uint8 and self._pixels is None:
            self._pixels = np.empty(self.x.shape, np.uint8)
        primitives.gather(inputs, samples, self.x, self._pixels)
        # "clip" writes straight to `out`; to be able to raise, NumPy would go through a copy.
        labels.take(samples, out=self.labels, mode="clip")

    def native(
        self, inputs: Array, labels: Array, order: Order | None = None, stepwise: bool = False
    ) -> NativeExecutor:
        """The program as machine code, on batches of these `inputs` and `labels`.

        See `NativeExecutor`; raises as that does.
        """
        moving = self._moving()
        return NativeExecutor(self.program, inputs, labels, self.optimizer, moving, order, stepwise)

    def order_without_zeros(self, inputs: Array) -> Order | None:
        """The order in which `native` should add, passing over zeros; None if it should not."""
        return order_without_zeros(self.program, inputs)

    def code(self) -> list[Source]:
        """The sources whose machine code `native` needs; raises as `needed` does."""
        return needed(self.optimizer)

    def _moving(self) -> list[bool]:
        """Which of the optimizer's parameters are updated."""
        return [p.requires_grad for p in self.optimizer.vectors.parameters]

    def update(self) -> None:
        """Let the optimizer update the parameters with the gradients in its vector."""
        self.show_gradients()
        step_overlapped(self.optimizer, self._last)

    def complete(self) -> None:
        """Compute the gradient that `backward` left to `update`, if any; show all as ``p.grad``."""
        if self._last is not None:
            both(self._last.first, self._last.second)
        self.show_gradients()

    def show_gradients(self) -> None:
        """Let each ``p.grad`` be what is in its place in the optimizer's vector."""
        self.optimizer.expect_new_gradients()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        for parameter in self._frozen:  # one may have been frozen just now
            parameter.grad = None
        for statistic, _ in self._statistics:
            statistic.changed()
