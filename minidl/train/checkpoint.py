"""A model in a file: safetensors for the arrays, JSON for what they mean. No pickle."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..errors import DataError, StateError

FORMAT = "minidl-model-1"


def save(path: str | Path, model: nn.Module, **notes: Any) -> None:
    """Write `model` to `path`, a safetensors file, so that `load` can build it again.

    Its parameters and buffers are stored by name; its structure, and `notes` (JSON values of yours), as
    metadata. The file is written beside `path`, flushed to disk and renamed: there is never half a file.
    """
    from safetensors.numpy import save as serialize

    path = Path(path)
    # one key, for several would come out in an order of the writer's own: the same model gives the same bytes
    metadata = {"minidl": json.dumps({"format": FORMAT, "model": _described(model), "notes": notes})}
    state = {name: np.ascontiguousarray(array) for name, array in model.state_dict().items()}
    written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(written, "wb") as file:
            file.write(serialize(state, metadata))
            file.flush()
            os.fsync(file.fileno())
        os.replace(written, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            written.unlink()


def load(path: str | Path, model: nn.Module | None = None) -> nn.Module:
    """The model that `save` wrote to `path`, in evaluation mode.

    A `Sequential` of minidl's own layers is built anew; for any other class, pass a `model` of that class,
    whose values are then replaced. Raises `DataError` if the file is missing, damaged or not minidl's, and
    `StateError`, listing every mismatch, if it does not fit `model`.
    """
    state, metadata = _read(path)
    built = model if model is not None else _built(metadata["model"], path)
    built.load_state_dict(state)
    return built.eval()


def notes(path: str | Path) -> dict[str, Any]:
    """The notes that `save` was given with the model in `path`. Raises `DataError` as `load` does."""
    return _read(path)[1]["notes"]


def _read(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            metadata = json.loads((file.metadata() or {}).get("minidl", "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable safetensors file ({error})") from error
    if metadata.get("format") != FORMAT:
        raise DataError(
            f"{path}: not a minidl model: its metadata says format {metadata.get('format')!r}, not {FORMAT!r}"
        )
    return state, metadata


def _described(model: nn.Module) -> dict[str, Any]:
    return {"layer": type(model).__name__, **model.config()}


def _built(described: dict[str, Any], path: str | Path) -> nn.Module:
    """The module that `_described` describes."""
    options = dict(described)
    name = options.pop("layer")
    kind = getattr(nn, str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise StateError(
            f"{path}: holds a {name}, which is not one of minidl's layers: pass load(path, model) one of that class"
        )
    if kind is nn.Sequential:
        return nn.Sequential(*[_built(layer, path) for layer in options["layers"]])
    return kind(**options)
