"""A model in a file: its arrays under their names, and a description from which it is built again."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..errors import DataError, OptionError, StateError
from .archive import read_archive, write_archive


def save(path: str | Path, model: nn.Module, **notes: Any) -> None:
    """Write `model` to `path`, a safetensors file, so that `load` can build it again.

    Its parameters and buffers are stored by name; its structure, and `notes` (JSON values of yours), as
    metadata. The file is written beside `path`, flushed to disk and renamed: there is never half a file.
    Raises `WriteError` if the disk refuses, and leaves what was at `path`; `StateError` for notes that are not JSON's.
    """
    write_archive(path, "model", model.state_dict(), {"model": described(model), "notes": notes})


def load(path: str | Path, model: nn.Module | None = None) -> nn.Module:
    """The model that `save` wrote to `path`, in evaluation mode.

    A `Sequential` of minidl's own layers is built anew; for any other class, pass a `model` of that class,
    whose values are then replaced. Raises `DataError` if the file is missing, damaged or not minidl's, and
    `StateError`, listing every mismatch, if it does not fit `model`, which then stays as it was.
    """
    state, content = read_archive(path, "model")
    built = model if model is not None else _built(path, content.get("model"), state)
    try:
        built.load_state_dict(state)
    except StateError as error:
        raise StateError(f"{path}: {error}") from error
    return built.eval()


def notes(path: str | Path) -> dict[str, Any]:
    """The notes that `save` was given with the model in `path`. Raises `DataError` as `load` does."""
    found = read_archive(path, "model")[1].get("notes")
    return found if isinstance(found, dict) else {}


def described(model: nn.Module) -> dict[str, Any]:
    """The class and the arguments of `model`, and of the layers in it, as JSON values."""
    return {"layer": type(model).__name__, **model.config()}


def _built(path: str | Path, description: Any, state: Mapping[str, np.ndarray]) -> nn.Module:
    """The module that `described` describes. Raises before it allocates more than the file's arrays hold."""
    try:
        sizes = sum(math.prod(n for n in layer.values() if type(n) is int) for layer in _layers(description))
        if sizes > sum(array.size for array in state.values()):
            raise DataError(f"{path}: its description is of a model larger than the arrays in it")
        return _made(path, description)
    except (TypeError, KeyError, AttributeError, RecursionError, OptionError) as error:
        raise DataError(f"{path}: its description of the model is not one that minidl writes ({error})") from error


def _layers(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The innermost layers' descriptions."""
    inner = description.get("layers")
    if inner is None:
        yield {name: value for name, value in description.items() if not isinstance(value, bool)}
        return
    for layer in inner:
        yield from _layers(layer)


def _made(path: str | Path, description: dict[str, Any]) -> nn.Module:
    options = dict(description)
    name = options.pop("layer")
    kind = getattr(nn, str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise StateError(
            f"{path}: holds a {name}, which is not one of minidl's layers: pass load(path, model) one of that class"
        )
    if kind is nn.Sequential:
        return nn.Sequential(*[_made(path, layer) for layer in options["layers"]])
    if kind is nn.Dense:  # its values come from the file: no random number is drawn for them
        return nn.Dense(**{**options, "weight_init": "zeros"})
    return kind(**options)
