"""Labelled samples, as two arrays that belong together."""

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

from ..backend import generator
from ..checks import checked_integer
from ..errors import DataError, OptionError
from .labels import labels_of, made_up
from .reading import array_of, inputs_of
from .transform import Transform, label


class Dataset:
    """N samples, each with its label or target: ``dataset.inputs[i]`` belongs to ``dataset.labels[i]``.

    ``dataset[i]`` is the two of them, ``for x, y in dataset`` goes through them, ``a + b`` are the samples of both.

    Args:
        inputs: (N, ...) array of one dtype, of NumPy, a GPU, pandas, h5py, ...; or rows that have no
            dtype in common, such as lists or a DataFrame (then float32). uint8 means pixels, 0 to 255: a
            `Loader` scales them to [0, 1]. Other integers and booleans become float32. SciPy's sparse matrices are made
            dense.
        labels: (N,) integers in 0 ... C - 1, in an array, a list or a Series, or strings: classes. Or floating targets,
            (N,) or (N, ...): what a regression is to predict, several yes-or-no labels (0.0 or 1.0, or booleans),
            an autoencoder's picture.
        name: what messages call it.
        shape: the shape of one sample; that of ``inputs[0]`` if not given.
        classes: the C class names; "0", "1", ... up to the largest label if not given, of strings those that occur,
            sorted. With them, labels (N,) that are booleans or whole floats are classes, too.
        sample_weight: (N,) numbers of at least 0, how much each sample counts in the loss; all 1 if not given.
        transform: a function (inputs (N, D), a NumPy Generator) -> other inputs of the same shape and dtype, such as
            `Augment`: what a training has instead of the inputs, anew in each epoch. Only a training, see `Loader`.

    Attributes:
        inputs: (N, D) NumPy array, each sample flattened, dtype kept; a view of the array
            given where NumPy can make one.
        labels: (N,) NumPy array of integers, dtype kept; of targets (N, K) floats, (N, 1) for one number a sample, as
            a layer's output has it.
        shape: tuple with product D: ``inputs[i].reshape(shape)`` is the picture again.
        classes: tuple of C strings; of none for targets.
        name: string.
        sample_weight: (N,) floats, or None.
        transform: the function, or None.

    Raises:
        OptionError: for a `transform` that cannot be called.
        DataError: if `inputs`, `labels`, `shape` and `sample_weight` do not fit together; for a sparse matrix that is
            too large to be made dense.
        LabelError: for labels that are neither (N,) integers nor floating, or not in 0 ... C - 1.
        DTypeError: for what is no array of numbers: masked or of objects.
    """

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        *,
        name: str = "data",
        shape: Sequence[int] | None = None,
        classes: Sequence[str] | None = None,
        sample_weight: Any = None,
        transform: Transform | None = None,
    ) -> None:
        inputs = inputs_of(inputs, name)
        self.labels, self.classes = labels_of(labels, name, classes)
        if inputs.ndim == 0 or len(inputs) != len(self.labels):
            raise DataError(
                f"{name}: expected one label for each sample, got inputs of shape {inputs.shape} "
                f"and labels of shape {np.shape(labels) if hasattr(labels, 'shape') else self.labels.shape}"
            )
        self.name = name
        self.transform = _checked(transform, name)
        self.shape = tuple(inputs.shape[1:] if shape is None else shape)
        if math.prod(self.shape) != math.prod(inputs.shape[1:]):
            raise DataError(f"{name}: a sample of shape {inputs.shape[1:]} does not reshape to {self.shape}")
        self.inputs: np.ndarray = inputs.reshape(len(inputs), math.prod(self.shape))
        self.sample_weight = None if sample_weight is None else _weights(sample_weight, len(inputs), name)

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int) -> tuple[Any, Any]: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> "Dataset": ...
    def __getitem__(self, index: Any) -> Any:
        """Of a number the sample's inputs (D,) and its label; else a `Dataset`.

        Of a slice (views), of a list or (M,) array of integers, or of an (N,) mask (copies). Raises `OptionError` for
        anything else, ``IndexError`` for a sample that is not there.
        """
        rows = index if isinstance(index, slice) else array_of(index, f"{self.name}: index")
        if isinstance(rows, np.ndarray) and rows.ndim == 0 and rows.dtype.kind in "iu":
            return self.inputs[int(rows)], self.labels[int(rows)]
        rows = rows.astype(int) if isinstance(rows, np.ndarray) and not rows.size else rows  # of [], which are floats
        if isinstance(rows, np.ndarray) and rows.ndim != 1:
            raise OptionError(
                f"{self.name}: index with a number, a slice or a one-dimensional array of integers, got {index!r}"
            )
        part = copy.copy(self)
        part.inputs, part.labels = self.inputs[rows], self.labels[rows]
        part.sample_weight = None if self.sample_weight is None else self.sample_weight[rows]
        return part

    def with_transform(self, transform: Transform | None) -> "Dataset":
        """The same samples (views) with this `transform`, or with none: ``train.with_transform(Augment(shift=2))``."""
        other = copy.copy(self)
        other.transform = _checked(transform, self.name)
        return other

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return zip(self.inputs, self.labels, strict=True)

    def __add__(self, other: "Dataset") -> "Dataset":
        """The samples of both, this one's first, as copies.

        Classes need the same names, unless they have none of their own. Raises `DataError` for samples that differ in
        kind.
        """
        if not isinstance(other, Dataset):
            return NotImplemented
        for what, ours, theirs in (
            ("numbers in a sample", self.inputs.shape[1], other.inputs.shape[1]),
            ("dtype of inputs", self.inputs.dtype, other.inputs.dtype),
            ("shape of targets", self.labels.shape[1:], other.labels.shape[1:]),
            ("transform", self.transform, other.transform),
        ):
            if ours != theirs:
                raise DataError(f"{self.name} + {other.name}: {what}: {ours} and {theirs}; make both alike")
        both = copy.copy(self)
        both.classes = max(self.classes, other.classes, key=len)
        if self.classes != other.classes and not (made_up(self.classes) and made_up(other.classes)):
            raise DataError(
                f"{self.name} + {other.name}: other classes, {self.classes} and {other.classes}: give both the same"
            )
        both.inputs = np.concatenate([self.inputs, other.inputs])
        both.labels = np.concatenate([self.labels, other.labels])
        if self.sample_weight is not None or other.sample_weight is not None:
            both.sample_weight = np.concatenate([_given(self), _given(other)])
        return both

    def split(self, share: float) -> "tuple[Dataset, Dataset]":
        """Two data sets: all samples but a `share`, and that share, drawn from the "split" stream of `minidl.seed`.

        ``train, validation = dataset.split(0.1)``. Both are copies, in this data set's order. The second has no
        transform. Raises `OptionError` unless both get a sample.
        """
        count = round(share * len(self)) if isinstance(share, int | float) and 0 < share < 1 else 0
        if not 0 < count < len(self):
            raise OptionError(
                f"{self.name}: split: share={share!r} of {len(self)} samples leaves one part empty: give a number "
                f"between 0 and 1, such as 0.1"
            )
        order = generator("split").permutation(len(self))
        return self[np.sort(order[count:])], self[np.sort(order[:count])].with_transform(None)

    def k_folds(self, k: int) -> "Iterator[tuple[Dataset, Dataset]]":
        """The k pairs of a cross-validation: ``for train, validation in dataset.k_folds(5): ...``.

        The samples are dealt out to k parts in an order drawn from the "split" stream of `minidl.seed`, class by class:
        parts, and the classes in them, differ by one sample at most (scikit-learn's ``StratifiedKFold``). Each part is
        the validation set once, without a transform. All are copies, in this data set's order.

        Args:
            k: from 2 to the number of samples.

        Raises:
            OptionError: for another `k`.
        """
        k = checked_integer(k, f"{self.name}: k_folds: k", 2, max(len(self), 2))
        if len(self) < 2:
            raise OptionError(f"{self.name}: k_folds: {len(self)} samples make no two parts")
        dealt = generator("split").permutation(len(self))
        if self.classes:
            dealt = dealt[np.argsort(self.labels[dealt], kind="stable")]
        part = np.empty(len(self), int)
        part[dealt] = np.arange(len(self)) % k
        return ((self[part != i], self[part == i].with_transform(None)) for i in range(k))

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.shape)) or "1"
        of = f"{len(self.classes)} classes" if self.labels.ndim == 1 else f"{self.labels.shape[1]} targets"
        made = "" if self.transform is None else f", transform {label(self.transform)}"
        return f"<Dataset {self.name}: {len(self)} samples of {shape} {self.inputs.dtype}, {of}{made}>"


def _checked(transform: Any, name: str) -> Transform | None:
    """A transform, or None. Raises `OptionError` for what cannot be called."""
    if transform is not None and not callable(transform):
        raise OptionError(
            f"{name}: transform={transform!r}: give a function of the inputs and a NumPy Generator, such as "
            f"data.Augment(shift=2)"
        )
    return transform


def _weights(values: Any, samples: int, name: str) -> np.ndarray:
    """Weights of samples as an array (N,) of floats. Raises `DataError`."""
    weights = array_of(values, f"{name}: sample_weight")
    if weights.shape != (samples,) or weights.dtype.kind not in "biuf":
        raise DataError(
            f"{name}: sample_weight: expected a number for each of the {samples} samples, got {weights.dtype} of shape "
            f"{weights.shape}"
        )
    weights = weights.astype(float)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise DataError(
            f"{name}: sample_weight: {weights[wrong[0]]:g} at index {wrong[0]}: expected finite numbers of at least 0"
        )
    return weights


def _given(dataset: Dataset) -> np.ndarray:
    return np.ones(len(dataset)) if dataset.sample_weight is None else dataset.sample_weight
