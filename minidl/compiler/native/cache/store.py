"""Machine code in files: sealed when they are written, and looked at before they are loaded.

A file ends in its seal: the SHA-256 of its name and of all that stands before the seal. What does not fit its seal
(a bit that flipped, a file cut short, another's content) is removed and compiled anew; LLVM never sees it. Beside the
code of that name lies, where it could not be compiled, a log that says why.
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
from .trust import FOLDER, PLAIN, content, folder, objection, say

AGAIN = 24 * 3600  # seconds after which a log is forgotten, and what could not be compiled is tried again
WAIT = 60.0  # seconds that a process waits for another, at most
_MARK = b"\nminidl object 1 "
_SEAL = len(_MARK) + 64

# What minidl writes here, half a file too, and what its earlier versions wrote.
_OURS = re.compile(
    r"\.?(machine|update|rule_[0-9a-f]+)-[0-9a-f]+\.\w+(\.\w+\.tmp)?|rule_[0-9a-f]+\.[\w.-]+|compiling\.lock"
)
_FOLDERS = "rules/__pycache__", "rules", "."


def home() -> Path:
    """The folder, made if it is not there. Raises `WriteError` if there is none to trust, `OSError` if it cannot be."""
    place = folder()
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(0o700, exist_ok=True)
    if place is None or objection(place):  # another may have been there first
        raise WriteError("there is no folder that machine code may be kept in: `minidl info` says why")
    return place


def read(name: str) -> bytes | None:
    """The code in the file `name`, as it was written; None if it is not there, or not fit to be loaded."""
    place = folder()
    if place is None:
        return None
    try:
        data = content(place / name)
    except FileNotFoundError:
        return None
    except OSError as error:
        say(f"{place / name} {error.strerror or error}: it is not loaded, but removed")
        data = b""
    if data[-_SEAL:] == _seal(name, data[:-_SEAL]):
        return data[:-_SEAL]
    with contextlib.suppress(OSError):
        (place / name).unlink()
    return None


def write(name: str, code: bytes) -> None:
    """Keep `code` in the file `name`. Raises `OSError`."""
    write_durably(home() / name, code, _seal(name, code), mode=0o600)


def log(name: str) -> str:
    """What stands in the log `name`, if it is not too old: nothing if all went well."""
    place = folder()
    with contextlib.suppress(OSError):
        if place and (place / name).lstat().st_mtime > time.time() - AGAIN:
            return content(place / name).decode(errors="replace").strip()
    return ""


def new_log(name: str) -> int:
    """A descriptor of an empty log to write to. Raises `OSError`."""
    file = home() / name
    file.unlink(missing_ok=True)
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN, 0o600)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Hold the folder for the block, so that what one process compiles the next need not. Raises `OSError`.

    A minute is the longest that it waits, for the other may have no time to work; that both compile does no harm.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(home(), FOLDER)  # the folder itself: a lock's file could be a link to another's
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
    inner = [place / name for name in _FOLDERS]
    return [
        file
        for one in inner
        if one.is_dir() and not one.is_symlink()
        for file in sorted(one.iterdir())
        if _OURS.fullmatch(file.name)
    ]


def clear(place: Path) -> int:
    """Remove them, and folders in which nothing else is left; returns how many there were. Raises `OSError`."""
    found = files(place)
    for file in found:
        file.unlink()
    for name in _FOLDERS:
        with contextlib.suppress(OSError):
            (place / name).rmdir()
    return len(found)


def _seal(name: str, code: bytes) -> bytes:
    return _MARK + hashlib.sha256(name.encode() + b"\n" + code).hexdigest().encode()
