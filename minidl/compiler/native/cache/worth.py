"""When steps that were made by NumPy go on as machine code, in loops whose length nobody knows."""

from collections.abc import Callable, Sequence
from typing import Any

from ....errors import UnsupportedError
from ....machine_code import LOADING
from . import background, objects
from .objects import Source


class Worth:
    """Counts the time that steps take by NumPy, and makes machine code once that is worth while."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._open = objects.installed()  # whether it is undecided

    def after(
        self, seconds: float, sources: Callable[[], Sequence[Source]], make: Callable[[], Any]
    ) -> Any:
        """What `make` makes, after a step that took so long; None if that is not worth while (yet).

        `sources`: the machine code that it needs. It is compiled in the background once steps have
        taken as long as that pays: as long as it took until now, it may well go on.
        """
        self._spent += seconds
        if not self._open or (self._spent < LOADING and not objects.loaded()):
            return None
        try:
            if not background.ready(sources(), self._spent):
                return None
            self._open = False
            return make()
        except (UnsupportedError, ImportError, OSError, RuntimeError):  # no cache, Numba fails
            self._open = False
            return None
