"""A model in a file: its arrays under their names, and a description from which it is built again."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from ... import nn
from ...errors import DataError, StateError
from .architecture import built, described
from .archive import read_archive, write_archive


def save(path: str | Path, model: nn.Module, **notes: Any) -> None:
    """Write `model` to a safetensors file from which `load` can build it again.

    Parameters and buffers are stored by name, in their dtypes; the structure (also a layer that is used twice) as
    metadata. Functions in a `Sequential` are stored by name if they are minidl's own (``minidl.tanh``). The file is
    written beside `path`, flushed to disk and renamed: there is never half a file.

    Args:
        path: of the file, which is replaced if it is there.
        model: in any mode; it is not changed.
        notes: JSON values of yours, stored with it.

    Raises:
        WriteError: the disk refuses; a file that was at `path` is still there.
        StateError: before anything is written, for notes that are no JSON values, for a function that is not minidl's,
            and for a model that could not be built again (an attribute added to a layer of minidl's own, say).
    """
    state, description = model.state_dict(), described(model)
    try:
        with suppress(StateError):  # a class that is not minidl's own: whoever loads it brings one
            built(path, description, state)
    except DataError as error:
        raise StateError(f"{error}: this model could not be loaded again; nothing was written") from error
    write_archive(path, "model", state, {"model": description, "notes": notes})


def load(path: str | Path, model: nn.Module | None = None) -> nn.Module:
    """Read a model from a file that `save` wrote.

    Args:
        path: of the file.
        model: None for a `Sequential` of minidl's own layers and functions, which is built anew, with the file's
            dtypes. For any other class, a model of that class, whose values are replaced; they keep its dtypes.

    Returns:
        The model, in evaluation mode.

    Raises:
        DataError: the file is missing, damaged or not minidl's.
        StateError: it does not fit `model`, which stays as it was; every mismatch is listed.
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
    """The notes that `save` stored with the model in `path`: JSON values, of whatever types its writer chose.

    Raises `DataError` as `load` does.
    """
    found = read_archive(path, "model")[1].get("notes")
    return found if isinstance(found, dict) else {}
