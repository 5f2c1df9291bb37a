"""Which folder and files may hold machine code: whoever can write there decides what is executed.

Folder and file have to belong to the user, be no link, and be writable by nobody else. The checks
are made on the open file descriptor, so that nothing can be exchanged between check and use. Where
files have no owners (Windows), all are trusted.
"""

import contextlib
import os
import stat
import warnings
from pathlib import Path

PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_ELSEWHERE = "set XDG_CACHE_HOME to a folder of your own"
_warned: list[str] = []  # the warning that this process has given


def folder() -> Path | None:
    """The cache's folder, which need not exist yet; None, and a warning, if there is none to trust.

    It is minidl/ in $XDG_CACHE_HOME or, where that is not set or not trusted, in ~/.cache.
    """
    refused: list[str] = []
    for place in candidates():
        why = objection(place)
        if why is None:
            if refused:
                warn_once(f"{refused[0]}; {place} is used instead")
            return place
        refused.append(f"{place} {why}")
    warn_once(f"{'; '.join(refused) or 'there is no home folder'}; NumPy does the work")
    return None


def candidates() -> list[Path]:
    """Where the folder may be, the first choice first.

    A relative $XDG_CACHE_HOME is ignored, as its standard asks.
    """
    found = [Path(os.environ.get("XDG_CACHE_HOME", ""))]
    with contextlib.suppress(RuntimeError):  # a user without a home
        found.append(Path.home() / ".cache")
    return list(dict.fromkeys(place / "minidl" for place in found if place.is_absolute()))


def objection(place: Path) -> str | None:
    """Why the folder `place` is not trusted, and how to fix that.

    None if it is trusted, or does not exist but can be created.
    """
    try:
        if not os.path.lexists(place):
            # It would be created in the nearest folder there is: the user's, or the system's own.
            nearest = next(parent for parent in place.parents if parent.exists())
            if whose := _foreign(nearest.stat(), 0):
                return f"would lie in {nearest}, which {whose}: {_ELSEWHERE}"
            if not os.access(nearest, os.W_OK):
                return f"cannot be made in {nearest}: {_ELSEWHERE}"
            return None
        if place.is_symlink():
            return "is a symbolic link: remove it"
        if not hasattr(os, "geteuid"):
            return None
        # Whoever can write to the folder around it could put another in its place, unless that is
        # sticky, as /tmp is.
        around = place.parent.stat().st_mode
        if around & stat.S_IWOTH and not around & stat.S_ISVTX:
            return f"lies where everybody can write: chmod o-w {place.parent}"
        handle = os.open(place, FOLDER)
        try:
            found = os.fstat(handle)
        finally:
            os.close(handle)
    except OSError as error:
        return f"cannot be used ({error.strerror}): {_ELSEWHERE}"
    if why := _foreign(found) or _open_to_others(found):
        return f"{why}: remove it, or {_ELSEWHERE}"
    return None


def content(file: Path) -> bytes:
    """The content of a file.

    Raises `PermissionError`, with the reason, if it is not trusted, `OSError` if it cannot be read.
    """
    try:
        handle = os.open(file, os.O_RDONLY | PLAIN)
    except OSError as error:
        if file.is_symlink():
            raise PermissionError("is a symbolic link") from error
        raise
    try:
        found = os.fstat(handle)
        why = _foreign(found) or _open_to_others(found)
        if not why and not stat.S_ISREG(found.st_mode):
            why = "is no file"
        if why:
            raise PermissionError(why)
        with open(handle, "rb", closefd=False) as opened:
            return opened.read()
    finally:
        os.close(handle)


def warn_once(what: str) -> None:
    """Warn of the first folder or file that is not trusted, once in a process."""
    if not _warned:
        _warned.append(what)
        warnings.warn(f"machine code: {what}", stacklevel=2)


def _foreign(found: os.stat_result, *others: int) -> str:
    """Whose it is, if it is neither this user's nor one of the `others`'."""
    if not hasattr(os, "geteuid") or found.st_uid in (os.geteuid(), *others):
        return ""
    return f"belongs to another user (number {found.st_uid})"


def _open_to_others(found: os.stat_result) -> str:
    if not hasattr(os, "geteuid") or not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return ""
    return "can be written to by others"
