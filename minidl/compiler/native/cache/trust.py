"""Which folder may hold machine code, and which file in it: whoever can write there decides what this process runs.

Folder and file have to be the user's own, no link, and nobody else's to write to. What is opened is what is looked at,
so that nothing can take its place in between. Where there are no owners to ask for (Windows), all are trusted.
"""

import contextlib
import os
import stat
import warnings
from pathlib import Path

PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_ELSEWHERE = "set XDG_CACHE_HOME to a folder of your own"
_said: list[str] = []  # the warning that this process has given


def folder() -> Path | None:
    """The folder for machine code, whether it is there yet or not; None, and a warning, if there is none to trust.

    It is minidl/ in $XDG_CACHE_HOME or, where that is not set or may not be trusted, in ~/.cache.
    """
    refused: list[str] = []
    for place in places():
        why = objection(place)
        if why is None:
            if refused:
                say(f"{refused[0]}; {place} is used instead")
            return place
        refused.append(f"{place} {why}")
    say(f"{'; '.join(refused) or 'there is no home folder'}; NumPy does the work")
    return None


def places() -> list[Path]:
    """Where the folder may be, the first choice first. A relative $XDG_CACHE_HOME counts as none, by its standard."""
    found = [Path(os.environ.get("XDG_CACHE_HOME", ""))]
    with contextlib.suppress(RuntimeError):  # a user without a home
        found.append(Path.home() / ".cache")
    return list(dict.fromkeys(place / "minidl" for place in found if place.is_absolute()))


def objection(place: Path) -> str | None:
    """Why the folder `place` may hold no code, and how to mend that; None if it may, or is not there but could be."""
    try:
        if not os.path.lexists(place):
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
    """All of a file. Raises `PermissionError`, with why, if it is not to be trusted, `OSError` if it cannot be read."""
    try:
        handle = os.open(file, os.O_RDONLY | PLAIN)
    except OSError as error:
        if file.is_symlink():
            raise PermissionError("is a symbolic link") from error
        raise
    try:
        found = os.fstat(handle)
        why = _foreign(found) or _open_to_others(found) or ("" if stat.S_ISREG(found.st_mode) else "is no file")
        if why:
            raise PermissionError(why)
        with open(handle, "rb", closefd=False) as opened:
            return opened.read()
    finally:
        os.close(handle)


def say(what: str) -> None:
    """Warn of the first that was not trusted, once in a process."""
    if not _said:
        _said.append(what)
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
