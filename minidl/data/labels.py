"""What belongs to the samples: classes, by their numbers or names, or floating targets."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import LabelError
from .reading import array_of

_MOST_NAMES = 1 << 16  # a wild label must not have 4 billion class names made up for it


def labels_of(values: Any, name: str, classes: Sequence[Any] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels of a `Dataset` called `name`: (N,) integers and the names of the classes, or (N, K) floats and ().

    Raises `LabelError` for anything that is neither.
    """
    labels = array_of(values, f"{name}: labels")
    if labels.dtype.kind in "SUT" or _mixed(labels):
        return _named(values, name, classes)
    if labels.dtype.kind == "b" and labels.ndim > 1:
        labels = labels.astype(np.float32)  # several yes-or-no labels a sample can be nothing else
    if classes is not None and labels.ndim == 1 and labels.dtype.kind in "bf":
        labels = _whole(labels, name)
    if labels.dtype.kind == "f" and labels.ndim > 0:
        _check_finite(labels, name)
        return labels.reshape(len(labels), math.prod(labels.shape[1:])), ()
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise LabelError(
            f"{name}: labels: expected integers of shape (N,), or floating targets of shape (N, ...), got "
            f"{labels.dtype} of shape {labels.shape}{_remedy(labels)}"
        )
    names = made_up_names(name, labels) if classes is None else tuple(map(str, classes))
    _check_range(name, labels, len(names))
    return labels, names


def made_up(classes: tuple[str, ...]) -> bool:
    """Whether these are the names that classes have if nobody gave them any."""
    return classes == tuple(map(str, range(len(classes))))


def made_up_names(name: str, labels: np.ndarray) -> tuple[str, ...]:
    """Names for the classes that `labels` number."""
    count = int(labels.max(initial=0)) + 1 if len(labels) else 0
    if count > _MOST_NAMES:
        raise LabelError(
            f"{name}: label {count - 1} at index {labels.argmax()}: class names are made up for at most "
            f"{_MOST_NAMES} classes; pass classes= if there really are more"
        )
    return tuple(map(str, range(count)))


def _mixed(labels: np.ndarray) -> bool:
    """Whether there are strings among objects of other kinds, such as None."""
    return labels.dtype == object and any(isinstance(label, str) for label in labels.ravel())


def _named(values: Any, name: str, classes: Sequence[Any] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels that are strings: the number of each one's class, and the classes, sorted if they are not given."""
    labels = np.asarray(values, dtype=object)  # where a missing one is not "nan" yet
    if labels.ndim != 1:
        raise LabelError(f"{name}: labels: expected names of shape (N,), got shape {labels.shape}")
    for place, label in enumerate(labels):
        if not isinstance(label, str | bytes):
            raise LabelError(
                f"{name}: labels: {label!r} at index {place} is no string, as others are: fill in what is missing, or "
                f"leave such samples out"
            )
    found, numbers = np.unique(labels.astype(str), return_inverse=True)
    if classes is None:
        return numbers, tuple(map(str, found))
    known = {str(known): number for number, known in enumerate(classes)}
    unknown = [label for label in found.tolist() if label not in known]
    if unknown:
        place = int(np.flatnonzero(found[numbers] == unknown[0])[0])
        raise LabelError(
            f"{name}: label {unknown[0]!r} at index {place} is none of the classes {', '.join(map(repr, known))}"
        )
    return np.array([known[label] for label in found.tolist()], np.int64)[numbers], tuple(known)


def _whole(labels: np.ndarray, name: str) -> np.ndarray:
    """Booleans or floats (N,) as the numbers of classes."""
    _check_finite(labels, name)
    wrong = np.flatnonzero(labels != np.rint(labels)) if labels.dtype.kind == "f" else np.empty(0)
    if wrong.size:
        raise LabelError(
            f"{name}: label {labels[wrong[0]]} at index {wrong[0]}: with classes= labels are their numbers, 0, 1, ...; "
            f"leave classes out if they are what a regression is to predict"
        )
    return labels.astype(np.int64)


def _check_finite(labels: np.ndarray, name: str) -> None:
    if not np.isfinite(labels).all():
        place = np.argwhere(~np.isfinite(labels))[0]
        raise LabelError(
            f"{name}: labels: {labels[tuple(place)]} at index {place[0]}: fill in what is missing, or leave such "
            f"samples out: keep = np.isfinite(labels)"
        )


def _check_range(name: str, labels: np.ndarray, classes: int) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise LabelError(
            f"{name}: label {labels[wrong[0]]} at index {wrong[0]}: expected 0 to {classes - 1} "
            f"for {classes} classes ({wrong.size} of {len(labels)} labels are outside)"
        )


def _remedy(labels: np.ndarray) -> str:
    """What to do about labels of another kind."""
    if labels.ndim == 2:
        return (
            "; a single column: labels.ravel()"
            if 1 in labels.shape
            else "; if they are one-hot: labels.argmax(axis=1); if several may hold: labels.astype(np.float32)"
        )
    if labels.dtype.kind == "b":
        return (
            '; of two classes: labels.astype(int), or name them: classes=["no", "yes"]; of yes-or-no targets: '
            "labels.astype(np.float32)"
        )
    return ""
