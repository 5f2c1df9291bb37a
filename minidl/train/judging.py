"""How good a classifier is, class by class: what it takes for what, and how often it is right about each."""

from typing import Any, NamedTuple

import numpy as np

from ..backend import to_numpy
from ..checks import checked_integer
from ..data import Dataset, Loader
from ..display.tables import html_of, lines_of
from ..errors import OptionError, ShapeError
from ..nn import Module
from ..ops.shape import plain
from .predicting import predict

AVERAGE = "macro avg"


class Judged(NamedTuple):
    """The true classes of N samples; what a model gives for them, scores or class numbers; the C classes' names."""

    labels: np.ndarray  # (N,) integers
    outputs: np.ndarray  # (N, C) scores, or (N,) integers
    classes: tuple[str, ...]

    @property
    def predicted(self) -> np.ndarray:
        """(N,) integers: of scores the class with the largest."""
        return self.outputs if self.outputs.ndim == 1 else self.outputs.argmax(axis=1)


def judged(where: str, model: Any, data: Any, labels: Any = None) -> Judged:
    """What is to be judged, of the arguments that `confusion_matrix` and its kin take; `where` begins their errors."""
    found = _of_model(where, model, data, labels) if isinstance(model, Module) else _of_arrays(where, model, data)
    highest = int(found.labels.max(initial=-1))
    if found.outputs.ndim == 2 and highest >= found.outputs.shape[1]:
        raise ShapeError(f"{where}: label {highest}, where there are scores for {found.outputs.shape[1]} classes")
    return found


def _of_model(where: str, model: Module, data: Any, labels: Any) -> Judged:
    """What a model makes of data."""
    data = data.dataset if isinstance(data, Loader) else data
    if labels is not None and isinstance(data, Dataset):
        raise OptionError(f"{where}: {data.name} has labels: give it alone, options by name, such as k=3")
    if labels is not None:
        data = Dataset(data, labels)
    if not isinstance(data, Dataset):
        raise OptionError(f"{where}: give the true labels too, as in {where}(model, inputs, labels), or a Dataset")
    if data.labels.ndim != 1:
        raise OptionError(
            f"{where}: {data.name} has floating targets, no classes: of yes-or-no targets compare one column, as in "
            f"{where}(data.labels[:, 0] > 0.5, model.predict(data)[:, 0] > 0)"
        )
    outputs = predict(model, data)
    if outputs.ndim != 2:
        raise ShapeError(f"{where}: expected a score for each class, (N, C), got {outputs.shape} of the model")
    return Judged(data.labels, outputs, _names(data.classes, outputs.shape[1]))


def _of_arrays(where: str, *arrays: Any) -> Judged:
    """True labels and what was predicted."""
    labels, outputs = (np.asarray(to_numpy(plain(values))) for values in arrays)
    kinds = ("labels", labels, "biu"), ("predicted", outputs, "biu" if outputs.ndim == 1 else "fiu")
    for name, array, kinds_allowed in kinds:
        if array.dtype.kind not in kinds_allowed or (array.dtype.kind in "iu" and array.size and array.min() < 0):
            raise OptionError(
                f"{where}: {name}: expected class numbers from 0, got {array.dtype} of shape {array.shape}; "
                f"names become numbers by classes, numbers = np.unique(names, return_inverse=True)"
            )
    if labels.ndim != 1 or outputs.ndim not in (1, 2) or len(labels) != len(outputs):
        raise ShapeError(
            f"{where}: expected labels (N,) and class numbers (N,) or scores (N, C) for them, got {labels.shape} and "
            f"{outputs.shape}"
        )
    labels, outputs = (array.astype(np.int64) if array.dtype.kind == "b" else array for array in (labels, outputs))
    numbers = [labels, outputs] if outputs.ndim == 1 else [labels]
    highest = max(int(array.max(initial=-1)) for array in numbers)
    return Judged(labels, outputs, _names((), max(highest + 1, outputs.shape[1] if outputs.ndim == 2 else 0)))


def _names(known: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The names of `count` classes, or of those known if they are more."""
    return (*known, *map(str, range(len(known), count)))


def confusion_matrix(model: Any, data: Any, labels: Any = None) -> np.ndarray:
    """How often each class was taken for each: rows are the true classes, columns the predicted ones.

    Args:
        model: a classifier, judged in evaluation mode; or (N,) true labels, if there are predictions already:
            ``confusion_matrix(labels, predicted)``, as scikit-learn has it.
        data: a `Dataset`, or inputs as `predict` takes them, with `labels`; or what was predicted: (N,) class numbers,
            or (N, C) scores, of which the largest counts.
        labels: (N,) integers: the true classes of such inputs.

    Returns:
        A NumPy array (C, C) of integers. The sum of row i is the number of samples of class i; the diagonal has
        those that are right.

    Raises:
        OptionError: for targets that are no classes, and inputs without labels.
        ShapeError: for arrays that do not fit one another, or the model.
    """
    return _counted(judged("confusion_matrix", model, data, labels))


def _counted(found: Judged) -> np.ndarray:
    count = len(found.classes)
    pairs = found.labels.astype(np.int64) * count + found.predicted
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def top_k_accuracy(model: Any, data: Any, labels: Any = None, *, k: int = 5) -> float:
    """The share of samples whose class is among the `k` with the largest scores.

    Args:
        model: as in `confusion_matrix`.
        data: as there; scores (N, C), not class numbers.
        labels: as there.
        k: from 1, which is accuracy, to C.

    Raises:
        OptionError: as there, and for another `k`.
        ShapeError: as there, and for class numbers instead of scores.
    """
    found = judged("top_k_accuracy", model, data, labels)
    if found.outputs.ndim != 2:
        raise ShapeError(f"top_k_accuracy: expected scores of shape (N, C), got {found.outputs.shape}")
    k = checked_integer(k, "top_k_accuracy: k", 1, found.outputs.shape[1])
    own = np.take_along_axis(found.outputs, found.labels[:, None].astype(np.int64), axis=1)
    return float(((found.outputs > own).sum(axis=1) < k).mean())


class Report(dict[str, Any]):
    """Numbers for each class, ``report["7"]["recall"]``; it prints as a table. See `classification_report`."""

    def _rows(self) -> list[tuple[str, ...]]:
        measured = {name: row for name, row in self.items() if isinstance(row, dict)}
        head = ("", *next(iter(measured.values())))
        return [head, *((name, *(_shown(value) for value in row.values())) for name, row in measured.items())]

    def __repr__(self) -> str:
        return "\n".join([*lines_of(self._rows(), "<>>>>"), f"accuracy {self['accuracy']:.2%}"])

    def _repr_html_(self) -> str:
        return html_of(self._rows(), "<>>>>", f"accuracy {self['accuracy']:.2%}")


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2%}"


def classification_report(model: Any, data: Any, labels: Any = None) -> Report:
    """Precision, recall and F1 of each class; a class's accuracy is its recall.

    precision = right / predicted as it; recall = right / all that are it; F1 = 2 · precision · recall / (precision +
    recall). Where there is nothing to divide by, a number is 0, as in scikit-learn.

    Args:
        model: as in `confusion_matrix`.
        data: as there.
        labels: as there.

    Returns:
        A dictionary that prints as a table. For each class and for "macro avg", the mean over the classes, it holds a
        dictionary of "precision", "recall", "f1-score" and "support", the number of samples; and "accuracy".

    Raises:
        OptionError, ShapeError: as there.
    """
    found = judged("classification_report", model, data, labels)
    matrix = _counted(found)
    right, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = right / np.maximum(predicted, 1), right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(support + predicted, 1)  # the same as of precision and recall
    columns = {"precision": precision, "recall": recall, "f1-score": f1}
    report = Report(
        (name, {**{column: float(values[i]) for column, values in columns.items()}, "support": int(support[i])})
        for i, name in enumerate(found.classes)
    )
    report[AVERAGE] = {column: float(values.mean()) for column, values in columns.items()}
    report[AVERAGE]["support"] = int(support.sum())
    report["accuracy"] = float(right.sum() / max(support.sum(), 1))
    return report
