"""Finding a data set that minidl does not ship, or saying how to get it."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import DataError
from ..system.terminal import printable
from ._mnist import _places


def first_that_holds(
    name: str, path: str | os.PathLike[str] | None, needed: Sequence[str], unpacked: str, remedy: str
) -> Path:
    """The first folder that holds all of `needed`: `path`; or one of `idx_dataset`'s places; or `unpacked` in these.

    Raises `DataError`, which says what each place lacks, and the `remedy`.
    """
    looked = []
    for place in _places(name, path):
        for folder in (place, place / unpacked):
            lacking = [file for file in needed if not (folder / file).exists()]
            if not lacking:
                return folder
            if folder.is_dir():
                looked.append(f"  {printable(folder)}: lacks {', '.join(lacking)}")
            elif folder == place:
                looked.append(f"  {printable(folder)}: no such folder")
    raise DataError(
        f"{name}: not found. Looked in\n"
        + "\n".join(looked)
        + f"\nTo mend it, {remedy}; then put the folder {unpacked} into one of these places, or name it: in the "
        f"argument path, or in the environment variable MINIDL_DATA."
    )
