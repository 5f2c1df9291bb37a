"""Files that are there whole or not at all, whatever happens while they are written."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

from ..errors import WriteError
from .terminal import printable

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def write_durably(path: str | Path, *pieces: Any, mode: int = 0o666) -> None:
    """Write the bytes of `pieces` to a temporary file, flush it to disk, and give it the name `path`.

    Whoever opens `path`, at any moment and after any crash, finds the old file or the new one, whole. The temporary
    name is a random one, so that nobody can lay a link there beforehand; `mode` is what the umask is taken from. Raises
    `WriteError` if the disk refuses; the old file then stays.
    """
    path = Path(path)
    written = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(os.open(written, _NEW, mode), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        # The content first, then the name: otherwise a crash could leave the name with nothing behind it.
        os.replace(written, path)
        sync_folder(path.parent)
    except OSError as error:
        raise WriteError(
            f"{printable(path)}: cannot be written ({error.strerror}): what was there before is kept"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            written.unlink()


def sync_folder(folder: Path) -> None:
    """Flush the names in `folder` to disk, where the system can do so."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
