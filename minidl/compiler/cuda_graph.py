"""A training step as a CUDA graph: captured from the eager step once, then launched for each step.

A graph repeats its kernels with the addresses and numbers that they were captured with. So what
changes from one step to the next lies in the GPU's memory: the order of the samples, a table with
the rule's numbers (lr, and all that depends on t) for every step of the epoch, and the number of
the step, which the step itself counts up. So a graph may as well hold several steps.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from ..backend import Array, module_of, uses_tf32
from ..data import Loader
from ..data.loader import resident
from ..deposit import deposited, release
from ..errors import BackendError, UnsupportedError
from ..kernels.cupy_gemm import Products, beside, join
from ..kernels.cupy_masks import MOST_BYTES, Masks
from ..kernels.cupy_nn import gather, tally
from ..kernels.slots import slots
from ..nn import Module
from ..nn._module import Buffer
from ..optim.execution.cuda import CudaExecutor
from .eligibility import numbers_of

MANY = 16  # steps in one graph, where so many are to be made: between two launches the GPU rests
SMALL = 250_000_000  # multiplications: products up to here leave room on a large GPU for others
ROWS = 64  # steps whose numbers are computed at a time


class GraphStep:
    """Training steps of `model` over the batches of `loader` on the GPU; none waits for it.

    The first step for each batch size is eager, which compiles kernels and allocates memory; then
    `MANY` are captured, or one, and all further ones are launches of such graphs. After `run`,
    `loss` is the last batch's, in the GPU's memory. What cannot be captured (a function that CuPy
    refuses to capture) stays eager: `reason` says why.
    A change of the model, its mode, the optimizer's options or TF32 is noticed at the next `run`,
    which captures anew.

    Raises `BackendError` if there is no GPU, `UnsupportedError` if the optimizer's rule is not one
    kernel.
    """

    def __init__(self, model: Module, loss: Any, optimizer: Any, loader: Loader) -> None:
        self.model, self.loss_function, self.optimizer, self.loader = model, loss, optimizer, loader
        self.reason: str | None = None
        xp = self._xp = module_of("cupy")
        self._own_inputs, self._labels = resident(loader.dataset, "cupy")
        self._inputs = self._own_inputs
        self._order: Any = None
        self._order_on_gpu = xp.empty(len(self._labels), np.int64)
        self._step = xp.zeros((), np.int64)
        self.loss = xp.zeros((), np.float64)
        self._loss_sum, self._correct = xp.zeros((), np.float64), xp.zeros((), np.int64)
        self._stream, self._other = (xp.cuda.Stream(non_blocking=True) for _ in range(2))
        self._pool = xp.cuda.MemoryPool()
        self._state: list[Any] = []
        self._active: list[bool] = []
        self._seed: Any = None
        self._masks: dict[int, Masks] = {}  # by batch size, of which a step has been made eagerly
        self._graphs: dict[tuple[int, int], Any] = {}  # by batch size and number of steps
        self._products: Any = None
        self._renew()

    def run(
        self, order: np.ndarray, first: int, last: int, inputs: Array | None = None
    ) -> tuple[Array, Array]:
        """Make the updates of batches `first` to `last` of an epoch.

        order: integers on the CPU, the epoch's order of its samples, at most all of them; copied to
        the GPU once, and not to be changed meanwhile. inputs: (N, D) on the GPU, if not the data
        set's own; captured by address, so each epoch's are best in the same place. Returns the sum
        of the samples' losses and the number of correct answers, arrays of dimension 0 on the GPU:
        to read them is to wait for the steps.
        """
        self._inputs = self._own_inputs if inputs is None else inputs
        self.optimizer.zero_grad()
        for parameter in self.optimizer.parameters:
            release(parameter)
        # A capture must meet no other work, so it has a stream of its own. The GPU waits, not the
        # CPU: this stream for the caller's, and in the end the caller's for this one.
        outside = self._xp.cuda.get_current_stream()
        self._stream.wait_event(outside.record())
        # A memory pool of its own: graphs may reuse each other's memory, but nobody else's.
        try:
            with self._stream, self._xp.cuda.using_allocator(self._pool.malloc):
                self._renew()
                self._prepare(order, first)
                self._make(len(order), first, last)
        except MemoryError:  # CuPy has given back the memory that the graphs work in
            self._graphs.clear()
            raise
        outside.wait_event(self._stream.record())
        # The launches have written to these arrays, which nobody on the CPU has noticed.
        self.optimizer.t += last - first
        for tensor in [*self.model.parameters(), *(t for _, t in self.model.named_tensors(Buffer))]:
            tensor.changed()
        for piece, moves in zip(self.optimizer.vectors.pieces, self._active, strict=True):
            piece.parameter.grad = None
            piece.parameter.grad = deposited(piece.parameter, piece.gradient) if moves else None
        # Copied here, not in the block: what lies in that pool, the next launch writes over.
        return self._loss_sum.copy(), self._correct.copy()

    def _make(self, samples: int, first: int, last: int) -> None:
        """The steps for batches `first` to `last` of so many samples."""
        size, prepared, began = self.loader.batch_size, first, first
        while first < last:
            whole = min(last, samples // size) - first  # batches of this size, one after the other
            rows = size if whole > 0 else samples - first * size
            many = self._many(rows)
            count = many if whole >= many else 1
            # The numbers for some more steps, while the GPU is busy with those before.
            while prepared < first + count:
                upto = min(last, prepared + ROWS)
                self._tabulate(prepared, upto, prepared - began)
                prepared = upto
            graph = self._graph(rows, count)
            if graph is None:
                masks = Masks()
                with masks.noting():
                    self._work(rows)
                if rows not in self._masks:
                    self._masks[rows] = masks
                    masks.allocate(self._xp, self._many(rows))
                first += 1
            else:
                self._masks[rows].fill(self._xp, first, count)
                graph.launch()
                first += count

    def _many(self, rows: int) -> int:
        """How many steps a graph may hold: `MANY`, unless their dropout masks are too large."""
        masks = self._masks.get(rows)
        return MANY if masks is None or MANY * masks.bytes <= MOST_BYTES else 1

    def _graph(self, rows: int, count: int) -> Any:
        """A graph of `count` steps on `rows` samples each; None if the next step is to be eager."""
        if rows not in self._masks:
            return None
        if (rows, count) not in self._graphs:
            self._graphs[rows, count] = self._captured(rows, count)
        return self._graphs[rows, count]

    def _work(self, rows: int, later: int = 0, of: int = 1) -> None:
        """What one step does on the GPU; `later`: which one of a graph of so many steps, from 0."""
        xp, (inputs, labels) = self._xp, (self._inputs, self._labels)
        dtype = np.float32 if inputs.dtype == np.uint8 else inputs.dtype
        x = xp.empty((rows, inputs.shape[1]), dtype)
        y = xp.empty(rows, labels.dtype)
        size = self.loader.batch_size
        gather(inputs, labels, self._order_on_gpu, self._step, size, x, y, later)
        self.optimizer.zero_grad()
        output = self.model(x)
        loss = self.loss_function(output, y)
        counted = output.data, y, loss.data
        totals = self.loss, self._loss_sum, self._correct, self._step
        # The last one counts the steps, when nobody asks any more for the number of the first.
        is_last = later == of - 1
        if not is_last:
            with beside(*counted):
                tally(*counted, *totals, 0)
        vectors, one = self.optimizer.vectors, self._one(loss.data)
        with slots(((piece.value, piece.gradient) for piece in vectors.pieces), one) as used:
            loss.backward(one)
        self._twice |= used.twice
        join()
        self._active = vectors.collect()
        for group, table in zip(vectors.groups, self._tables, strict=True):
            spans = vectors.spans(self._active, group.first, group.last)
            group.executor.step_from_table(spans, table, self._step, later)
        if is_last:
            tally(*counted, *totals, of)

    def _one(self, loss: Array) -> Array:
        """The gradient that arrives at `loss`."""
        if self._seed is None or self._seed.dtype != loss.dtype:
            self._seed = self._xp.ones_like(loss)
        return self._seed

    def _captured(self, rows: int, count: int) -> Any:
        """A graph of so many steps; None, with the `reason`, if they cannot be captured."""
        try:
            self._products = self._products or Products(self._stream, self._other)
            largest = max(p.size for p in self.optimizer.parameters)
            beside = not self._twice and rows * largest < SMALL
            with self._products.active(beside), _without_collection():
                return self._capture(rows, count)
        except (UnsupportedError, BackendError, RuntimeError) as error:  # the last are CUDA's
            self.reason = f"it cannot be recorded: {error}"
            return None

    def _capture(self, rows: int, count: int) -> Any:
        self._stream.begin_capture()
        try:
            for k in range(count):
                with self._masks[rows].serving(self._step, k):
                    self._work(rows, k, count)
        except BaseException:  # a stream that captures takes no other work
            with suppress(RuntimeError):
                self._stream.end_capture()
            raise
        return self._stream.end_capture()

    def _prepare(self, order: np.ndarray, first: int) -> None:
        """Copy the order and the first step's number to the GPU."""
        if order is not self._order:
            self._order = order
            # Indexing on the CPU raises for a sample that does not exist; the GPU would not.
            samples = np.arange(len(self._labels))[order]
            self._order_on_gpu[: len(order)] = self._xp.asarray(samples)
        self._step[...] = first
        self._loss_sum[...], self._correct[...] = 0, 0

    def _tabulate(self, first: int, last: int, made: int) -> None:
        """Copy the rule's numbers for batches `first` to `last`, `made` updates from now."""
        t = self.optimizer.t + made + 1
        for group, table in zip(self.optimizer.vectors.groups, self._tables, strict=True):
            rows = []
            for k in range(last - first):
                rule, lr = group.at(t + k)
                rows.append(group.executor.numbers(rule, lr, t + k))
            table[first:last] = self._xp.asarray(rows, dtype=table.dtype)

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
            self._inputs,
            *(group.executor for group in optimizer.vectors.groups),
            uses_tf32(),
        ]
        if len(state) == len(self._state) and all(map(_same, state, self._state)):
            return
        for group in optimizer.vectors.groups:
            if not isinstance(group.executor, CudaExecutor):
                name = group.rule.name
                raise UnsupportedError(f"{name} is not one kernel here, so no step can be recorded")
        self._state, self._products, self.reason, self._seed = state, None, None, None
        self._twice = False  # whether a step has used a parameter twice
        self._masks.clear()
        self._graphs.clear()
        like = optimizer.vectors.values
        self._tables = [
            self._xp.empty((len(self.loader), group.executor.count), like.dtype)
            for group in optimizer.vectors.groups
        ]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Within the block no garbage is collected: what is freed may wait for the GPU."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _same(one: Any, other: Any) -> bool:
    """Whether two pieces of the state are the same: arrays by identity, not by value."""
    if isinstance(one, tuple):
        return all(map(_same, one, other))
    return one is other or (isinstance(one, float) and one == other)
