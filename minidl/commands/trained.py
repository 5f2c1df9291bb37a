"""The commands ``minidl evaluate`` and ``minidl predict``."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .. import data, nn
from ..autograd import recording
from ..data.by_name import find_dataset
from ..errors import DataError, MinidlError, NonFiniteError, ShapeError
from ..ops import softmax
from ..system.terminal import printable, tell
from ..train.loop import evaluate
from ..train.saving.model_file import load, notes
from .confusion import show_confusion
from .train import MODEL, measured

_DIGITS = tuple("0123456789")


def find_model(path: Path | None) -> Path:
    """The model file meant by `path`: the file, the one in that folder, or the newest in runs/. Raises `DataError`."""
    if path is None:
        found = sorted(Path("runs").glob(f"*/{MODEL}"), key=lambda file: file.stat().st_mtime)
        if not found:
            raise DataError("no trained model in runs/: run `minidl train` first, or pass --model")
        return found[-1]
    return path / MODEL if path.is_dir() else path


def evaluate_run(dataset: str, path: Path | None, confusion: bool = False) -> None:
    """Execute ``minidl evaluate``, with or without ``--confusion``.

    Raises `NonFiniteError` for a model that holds numbers that are not finite.
    """
    file = find_model(path)
    model = load(file)
    _, test = find_dataset(dataset)
    outputs = _outputs(model, np.zeros((1, test.inputs.shape[1]), np.float32), file)
    if outputs.shape[1] != len(test.classes):
        raise ShapeError(
            f"{printable(file)}: has {outputs.shape[1]} outputs, and {test.name} has {len(test.classes)} classes: "
            f"it was trained on another data set (--dataset)"
        )
    result = evaluate(model, test)
    if not math.isfinite(result["loss"]):
        raise _not_finite(file, model, f"its loss on {test.name} is {result['loss']}")
    tell(f"{printable(file)}:\n  {measured(result)}  ({test.name}, {len(test):,} images)")
    if confusion:
        show_confusion(model, test, file.parent)


def predict_images(images: Iterable[Path], path: Path | None) -> bool:
    """Execute ``minidl predict``: one line per picture, with the three likeliest classes.

    A picture that cannot be read is reported, and skipped; returns whether all could be read. Raises `DataError`
    if the classes in the model's notes are not the names of its outputs, `NonFiniteError` as `evaluate_run` does.
    """
    file = find_model(path)
    model = load(file)
    classes = _classes(file, model, notes(file).get("classes"))
    all_read = True
    for image in images:
        try:
            x = data.read_digit(image).astype(np.float32)[None] / 255
        except (MinidlError, OSError) as error:
            tell(f"Error: {error}", error=True)
            all_read = False
            continue
        p = softmax(_outputs(model, x, file))[0]
        best = np.argsort(-p, kind="stable")[:3]
        likeliest = ", ".join(f"{classes[i]} {p[i]:.1%}" for i in best)
        tell(f"{printable(image)}: {classes[best[0]]}  ({likeliest})")
    return all_read


def _outputs(model: nn.Module, x: np.ndarray, file: Path) -> np.ndarray:
    """The output of `model` for one sample: (1, C), finite. Raises `ShapeError` and `NonFiniteError`."""
    with recording(False), np.errstate(all="ignore"):  # the error below says more than NumPy would
        y = model(x)
    outputs = np.asarray(y.numpy() if hasattr(y, "numpy") else y)
    if outputs.ndim != 2 or not outputs.shape[1]:
        raise ShapeError(f"{printable(file)}: gives {outputs.shape} for one sample: expected one row of outputs")
    if not np.isfinite(outputs).all():
        raise _not_finite(file, model, "what it gives is not finite")
    return outputs


def _classes(file: Path, model: nn.Module, names: Any) -> tuple[str, ...]:
    """The name of each output of a model of digits: those in its file, else 0 to 9. Raises `DataError`."""
    count = _outputs(model, np.zeros((1, data.image.SIDE**2), np.float32), file).shape[1]
    if names is None and count != len(_DIGITS):
        raise DataError(
            f"{printable(file)}: has {count} outputs and tells no classes: digits have {len(_DIGITS)}; save it with "
            f"their names: minidl.save(path, model, classes=[...])"
        )
    if names is None:
        return _DIGITS
    if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str) for name in names):
        raise DataError(f"{printable(file)}: its notes are to tell {count} classes, one name for each output")
    return tuple(map(printable, names))


def _not_finite(file: Path, model: nn.Module, what: str) -> NonFiniteError:
    """The error to raise where numbers of a model in a file turn out not to be finite."""
    wrong = [name for name, array in model.state_dict().items() if not np.isfinite(array).all()]
    why = f"{', '.join(wrong[:3])} {'holds' if len(wrong) == 1 else 'hold'} infinite numbers or NaN" if wrong else (
        "its weights are finite, but too large"
    )  # fmt: skip
    return NonFiniteError(f"{printable(file)}: {what}: {why}; train it anew")
