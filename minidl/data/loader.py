"""A data set, cut into shuffled batches that a model can take."""

import copy
import math
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from ..arrays import PIXEL
from ..backend import (
    Array,
    Backend,
    array_module,
    backend_of,
    current_backend,
    generator,
    module_of,
    out_of_memory,
    registry,
    to_backend,
)
from ..checks import checked_integer
from ..errors import DataError, DTypeError, OptionError
from .dataset import Dataset
from .transform import Transform, transformed

BatchSize: TypeAlias = int | Literal["full"]

USUAL = 128  # samples in a batch


class Loader:
    """Batches of a data set: ``for x, y in Loader(train, 32): ...`` is one epoch.

    Each epoch yields every sample once, in an order drawn anew from the "shuffle" stream of
    `minidl.seed`, the same on every backend.

    x: (B, D). uint8 inputs come as float32 in [0, 1] (pixel / 255), floating inputs as they are.
    y: (B,) integers, in the labels' dtype; targets (B, K) in that of x. If the samples have weights, the pair of these
    and the weights (B,): ``for x, (y, weights) in loader``, for a loss's ``sample_weight=``.
    All are plain arrays, made for this batch alone: keep them, or write into them.
    A data set's transform makes other inputs as the epoch begins, from the "augment" stream.

    Args:
        dataset: a `Dataset`, its inputs uint8 or floating.
        batch_size: B, from 1 (SGD) to ``len(dataset)``, or "full" (gradient descent on all of it). 128 if not given, or
            all there are if they are fewer.
        shuffle: False keeps the data set's own order.
        drop_last: True leaves out the last batch of an epoch if it is smaller than B.
        backend: where the batches live; the current backend, as each epoch begins, if not given. To a GPU
            the data set is copied once, when the first batch is asked for: later changes of its arrays are
            not seen there.
        transform: in place of the data set's own, see `Dataset`.

    Raises:
        OptionError: for a batch size outside what is allowed, and for what is no Dataset or transform.
        DataError: for an empty data set.
        DTypeError: for inputs of another dtype.
        BackendError: for a backend that is not there.
    """

    def __init__(
        self,
        dataset: Dataset | tuple[Any, Any],
        batch_size: BatchSize | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
        backend: Backend | None = None,
        transform: Transform | None = None,
    ) -> None:
        if isinstance(dataset, tuple) and len(dataset) == 2 and not any(isinstance(part, Dataset) for part in dataset):
            dataset = Dataset(*dataset)
        if not isinstance(dataset, Dataset):
            raise OptionError(
                f"Loader: expected a Dataset, got {type(dataset).__name__}; Dataset(inputs, labels) makes one "
                f"of two arrays, and mnist() gives two: train, test = mnist()"
            )
        if dataset.inputs.dtype != np.uint8 and dataset.inputs.dtype.kind != "f":
            raise DTypeError(
                f"Loader: {dataset.name}: inputs must be uint8 (pixels, scaled to [0, 1]) or floating, "
                f"got {dataset.inputs.dtype}; convert them first: inputs.astype(np.float32)"
            )
        if backend is not None:
            module_of(backend)
        self.dataset = dataset if transform is None else dataset.with_transform(transform)
        self.batch_size = _checked_batch_size(batch_size, dataset)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.backend = backend

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        count = len(self.dataset) / self.batch_size
        return math.floor(count) if self.drop_last else math.ceil(count)

    def __iter__(self) -> Iterator[tuple[Array, Any]]:
        order, inputs = self.order(), self.transformed(self.transform_seed())
        return self.batches(order) if inputs is None else self.batches(order, inputs=inputs)

    def order(self) -> np.ndarray | None:
        """The samples' numbers in the order of the epoch that begins now, drawn anew; None for the data set's own."""
        return generator("shuffle").permutation(len(self.dataset)) if self.shuffle else None

    def transform_seed(self) -> int | None:
        """What the transform of the epoch that begins now draws from, drawn anew; None if there is no transform."""
        return None if self.dataset.transform is None else int(generator("augment").integers(2**63))

    def transformed(self, seed: int | None) -> Array | None:
        """The inputs (N, D) of the epoch with this `transform_seed`, where batches live; None if that is None."""
        if seed is None or self.dataset.transform is None:
            return None
        return to_backend(transformed(self.dataset, seed), self.backend or current_backend())

    def batches(
        self, order: np.ndarray | None, first: int = 0, last: int | None = None, inputs: Array | None = None
    ) -> Iterator[tuple[Array, Any]]:
        """The batches numbered from `first` up to `last` (None: to the end) of an epoch in this `order`.

        `inputs`: those of the epoch, as `transformed` makes them; the data set's own if not given.
        """
        backend = self.backend or current_backend()
        numbers = range(first, len(self) if last is None else last)
        if backend == "numpy":
            found = self._here(order, numbers, inputs)
        else:
            found = self._there(order, numbers, backend, inputs)
        return found if self.dataset.sample_weight is None else self._weighted(found, order, numbers)

    def sample(self, count: int) -> tuple[Array, Any]:
        """`count` samples (or all there are), from all over the data set, as one batch."""
        total, small = len(self.dataset), copy.copy(self)
        small.dataset = self.dataset[np.linspace(0, total - 1, min(count, total)).astype(int)]
        small.batch_size = len(small.dataset)
        return next(iter(small.batches(None, 0, 1)))

    def _weighted(
        self, found: Iterator[tuple[Array, Array]], order: np.ndarray | None, numbers: range
    ) -> Iterator[tuple[Array, tuple[Array, Array]]]:
        """The batches `found`, with the weights of their samples beside the labels."""
        weights = self.dataset.sample_weight
        assert weights is not None
        for number, (x, y) in zip(numbers, found, strict=True):
            batch = slice(number * self.batch_size, (number + 1) * self.batch_size)
            chosen = weights[batch] if order is None else weights[order[batch]]
            yield x, (y, to_backend(chosen.astype(x.dtype), backend_of(x)))

    def _here(self, order: np.ndarray | None, numbers: range, inputs: Array | None) -> Iterator[tuple[Array, Array]]:
        """Batches on the CPU."""
        inputs, labels = self.dataset.inputs if inputs is None else inputs, self.dataset.labels
        pixels = inputs.dtype == np.uint8
        whole = inputs.flags.c_contiguous  # take() is faster, but would copy all of a strided array for every batch
        for number in numbers:
            batch = slice(number * self.batch_size, (number + 1) * self.batch_size)
            if order is not None:
                rows = order[batch]
                x, y = inputs.take(rows, axis=0) if whole else inputs[rows], labels[rows]
            else:
                x, y = inputs[batch], labels[batch].copy()
                x = x if pixels else x.copy()
            if labels.ndim > 1:
                y = y.astype(np.float32 if pixels else inputs.dtype, copy=False)
            if pixels:
                x = x.astype(
                    np.float32
                )  # and then in place: NumPy is faster at that than at one pass with a cast in it
                x *= PIXEL
            yield x, y

    def _there(
        self, order: np.ndarray | None, numbers: range, backend: Backend, inputs: Array | None
    ) -> Iterator[tuple[Array, Array]]:
        """Batches on a GPU, cut out there: all that travels is the order."""
        own, labels = resident(self.dataset, backend)
        inputs = own if inputs is None else inputs
        xp = array_module(inputs)
        every = np.arange(len(labels))
        chosen = every if order is None else every[order]  # a sample that is not there is noticed here, or nowhere
        there = to_backend(chosen, backend)
        classes = labels.ndim == 1
        cut_out = registry.get(("gather", backend_of(inputs)), _gather) if classes else _gather
        steps = xp.arange(numbers.stop)
        for step in numbers:
            rows = min(self.batch_size, len(chosen) - step * self.batch_size)
            x = xp.empty((rows, inputs.shape[1]), np.float32 if inputs.dtype == np.uint8 else inputs.dtype)
            y = xp.empty((rows, *labels.shape[1:]), labels.dtype if classes else x.dtype)
            cut_out(inputs, labels, there, steps[step], self.batch_size, x, y)
            yield x, y


def resident(dataset: Dataset, backend: Backend) -> tuple[Array, Array]:
    """The inputs (N, D) and labels (N,) of `dataset` on `backend`, copied there once, as they were then.

    They stay as long as `dataset` does: MNIST takes 47 MB. Raises `BackendError` for a backend that is not there.
    """
    copies = _copies.setdefault(dataset, {})
    if backend not in copies:
        arrays = dataset.inputs, dataset.labels
        try:
            inputs, labels = (to_backend(np.ascontiguousarray(a), backend) for a in arrays)
        except MemoryError as error:
            raise out_of_memory(f"Loader: {dataset.name}", arrays, error) from error
        copies[backend] = inputs, labels
    return copies[backend]


_copies: WeakKeyDictionary[Dataset, dict[str, tuple[Array, Array]]] = WeakKeyDictionary()


def _gather(inputs: Array, labels: Array, order: Array, step: Array, stride: int, x: Array, y: Array) -> None:
    """Write the samples ``order[step * stride:][:len(y)]`` to `x` and `y`, where no kernel does."""
    xp = array_module(inputs)
    rows = order.take(step * stride + xp.arange(len(y)))
    chosen = inputs.take(rows, axis=0)
    x[...] = xp.multiply(chosen, PIXEL, dtype=np.float32) if chosen.dtype == np.uint8 else chosen
    y[...] = labels.take(rows, axis=0)


def _checked_batch_size(batch_size: BatchSize | None, dataset: Dataset) -> int:
    if len(dataset) == 0:
        raise DataError(f"Loader: {dataset.name} is empty: there is nothing to make batches of")
    if batch_size is None:
        return min(USUAL, len(dataset))
    if batch_size == "full":
        return len(dataset)
    note = f' (the size of {dataset.name}), or "full" for all of it'
    return checked_integer(batch_size, "Loader: batch_size", 1, len(dataset), note)
