"""Whether machine code may be loaded for steps that Python makes one by one."""

from ....errors import UnsupportedError
from ..cache.background import ready
from ..cache.objects import Source, installed


def available(source: Source, seconds: float) -> bool:
    """Whether a source's machine code can be loaded; `seconds` have been spent without it.

    If it was not compiled yet, that begins in the background when so much was spent that it is
    worth while. Raises `UnsupportedError` without Numba, `OSError` as `ready` does.
    """
    if not installed():
        raise UnsupportedError("machine code needs Numba")
    return ready([source], seconds)
