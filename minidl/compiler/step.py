"""A training step, compiled: written down once, as a program, and then carried out again and again."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ..autograd import wrap
from ..backend import Array
from ..deposit import slot_of
from ..errors import UnsupportedError
from ..hardware.threads import both, use_blas_threads
from ..kernels import primitives
from ..nn._losses import check_labels
from ..ops.shape import plain
from ..optim.execution.upcoming import step_overlapped
from .eligibility import Watch, in_the_way
from .lower import lower
from .native.cache.objects import Source
from .native.executor import Native, needed
from .native.summation_order import Order
from .native.zeros import order_without_zeros
from .numpy_executor import Replay, allocate
from .passes import optimised
from .program import Program


class Step:
    """One training step of `model`: ``value = step(x, y)`` computes the loss, its gradients, and updates.

    x: (B, D) floats; y: (B,) integers; the value is the batch's mean loss, as before the update. The first call
    for a batch size writes the step down as a program (lower.py), which passes make shorter and smaller (passes.py);
    later calls carry it out in fixed buffers, without building a graph. Results are those of the eager step, bit for
    bit but for a Softplus behind a BatchNorm. Gradients are left in ``p.grad``.

    `model` is a `Sequential` of minidl's own layers and `loss` is `nn.softmax_cross_entropy`; for anything else, for
    a model that is not wholly in training mode, and on a GPU, the step runs eagerly: ``step.reason`` says why. So it
    does if a step would go through anything that is not minidl's own: an overridden or wrapped ``optimizer.step``, a
    ``forward`` that was set on a layer, `minidl.debug`.
    ``print(step.program)`` shows the program after each pass, with its buffers, bytes and operations.
    """

    def __init__(self, model: nn.Module, loss: Callable[[Any, Any], Any], optimizer: Any) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.program: Program | None = None  # of the last call; None if that was eager
        self.reason: str | None = None  # why the last call was eager; None if it was not
        self._bound: dict[Any, Bound | str] = {}

    def __call__(self, x: Any, y: Any) -> Any:
        """Make one update; returns the batch's loss. Raises as the eager step does."""
        with use_blas_threads(1):  # so that the bits do not depend on who else computes at the same time
            return self._made(_array(x, np.float32), _array(y))

    def _made(self, x: Array, y: Array) -> Any:
        bound = self.bound(len(x), x, y) if isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind == "f" else None
        if bound is None:
            return self._eagerly(x, y)
        bound.x[...] = x
        bound.labels[...] = check_labels(y, bound.logits)
        bound.forward()
        bound.backward()
        bound.update()
        return bound.loss[()]

    def bound(self, batch: int, x: Array, y: Array) -> "Bound | None":
        """The program for batches like `x` and `y`, ready to run; None if the step has to be eager."""
        key = batch, x.shape[1:], x.dtype, y.dtype
        known = self._bound.get(key)
        if not isinstance(known, Bound) or not known.holds():
            known = self._bound[key] = self._compiled(batch, x, y)
        self.program, self.reason = (known.program, None) if isinstance(known, Bound) else (None, known)
        return known if isinstance(known, Bound) else None

    def _compiled(self, batch: int, x: Array, y: Array) -> "Bound | str":
        try:
            reason = in_the_way(self.model, self.loss, self.optimizer)
            if reason is not None:
                raise UnsupportedError(reason)
            if not all(module.training for _, module in self.model.named_modules()):
                raise UnsupportedError("compile: a part of the model is in evaluation mode")
            program = lower(self.model, self.loss, batch, x.shape[1], y.dtype)
            wanted = program.buffers("batch")[0].dtype
            if x.dtype not in (wanted, np.uint8) or (x.dtype == np.uint8 and wanted != np.float32):
                raise UnsupportedError(f"compile: the batch is {x.dtype}, the model {wanted}")
            return Bound(self, optimised(program))
        except UnsupportedError as error:
            return str(error)

    def _eagerly(self, x: Array, y: Array) -> Any:
        self.optimizer.zero_grad()
        value = self.loss(self.model(x), y)
        value.backward()
        self.optimizer.step()
        return value.data


def _array(values: Any, dtype: Any = None) -> Array:
    """An array of what a user gives for a batch: a Tensor's, or one made of numbers and lists."""
    values = plain(values)
    return values if hasattr(values, "dtype") else np.asarray(values, dtype)


def _numbers(module: nn.Module) -> tuple[Any, ...]:
    """The numbers of a layer that are written into a program."""
    held = vars(module)
    return held.get("rate"), held.get("momentum"), held.get("eps")


class Bound:
    """A program with its arrays, and the state of affairs for which it was written."""

    def __init__(self, step: Step, program: Program) -> None:
        self.program, self.optimizer = program, step.optimizer
        allocate(program)
        named = {b.name: b for b in program.buffers("work", "batch")}
        self.x, self.labels = named["x"].array, named["labels"].array
        self.loss, self.right = named["loss"].array, named["right"].array
        self.logits = next(s for s in program.instructions if s.op == "softmax_cross_entropy").args[0].array
        modules = [m for _, m in step.model.named_modules()]
        self._parameters = [(p, p.data, p.requires_grad) for p in step.model.parameters()]
        self._gradients = [(p, wrap(slot_of(p))) for p, _, wanted in self._parameters if wanted]
        self.draws = any(step.op == "dropout_mask" for step in program.instructions)
        self._statistics = [t for _, t in step.model.named_tensors(nn.Buffer)]
        self._modules = [(m, _numbers(m)) for m in modules]
        self._layers = [list(m.layers) for m in modules if isinstance(m, nn.Sequential)]
        self._sequentials = [m for m in modules if isinstance(m, nn.Sequential)]
        self._raw = np.empty(self.x.shape, np.uint8)
        self._watch = Watch(step.model, step.optimizer)
        replay = Replay(program)
        self.forward, self.backward, self._last = replay.forward, replay.backward, replay.last

    def holds(self) -> bool:
        """Whether model and optimizer are still as they were when the program was written."""
        for p, data, wanted in self._parameters:
            if p.data is not data or p.requires_grad is not wanted:
                return False
        for m, numbers in self._modules:
            if not m.training or _numbers(m) != numbers:
                return False
        same = all(m.layers == layers for m, layers in zip(self._sequentials, self._layers, strict=True))
        return same and self._watch.undisturbed()

    def gather(self, inputs: Array, labels: Array, rows: Array) -> None:
        """Take the samples numbered `rows` of a data set as the batch; pixels (uint8) are scaled to [0, 1]."""
        primitives.gather(inputs, rows, self.x, self._raw if inputs.dtype == np.uint8 else None)
        labels.take(rows, out=self.labels, mode="clip")

    def native(self, inputs: Array, labels: Array, order: Order | None = None, apart: bool = False) -> Native:
        """The program as machine code, on batches of these `inputs` and `labels`: see `Native`; raises as that does."""
        return Native(self.program, inputs, labels, self.optimizer, self._moving(), order, apart)

    def order_without_zeros(self, inputs: Array) -> Order | None:
        """In which order `native` had better add, passing over zeros in these `inputs`; None if it had better not."""
        return order_without_zeros(self.program, inputs)

    def code(self) -> list[Source]:
        """The sources whose machine code `native` needs; raises as `needed` does."""
        return needed(self.optimizer, self._moving())

    def _moving(self) -> list[bool]:
        return [p.requires_grad for p in self.optimizer.parameters]

    def update(self) -> None:
        """Let the optimizer move the parameters by the gradients that the program leaves in its vector."""
        self.show_gradients()
        step_overlapped(self.optimizer, self._last)

    def complete(self) -> None:
        """Make what `backward` has left to `update`, if anything: all gradients are there then, each as ``p.grad``."""
        if self._last is not None:
            both(*self._last[:2])
        self.show_gradients()

    def show_gradients(self) -> None:
        """Let each ``p.grad`` be what is in its place in the optimizer's vector."""
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        for statistic in self._statistics:
            statistic.changed()
