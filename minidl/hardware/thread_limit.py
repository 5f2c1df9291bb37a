"""How many threads minidl's calls may use: said by the user, in Python or in the environment."""

import os
from typing import ClassVar

from ..checks import checked_integer
from ..contexts import Switch


class threads(Switch[int | None]):
    """Say how many threads minidl's calls may use: ``minidl.threads(1)``, or ``with minidl.threads(1):``.

    Called, it sets the number from here on, for the whole process, all its threads; used in a ``with``, it sets it
    back at the end of the block, and as a decorator it holds for the function's body. It is the number for each call:
    two of your threads that train at the same time may use `n` each. The results are the same bits, unless there are
    more than two cores and products are large.

    ``fit(threads=)`` comes first, for that training. Where neither was given, the environment variable
    ``MINIDL_THREADS`` tells the number to start with; without it, ``OPENBLAS_NUM_THREADS`` does. Both are read once,
    when minidl and NumPy are imported. Without any, it is two, or as many as there are cores where products are large.

    Args:
        n: at least 1.

    Raises:
        OptionError: if `n` is anything else. A bad value in the environment is one as minidl is imported.
    """

    now: ClassVar[int | None] = None

    def __init__(self, n: int) -> None:
        self.n = checked_integer(n, "threads: n", 1)
        super().__init__(self.n)


def limit() -> int | None:
    """The number that `threads` or the environment variable has set; None if neither has."""
    return threads.now


def _from_environment(name: str) -> int | None:
    """The number of threads that an environment variable tells; None if it is not set, or empty."""
    text = os.environ.get(name, "").strip()
    return checked_integer(int(text) if text.isdecimal() else text, name, 1) if text else None


_from_environment("OPENBLAS_NUM_THREADS")  # OpenBLAS reads it itself, and passes over what it cannot read
threads.now = _from_environment("MINIDL_THREADS")
