"""A lock for a folder, so that one process trains there; the system releases it however that process ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import WriteError

try:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

except ImportError:  # Windows
    try:
        import msvcrt

        def _take(handle: int) -> None:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]

    except ImportError:  # a system without file locks

        def _take(handle: int) -> None:
            pass


@contextmanager
def locked(folder: Path, what: str = "checkpoints") -> Iterator[None]:
    """Hold the lock of `folder`, which is made if it is not there, during the block; `what` is to be written there.

    Raises `WriteError` if another process holds it, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise WriteError(
            f"{folder}: {what} cannot be written there ({error.strerror}): choose another folder"
        ) from error
    try:
        try:
            _take(handle)
        except (BlockingIOError, PermissionError) as error:
            # Its number stands behind the first byte, which is the one that Windows locks against reading, too.
            holder = os.pread(handle, 20, 1).decode(errors="replace") if hasattr(os, "pread") else "?"
            raise WriteError(
                f"{folder}: in use by process {holder}, which is training there: wait until it has ended, or stop it"
            ) from error
        except OSError:
            pass  # a file system without locks
        os.ftruncate(handle, 0)
        os.write(handle, f" {os.getpid()}".encode())
        yield
    finally:
        os.close(handle)
