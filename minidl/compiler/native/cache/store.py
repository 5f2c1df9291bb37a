"""The cache's files: sealed with a checksum when they are written, verified before they are loaded.

A file ends in its seal: the SHA-256 of its name and of its content before the seal. A file that
does not match its seal (a flipped bit, a truncated file, another file's content) is removed and
compiled anew; LLVM never sees it. Where code could not be compiled, a log of that name says why.
"""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from ....errors import WriteError
from ....system.durable import write_durably
from .trust import FOLDER, PLAIN, content, folder, objection, warn_once

AGAIN = 24 * 3600  # seconds after which what could not be compiled is tried again
WAIT = 60.0  # seconds, at most, that a process waits for another one's lock
_MARK = b"\nminidl object 1 "
_SEAL = len(_MARK) + 64

# What minidl writes here, temporary files included, and what its earlier versions wrote.
_OURS = re.compile(
    r"\.?(machine|update|rule_[0-9a-f]+)-[0-9a-f]+\.\w+(\.\w+\.tmp)?"
    r"|rule_[0-9a-f]+\.[\w.-]+|compiling\.lock"
)
_FOLDERS = "rules/__pycache__", "rules", "."


def home() -> Path:
    """The cache's folder, created if need be.

    Raises `WriteError` if there is none to trust, `OSError` if it cannot be created.
    """
    place = folder()
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(0o700, exist_ok=True)
    if place is None or objection(place):  # again: somebody else may have created it first
        raise WriteError(
            "there is no folder that machine code may be kept in: `minidl info` says why"
        )
    return place


def read(name: str) -> bytes | None:
    """The code in the file `name`; None if it does not exist, is not trusted, or is damaged."""
    place = folder()
    if place is None:
        return None
    try:
        data = content(place / name)
    except FileNotFoundError:
        return None
    except OSError as error:
        warn_once(f"{place / name} {error.strerror or error}: it is not loaded, but removed")
        data = b""
    if data[-_SEAL:] == _seal(name, data[:-_SEAL]):
        return data[:-_SEAL]
    with contextlib.suppress(OSError):
        (place / name).unlink()
    return None


def write(name: str, code: bytes) -> None:
    """Write `code` and its seal to the file `name`. Raises `OSError`."""
    write_durably(home() / name, code, _seal(name, code), mode=0o600)


def log(name: str) -> str:
    """The text of the log `name` if it is not too old; empty if there is none."""
    place = folder()
    with contextlib.suppress(OSError):
        if place and (place / name).lstat().st_mtime > time.time() - AGAIN:
            return content(place / name).decode(errors="replace").strip()
    return ""


def new_log(name: str) -> int:
    """A file descriptor of a new, empty log to write to. Raises `OSError`."""
    file = home() / name
    file.unlink(missing_ok=True)
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN, 0o600)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Lock the folder for the block, so that one process compiles at a time. Raises `OSError`.

    After a minute it goes on without the lock: the other process may get no time to work, and that
    both compile does no harm.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(home(), FOLDER)  # the folder itself: a lock file could be a link
    try:
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.1)
                continue
            except OSError:  # a file system without locks
                pass
            break
        yield
    finally:
        os.close(handle)


def files(place: Path) -> list[Path]:
    """The files in the folder `place` that minidl has made."""
    found: list[Path] = []
    for inner in (place / name for name in _FOLDERS):
        if inner.is_dir() and not inner.is_symlink():
            found += [file for file in sorted(inner.iterdir()) if _OURS.fullmatch(file.name)]
    return found


def clear(place: Path) -> int:
    """Remove minidl's files and emptied folders; returns how many. Raises `OSError`."""
    found = files(place)
    for file in found:
        file.unlink()
    for name in _FOLDERS:
        with contextlib.suppress(OSError):
            (place / name).rmdir()
    return len(found)


def _seal(name: str, code: bytes) -> bytes:
    return _MARK + hashlib.sha256(name.encode() + b"\n" + code).hexdigest().encode()
