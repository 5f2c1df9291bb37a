"""Machine code for steps that Python makes one by one: who may have it, and when it is worth loading.

compiler/ has it; optim/ and kernels/ ask for it here, by name, and do their work with NumPy, to the same bits, as long
as there is none. Loading takes a tenth of a second, so nothing is loaded before as much time has gone into steps; what
has to be compiled first is compiled in the background, and asked for again at growing distances.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

LOADING = 0.1  # seconds that it takes to load machine code: as many are spent on steps without it first
MORE = 0.005  # ... where some has been loaded before
LONGEST = 0.05  # seconds between two steps that count as work; if they are further apart, something else was done, too
AGAIN = 1.25  # by how much more must have been spent when what was not there is asked for again

source: Callable[[], Any] | None = None  # imports the module that offers machine code; set by minidl/__init__.py

_last = 0.0  # when a step was last noted
_spent = 0.0  # seconds that went into steps
_any_found = False  # whether anything has been loaded yet


def note_step() -> None:
    """Note that an update is being made: what lies between two of them was a step."""
    global _last, _spent
    now = time.perf_counter()
    _spent += min(now - _last, LONGEST)
    _last = now


def silent() -> bool:
    """Whether NumPy's floating-point errors have no effect but a warning: machine code knows none of them."""
    return {*np.geterr().values()} <= _WARNING


_WARNING = {"ignore", "warn"}


class Wanted:
    """What the `source` has by some name, such as "update_loop", for these arguments: `found`, once it was loaded."""

    __slots__ = "_args", "_begin", "_due", "_name", "found"

    def __init__(self, name: str, *args: Any) -> None:
        self._name, self._args = name, args
        self._begin, self._due = _spent, MORE if _any_found else LOADING
        self.found: Any = None

    def look(self) -> bool:
        """Ask for it if that is worth while by now; returns whether it has just been found."""
        global _any_found
        spent = _spent - self._begin
        if self.found is not None or spent < self._due or source is None:
            return False
        self._due = AGAIN * spent
        try:
            self.found = getattr(source(), self._name)(*self._args, spent)
        except Exception:  # no Numba, one that does not fit, no folder for a cache: NumPy does all of it, too
            self._due = math.inf
        _any_found = _any_found or self.found is not None
        return self.found is not None
