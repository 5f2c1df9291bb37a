"""A training step as a CUDA graph: captured from the eager step once, then launched for each step.

A graph repeats its kernels with the addresses and numbers that they were captured with. So what
changes from one step to the next lies in the GPU's memory: the order of the samples, a table with
the rule's numbers (lr, and all that depends on t) for every step of the epoch, and the number of
the step, which the step itself counts up.
"""

from typing import Any

import numpy as np

from ..backend import Array, module_of, uses_tf32
from ..data import Loader
from ..data.loader import resident
from ..errors import BackendError, UnsupportedError
from ..kernels.cupy_gemm import Products
from ..kernels.cupy_nn import gather
from ..nn import Dropout, Module
from ..nn._module import Buffer
from ..optim.execution.cuda import CudaExecutor
from .eligibility import numbers_of


class GraphStep:
    """Training steps of `model` over the batches of `loader` on the GPU; none waits for it.

    The first step for each batch size is eager, which compiles kernels and allocates memory; then
    one is captured, and all further ones are launches of that graph. After `run`, `loss` is the
    last batch's, in the GPU's memory. What cannot be captured (Dropout, whose masks are drawn on
    the CPU; a function that CuPy refuses to capture) stays eager: `reason` says why. A change of
    the model, its mode, the optimizer's options or TF32 is noticed at the next `run`, which
    captures anew.

    Raises `BackendError` if there is no GPU, `UnsupportedError` if the optimizer's rule is not one
    kernel.
    """

    def __init__(self, model: Module, loss: Any, optimizer: Any, loader: Loader) -> None:
        self.model, self.loss_function, self.optimizer, self.loader = model, loss, optimizer, loader
        self.reason: str | None = None
        xp = self._xp = module_of("cupy")
        self._inputs, self._labels = resident(loader.dataset, "cupy")
        self._order: Any = None
        self._order_on_gpu = xp.empty(len(self._labels), np.int64)
        self._step = xp.zeros((), np.int64)
        self.loss = xp.zeros((), np.float64)
        self._loss_sum, self._correct = xp.zeros((), np.float64), xp.zeros((), np.int64)
        self._stream, self._pool = xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()
        self._state: list[Any] = []
        self._graphs: dict[int, Any] = {}
        self._products: Any = None
        self._renew()

    def run(self, order: np.ndarray, first: int, last: int) -> tuple[Array, Array]:
        """Make the updates of batches `first` to `last` of an epoch.

        order: integers on the CPU, the epoch's order of its samples, at most all of them; copied to
        the GPU once, and not to be changed meanwhile. Returns the sum of the samples' losses and
        the number of correct answers, arrays of dimension 0 on the GPU: to read them is to wait
        for the steps.
        """
        # A capture must meet no other work, so it has a stream of its own. The GPU waits, not the
        # CPU: this stream for the caller's, and in the end the caller's for this one.
        outside = self._xp.cuda.get_current_stream()
        self._stream.wait_event(outside.record())
        # A memory pool of its own: graphs may reuse each other's memory, but nobody else's.
        with self._stream, self._xp.cuda.using_allocator(self._pool.malloc):
            self._renew()
            self._prepare(order, first, last)
            for step in range(first, last):
                remaining = len(order) - step * self.loader.batch_size
                self._make(min(self.loader.batch_size, remaining))
            sums = self._loss_sum.copy(), self._correct.copy()
        outside.wait_event(self._stream.record())
        # The launches have written to these arrays, which nobody on the CPU has noticed.
        self.optimizer.t += last - first
        for tensor in [*self.model.parameters(), *(t for _, t in self.model.named_tensors(Buffer))]:
            tensor.changed()
        return sums

    def _make(self, rows: int) -> None:
        """The next step, on a batch of `rows` samples."""
        graph = self._graphs.get(rows)
        if graph is not None:
            graph.launch()
            return
        self._work(rows)
        if rows not in self._graphs:
            self._graphs[rows] = self._captured(rows)

    def _work(self, rows: int) -> None:
        """What one step does on the GPU."""
        xp, (inputs, labels) = self._xp, (self._inputs, self._labels)
        dtype = np.float32 if inputs.dtype == np.uint8 else inputs.dtype
        x = xp.empty((rows, inputs.shape[1]), dtype)
        y = xp.empty(rows, labels.dtype)
        gather(inputs, labels, self._order_on_gpu, self._step, self.loader.batch_size, x, y)
        self.optimizer.zero_grad()
        output = self.model(x)
        loss = self.loss_function(output, y)
        loss.backward(xp.ones_like(loss.data))
        active = self.optimizer.vectors.collect()
        for group, table in zip(self.optimizer.vectors.groups, self._tables, strict=True):
            spans = self.optimizer.vectors.spans(active, group.first, group.last)
            group.executor.step_from_table(spans, table, self._step)
        self.loss[...] = loss.data
        self._loss_sum += self.loss * rows
        self._correct += xp.count_nonzero(output.data.argmax(axis=1) == y)
        self._step += 1

    def _captured(self, rows: int) -> Any:
        """A graph of that work; None, with the `reason`, if it cannot be captured."""
        if any(isinstance(m, Dropout) and m.rate for _, m in self.model.named_modules()):
            self.reason = "Dropout draws its masks on the CPU, anew for each step"
            return None
        cuda_error = self._xp.cuda.runtime.CUDARuntimeError
        try:
            self._products = self._products or Products(self._stream)
            with self._products.active():
                self._stream.begin_capture()
                try:
                    self._work(rows)
                finally:  # also if it fails: a stream that captures takes no other work
                    graph = self._stream.end_capture()
        except (NotImplementedError, UnsupportedError, BackendError, cuda_error) as error:
            self.reason = f"it cannot be recorded: {error}"
            return None
        return graph

    def _prepare(self, order: np.ndarray, first: int, last: int) -> None:
        """Copy the order, the rule's numbers and the first step's number to the GPU."""
        if order is not self._order:
            self._order = order
            # Indexing on the CPU raises for a sample that does not exist; the GPU would not.
            samples = np.arange(len(self._labels))[order]
            self._order_on_gpu[: len(order)] = self._xp.asarray(samples)
        t = self.optimizer.t + 1
        for group, table in zip(self.optimizer.vectors.groups, self._tables, strict=True):
            rows = []
            for k in range(last - first):
                rule, lr = group.at(t + k)
                rows.append(group.executor.numbers(rule, lr, t + k))
            if rows:
                table[first:last] = self._xp.asarray(rows, dtype=table.dtype)
        self._step[...] = first
        self._loss_sum[...], self._correct[...] = 0, 0

    def _renew(self) -> None:
        """Forget the graphs if what they were captured from has changed."""
        optimizer = self.optimizer
        optimizer.vectors.claim()
        optimizer.vectors.prepare()
        parameters = [(p.data, p.requires_grad) for p in self.model.parameters()]
        statistics = [(t.data,) for _, t in self.model.named_tensors(Buffer)]
        modes = [(m, m.training, *numbers_of(m)) for _, m in self.model.named_modules()]
        # Whatever a captured kernel holds by address or by value.
        state = [
            *parameters,
            *statistics,
            *modes,
            *(group.executor for group in optimizer.vectors.groups),
            uses_tf32(),
        ]
        if len(state) == len(self._state) and all(map(_same, state, self._state)):
            return
        for group in optimizer.vectors.groups:
            if not isinstance(group.executor, CudaExecutor):
                name = group.rule.name
                raise UnsupportedError(f"{name} is not one kernel here, so no step can be recorded")
        self._state, self._graphs, self._products, self.reason = state, {}, None, None
        like = optimizer.vectors.values
        self._tables = [
            self._xp.empty((len(self.loader), group.executor.count), like.dtype)
            for group in optimizer.vectors.groups
        ]


def _same(one: Any, other: Any) -> bool:
    """Whether two pieces of the state are the same: arrays by identity, not by value."""
    if isinstance(one, tuple):
        return all(map(_same, one, other))
    return one is other or (isinstance(one, float) and one == other)
