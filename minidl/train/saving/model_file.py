"""A model in a file: its arrays under their names, and a description from which it is built again."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from ... import nn
from ...errors import DataError, StateError
from .architecture import built, described
from .archive import read_archive, write_archive


def save(path: str | Path, model: nn.Module, **notes: Any) -> None:
    """Write `model` to `path`, a safetensors file, so that `load` can build it again.

    Its parameters and buffers are stored by name, in their dtypes; its structure (with what it shares: a layer that
    stands at two places), and `notes` (JSON values of yours), as metadata. Functions in a `Sequential` are stored by
    name if they are minidl's own (``minidl.tanh``). The file is written beside `path`, flushed to disk and renamed:
    there is never half a file. Raises `WriteError` if the disk refuses, and leaves what was at `path`; `StateError`,
    before anything is written, for notes that are not JSON's, for a function that is not minidl's, and for what could
    not be built again from its file (an attribute added to a layer of minidl's own, say).
    """
    state, description = model.state_dict(), described(model)
    try:
        with suppress(StateError):  # a class that is not minidl's own: whoever loads it brings one
            built(path, description, state)
    except DataError as error:
        raise StateError(f"{error}: this model could not be loaded again; nothing was written") from error
    write_archive(path, "model", state, {"model": description, "notes": notes})


def load(path: str | Path, model: nn.Module | None = None) -> nn.Module:
    """The model that `save` wrote to `path`, in evaluation mode.

    A `Sequential` of minidl's own layers and functions is built anew, with the file's dtypes; for any other class,
    pass a `model` of that class, whose values are then replaced (and keep its dtypes). Raises `DataError` if the file
    is missing, damaged or not minidl's, and `StateError`, listing every mismatch, if it does not fit `model`, which
    then stays as it was.
    """
    state, content = read_archive(path, "model")
    if model is None:
        return built(path, content.get("model"), state).eval()
    try:
        model.load_state_dict(state)
    except StateError as error:
        raise StateError(f"{path}: {error}") from error
    return model.eval()


def notes(path: str | Path) -> dict[str, Any]:
    """The notes that `save` was given with the model in `path`: JSON values, of any kind that its writer chose.

    Raises `DataError` as `load` does.
    """
    found = read_archive(path, "model")[1].get("notes")
    return found if isinstance(found, dict) else {}
