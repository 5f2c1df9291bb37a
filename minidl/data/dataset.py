"""Labelled samples, as two arrays that belong together."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import as_array, is_array
from ..backend import generator, to_numpy
from ..errors import DataError, DTypeError, LabelError, OptionError

_MOST_NAMES = 1 << 16  # a wild label must not have 4 billion class names made up for it


class Dataset:
    """N samples, each with its label or target: ``dataset.inputs[i]`` belongs to ``dataset.labels[i]``.

    Args:
        inputs: (N, ...) array of one dtype, of NumPy, a GPU, pandas, h5py, ...; or rows that have no
            dtype in common, such as lists or a DataFrame (then float32). uint8 means pixels, 0 to 255: a
            `Loader` scales them to [0, 1].
        labels: (N,) integers in 0 ... C - 1, in an array, a list or a Series: classes. Or floating targets, (N,) or
            (N, ...): what a regression is to predict, several yes-or-no labels (0.0 or 1.0), an autoencoder's picture.
        name: what messages call it.
        shape: the shape of one sample; that of ``inputs[0]`` if not given.
        classes: the C class names; "0", "1", ... up to the largest label if not given.

    Attributes:
        inputs: (N, D) NumPy array, each sample flattened, dtype kept; a view of the array
            given where NumPy can make one.
        labels: (N,) NumPy array of integers, dtype kept; of targets (N, K) floats, (N, 1) for one number a sample, as
            a layer's output has it.
        shape: tuple with product D: ``inputs[i].reshape(shape)`` is the picture again.
        classes: tuple of C strings; of none for targets.
        name: string.

    Raises:
        DataError: if `inputs`, `labels` and `shape` do not fit together.
        LabelError: for labels that are neither (N,) integers nor floating, or not in 0 ... C - 1.
        DTypeError: for what is no array of numbers: sparse, masked or of objects.
    """

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        *,
        name: str = "data",
        shape: Sequence[int] | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        inputs, labels = _inputs(inputs, name), _array(labels, f"{name}: labels")
        targets = labels.dtype.kind == "f" and labels.ndim > 0
        if not targets and (labels.ndim != 1 or labels.dtype.kind not in "iu"):
            raise LabelError(
                f"{name}: labels: expected integers of shape (N,), or floating targets of shape (N, ...), got "
                f"{labels.dtype} of shape {labels.shape}{_remedy(labels)}"
            )
        if inputs.ndim == 0 or len(inputs) != len(labels):
            raise DataError(
                f"{name}: expected one label for each sample, got inputs of shape {inputs.shape} "
                f"and labels of shape {labels.shape}"
            )
        if targets and not np.isfinite(labels).all():
            place = np.argwhere(~np.isfinite(labels))[0]
            raise LabelError(
                f"{name}: labels: {labels[tuple(place)]} at index {place[0]}: fill in what is missing, or leave such "
                f"samples out: keep = np.isfinite(labels)"
            )
        self.name = name
        self.shape = tuple(inputs.shape[1:] if shape is None else shape)
        if math.prod(self.shape) != math.prod(inputs.shape[1:]):
            raise DataError(f"{name}: a sample of shape {inputs.shape[1:]} does not reshape to {self.shape}")
        self.inputs: np.ndarray = inputs.reshape(len(inputs), math.prod(self.shape))
        self.labels: np.ndarray = labels.reshape(len(labels), math.prod(labels.shape[1:])) if targets else labels
        self.classes: tuple[str, ...] = ()
        if not targets:
            self.classes = _made_up_classes(name, labels) if classes is None else tuple(map(str, classes))
            _check_range(name, labels, len(self.classes))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> "Dataset":
        """The samples of a slice (views), of a list or (M,) array of integers, or of an (N,) mask (copies).

        Raises `OptionError` for anything else, ``IndexError`` for a sample that is not there.
        """
        rows = index if isinstance(index, slice) else _array(index, f"{self.name}: index")
        rows = rows.astype(int) if isinstance(rows, np.ndarray) and not rows.size else rows  # of [], which are floats
        if isinstance(rows, np.ndarray) and rows.ndim != 1:
            raise OptionError(
                f"{self.name}: index with a slice or a one-dimensional array of integers, got {index!r}; "
                f"one sample is dataset.inputs[i], dataset.labels[i]"
            )
        return Dataset(self.inputs[rows], self.labels[rows], name=self.name, shape=self.shape, classes=self.classes)

    def split(self, share: float) -> "tuple[Dataset, Dataset]":
        """Two data sets: all samples but a `share`, and that share, drawn from the "split" stream of `minidl.seed`.

        ``train, validation = dataset.split(0.1)``. Both are copies, in this data set's order. Raises `OptionError`
        unless both get a sample.
        """
        count = round(share * len(self)) if isinstance(share, int | float) and 0 < share < 1 else 0
        if not 0 < count < len(self):
            raise OptionError(
                f"{self.name}: split: share={share!r} of {len(self)} samples leaves one part empty: give a number "
                f"between 0 and 1, such as 0.1"
            )
        order = generator("split").permutation(len(self))
        return self[np.sort(order[count:])], self[np.sort(order[:count])]

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.shape)) or "1"
        of = f"{len(self.classes)} classes" if self.labels.ndim == 1 else f"{self.labels.shape[1]} targets"
        return f"<Dataset {self.name}: {len(self)} samples of {shape} {self.inputs.dtype}, {of}>"


def _inputs(values: Any, name: str) -> np.ndarray:
    """The inputs as one array: in their own dtype, if they have one, else as float32."""
    inputs = _array(values, f"{name}: inputs")
    if inputs.dtype.kind not in "biufc":
        raise DTypeError(f"{name}: inputs: expected numbers, got {inputs.dtype} of shape {inputs.shape}")
    own = str(getattr(values, "dtype", "object"))
    return inputs if own != "object" else inputs.astype(np.float32, copy=False)


def _array(values: Any, where: str) -> np.ndarray:
    """`values` as a NumPy array, whatever they are: a Tensor's or a GPU's too. Raises `DTypeError`."""
    there = hasattr(values, "numpy") or is_array(values)
    try:
        array = to_numpy(values) if there else as_array(values, where)
        return as_array(array.tolist(), where) if array.dtype == object else array
    except ValueError as error:  # rows of several lengths
        raise DTypeError(f"{where}: {error}") from error


def _remedy(labels: np.ndarray) -> str:
    """What to do about labels of another kind."""
    if labels.ndim == 2:
        return (
            "; a single column: labels.ravel()"
            if 1 in labels.shape
            else "; if they are one-hot: labels.argmax(axis=1); if several may hold: labels.astype(np.float32)"
        )
    if labels.dtype.kind == "b":
        return "; of two classes: labels.astype(int); of yes-or-no targets: labels.astype(np.float32)"
    if labels.dtype.kind in "US":
        return "; if they are names: classes, labels = np.unique(labels, return_inverse=True)"
    return ""


def _made_up_classes(name: str, labels: np.ndarray) -> tuple[str, ...]:
    count = int(labels.max(initial=0)) + 1 if len(labels) else 0
    if count > _MOST_NAMES:
        raise LabelError(
            f"{name}: label {count - 1} at index {labels.argmax()}: class names are made up for at most "
            f"{_MOST_NAMES} classes; pass classes= if there really are more"
        )
    return tuple(map(str, range(count)))


def _check_range(name: str, labels: np.ndarray, classes: int) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise LabelError(
            f"{name}: label {labels[wrong[0]]} at index {wrong[0]}: expected 0 to {classes - 1} "
            f"for {classes} classes ({wrong.size} of {len(labels)} labels are outside)"
        )
