"""Finding a data set that minidl does not ship, or saying how to get it."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import DataError
from ..system.terminal import printable


def candidates(name: str, path: str | os.PathLike[str] | None) -> list[Path]:
    """The folders in which a data set called `name` may be: `path` alone, if that is given."""
    if path is not None:
        return [Path(path)]
    folders = []
    if chosen := os.environ.get("MINIDL_DATA"):
        folder = Path(chosen).expanduser()
        folders += [folder / name, folder]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return [*folders, Path(cache, "minidl", name)]


def find_folder(
    name: str, path: str | os.PathLike[str] | None, needed: Sequence[str], unpacked: str, remedy: str
) -> Path:
    """The first folder that holds all of `needed`: `path`; or one of `candidates`; or `unpacked` in these.

    Raises `DataError`, which says what each lacks, and the `remedy`.
    """
    looked = []
    for candidate in candidates(name, path):
        for folder in (candidate, candidate / unpacked):
            lacking = [file for file in needed if not (folder / file).exists()]
            if not lacking:
                return folder
            if folder.is_dir():
                looked.append(f"  {printable(folder)}: lacks {', '.join(lacking)}")
            elif folder == candidate:
                looked.append(f"  {printable(folder)}: no such folder")
    raise DataError(
        f"{name}: not found. Looked in\n"
        + "\n".join(looked)
        + f"\nTo fix it, {remedy}; then put the folder {unpacked} into one of these folders, or name it: in the "
        f"argument path, or in the environment variable MINIDL_DATA."
    )
