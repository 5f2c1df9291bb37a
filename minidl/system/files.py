"""Opening a file that is to be read, and nothing that only looks like one."""

import io
import os
import stat
from pathlib import Path

from ..errors import DataError
from .terminal import printable

_KINDS = {
    stat.S_IFDIR: "Is a directory", stat.S_IFIFO: "Is a pipe, not a file", stat.S_IFSOCK: "Is a socket, not a file",
    stat.S_IFCHR: "Is a device, not a file", stat.S_IFBLK: "Is a device, not a file",
}  # fmt: skip


def open_regular(path: str | os.PathLike[str]) -> io.BufferedReader:
    """The file at `path`, open for reading. Never waits, as opening a pipe would until someone writes into it.

    Raises `DataError` for a folder, pipe, socket or device, and ``OSError`` or ``ValueError`` as ``open`` does.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "Is no ordinary file")
        raise DataError(f"{printable(path)}: cannot be read: {kind}")
    return open(path, "rb")


def read_text(path: str | Path, most: int) -> str:
    """The UTF-8 text at `path`, of at `most` so many bytes. Raises as `open_regular`, `DataError` if it is longer."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DataError(f"{printable(path)}: longer than the {most:,} bytes that such a file may have")
    return content.decode()
