"""What `fit` and `evaluate` are given, as a `Loader` and what is to validate on."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from ..data import Dataset, Loader
from ..data.labels import made_up
from ..data.loader import BatchSize
from ..data.reading import array_of
from ..data.stream import Stream
from ..errors import OptionError
from ..nn import softmax_cross_entropy
from .losses import OF_CLASSES, OF_TARGETS, core, is_one_of

ClassWeight: TypeAlias = Mapping[int, float] | str


def training_data(
    train: Any,
    targets: Any,
    validation: Any,
    loss: Any,
    batch_size: BatchSize | None,
    sample_weight: Any,
    class_weight: ClassWeight | None,
) -> tuple[Loader, Any]:
    """The batches to train on, and what is to validate on, if anything. Raises `OptionError` for what cannot be."""
    if targets is not None:
        if isinstance(train, Dataset | Loader):
            raise OptionError(f"fit: targets belong to inputs that are an array: a {type(train).__name__} has its own")
        train = arrays(train, targets, loss, "train", sample_weight)
    elif sample_weight is not None:
        raise OptionError("fit: sample_weight belongs to arrays; a data set has its own: Dataset(..., sample_weight=)")
    if isinstance(validation, float | np.floating):
        if not isinstance(train, Dataset):
            raise OptionError("fit: validation, a share, is set aside from a Dataset or arrays: split yours beforehand")
        train, validation = train.split(float(validation))
    loader = _loader(train, batch_size)
    data = loader.dataset
    if is_one_of(core(loss), OF_CLASSES) and isinstance(data, Dataset) and data.labels.shape[1:] == (1,):
        raise OptionError(
            f"fit: {data.name} has floating targets, and the loss is of classes: give loss=, such as "
            f"nn.mean_squared_error or nn.binary_cross_entropy_with_logits; or integer labels"
        )
    if class_weight is not None:
        loader = _with_class_weights(loader, class_weight)
    if isinstance(validation, tuple) and len(validation) in (2, 3):
        classes = data.classes if isinstance(data, Dataset) and not made_up(data.classes) else None
        x, y, *weights = validation
        validation = arrays(x, y, loss, "validation", weights[0] if weights else None, classes)
    if validation is not None:  # raises now, not after an epoch, for what cannot be validated on
        validation = validation if isinstance(validation, Dataset | Loader) else _streamed(validation)
        held_out = validation if isinstance(validation, Loader) else Loader(validation, "full")
        _check_alike(data, held_out.dataset)
    return loader, validation


def evaluation_data(data: Any, targets: Any, loss: Any, batch_size: int) -> Loader:
    """The batches to evaluate on. Raises `OptionError`."""
    if targets is not None:
        if isinstance(data, Dataset | Loader):
            raise OptionError(f"evaluate: targets belong to inputs: a {type(data).__name__} has its own")
        data = arrays(data, targets, loss, "data")
        if not made_up(data.classes):
            raise OptionError(
                "evaluate: labels that are strings: give Dataset(inputs, labels, classes=...) with the classes that "
                "training had, else nobody knows which output is whose"
            )
    if isinstance(data, Loader):
        return data
    if _is_streamed(data):
        return _streamed(data)
    return Loader(data, min(batch_size, len(data)), shuffle=False)


def untransformed(loader: Loader) -> Iterable[Any]:
    """The batches to evaluate on: a transform is for training alone."""
    return loader if loader.dataset.transform is None else loader.batches(loader.order())


def arrays(inputs: Any, targets: Any, loss: Any, name: str, sample_weight: Any = None, classes: Any = None) -> Dataset:
    """A data set of arrays, whose targets are what the loss takes, where they can be meant as that alone.

    Whole floats and booleans are classes for the loss of classes, and rows of integers soft labels; integers and
    booleans are targets for the losses of targets. `classes`: the names by which string labels are looked up.
    """
    labels = array_of(targets, f"{name}: labels")
    function = core(loss)
    if is_one_of(function, OF_CLASSES) and labels.ndim == 1 and labels.dtype.kind in "bf":
        targets = labels.astype(np.int64) if (labels == np.rint(labels)).all() else targets
    elif function is softmax_cross_entropy and labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "biu":
        targets = labels.astype(np.float32)  # one-hot
    elif is_one_of(function, OF_TARGETS) and labels.dtype.kind in "biu":
        targets = labels.astype(np.float32)
    named = labels.dtype.kind in "SUTO"
    return Dataset(inputs, targets, name=name, sample_weight=sample_weight, classes=classes if named else None)


def check_streamed(loader: Loader, validation: Any, epochs: int, checkpoint: Any) -> None:
    """Raise `OptionError` for what batches that come one by one cannot serve."""
    if epochs > 1 and any(isinstance(data, Stream) and data.once for data in (loader, validation)):
        raise OptionError(
            "fit: an iterator ends with its first epoch: give the generator function itself, without calling it, or a "
            "list of batches"
        )
    if checkpoint is not None and isinstance(loader, Stream):
        raise OptionError(
            "fit: checkpoint: a run on streamed batches cannot be resumed, as those before cannot be told from those "
            "after; keep the model: callbacks=[lambda run: minidl.save(path, run.model)]"
        )


def _loader(train: Any, batch_size: BatchSize | None) -> Loader:
    if isinstance(train, Loader):
        return train
    if _is_streamed(train):
        if batch_size is not None:
            raise OptionError("fit: batch_size is for samples; the batches given are trained on as they are")
        return _streamed(train)
    return Loader(train, batch_size)


def _streamed(source: Any) -> Loader:
    return Stream(source) if _is_streamed(source) else Loader(source, "full")  # which says what is wrong with it


def _is_streamed(source: Any) -> bool:
    """Whether this can be batches: whatever can be iterated over, or called, and is no array, tuple or data set."""
    if isinstance(source, Dataset | tuple | str | bytes | Mapping) or hasattr(source, "dtype"):
        return False
    return not hasattr(source, "__array__") and (isinstance(source, Iterable) or callable(source))


def _with_class_weights(loader: Loader, class_weight: ClassWeight) -> Loader:
    """A loader of the same samples, each of which counts as its class does."""
    data = loader.dataset
    if isinstance(loader, Stream) or not data.classes:
        raise OptionError("fit: class_weight is for a data set of classes: give weights with the samples instead")
    counts = np.bincount(data.labels, minlength=len(data.classes))
    if class_weight == "balanced":  # scikit-learn's: N / (C n_c), so that the mean over all samples is 1
        present = np.count_nonzero(counts)
        weights = len(data) / (present * np.maximum(counts, 1))
    elif isinstance(class_weight, Mapping):
        unknown = [key for key in class_weight if _number(key, data.classes) is None]
        if unknown:
            raise OptionError(
                f"fit: class_weight: {unknown[0]!r} is no class: {data.name} has 0 to {len(data.classes) - 1}"
            )
        weights = np.ones(len(data.classes))
        for key, weight in class_weight.items():
            if not (isinstance(weight, int | float | np.number) and 0 <= weight < np.inf):
                raise OptionError(f"fit: class_weight: {weight!r} of {key!r}: expected finite numbers of at least 0")
            weights[_number(key, data.classes)] = weight
    else:
        raise OptionError(f"fit: class_weight={class_weight!r}: give 'balanced', or a dict {{class: weight}}")
    of_samples = weights[data.labels] * (1 if data.sample_weight is None else data.sample_weight)
    loader = copy.copy(loader)
    loader.dataset = copy.copy(data)
    loader.dataset.sample_weight = of_samples
    return loader


def _number(key: Any, classes: tuple[str, ...]) -> int | None:
    """The number of the class that is meant by its number or its name."""
    if isinstance(key, int | np.integer) and 0 <= key < len(classes):
        return int(key)
    return classes.index(key) if isinstance(key, str) and key in classes else None


def _check_alike(training: Any, validation: Any) -> None:
    """Raise `OptionError` unless two data sets have samples of one size, and the same classes or both targets."""
    if not (isinstance(training, Dataset) and isinstance(validation, Dataset)):
        return
    for what, ours, theirs in (
        ("numbers in a sample", training.inputs.shape[1], validation.inputs.shape[1]),
        ("axes of labels (1 for classes, 2 for floating targets)", training.labels.ndim, validation.labels.ndim),
    ):
        if ours != theirs:
            raise OptionError(f"fit: validation has {theirs} {what}, the training set {ours}: give both alike")
    named = not made_up(training.classes) and not made_up(validation.classes)
    if named and training.classes != validation.classes:
        raise OptionError(
            f"fit: validation has the classes {', '.join(validation.classes)}, the training set "
            f"{', '.join(training.classes)}: make both with the same classes="
        )
