"""What a worker does: it carries out trials, one after another, and says how each has ended."""

import ctypes
import faulthandler
import functools
import json
import math
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..backend import seed as start_seed
from ..errors import NonFiniteError, OptionError
from ..hardware.thread_limit import threads
from ..hardware.threads import use_blas_threads
from .notes import Note
from .table import Outcome, Trial

# Set for workers before they load NumPy: each is to have one thread, since there is one for each core.
ENVIRONMENT = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MINIDL_THREADS"), "1")
_GRACE = 5.0  # seconds that a trial whose time is up has to notice that
_PDEATHSIG = 1  # of prctl


class TimeUp(BaseException):
    """Raised within a trial that takes too long; no ``Exception``, which it might catch."""


def end_with(driver: int) -> None:
    """Let this process end when the process `driver`, which started it, does; and Ctrl-C be the driver's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != driver:  # it has ended in the meantime
            os._exit(1)


def carry_out(function: bytes, trials: Sequence[Trial], folder: str, timeout: float | None) -> list[Outcome] | str:
    """Carry out `trials` with the pickled `function`; `folder` is the study's, `timeout` is in seconds.

    Returns how they have ended, or why the function cannot be loaded here.
    """
    try:
        train = _loaded(function)
    except Exception as error:
        return _line(error)
    note = _note(folder, threading.get_ident())
    with _alone, threads(1), use_blas_threads(1):
        return [_outcome(train, trial, note, timeout) for trial in trials]


_alone = threading.Lock()  # random streams belong to the process: of its threads one trains at a time


@functools.lru_cache(64)
def _note(folder: str, thread: int) -> Note:
    """The note of this worker, which may be a thread among others, in this study."""
    return Note(folder)


@functools.cache
def _loaded(function: bytes) -> Callable[[dict[str, Any], int], Any]:
    """The function, loaded once: what it keeps, such as its data, it keeps from trial to trial."""
    return pickle.loads(function)


def _outcome(train: Callable[[dict[str, Any], int], Any], trial: Trial, note: Note, timeout: float | None) -> Outcome:
    """How one trial ends. Nothing that it raises ends the worker."""
    start = time.perf_counter()
    state, result, error = "done", None, None
    note.write(trial.id)
    try:
        with _limited(timeout, note):
            start_seed(trial.seed)
            with np.errstate(all="ignore"):  # some settings are meant to be far too large
                state, result = _read(train(json.loads(trial.config), trial.seed))
    except TimeUp:
        state, error = "timeout", f"took longer than {timeout:g} s"
    except NonFiniteError as found:
        state, error = "diverged", _line(found)
    except Exception as found:
        state, error = "failed", _line(found)
    finally:
        note.write(None)
    return Outcome(trial.id, state, result, error, time.perf_counter() - start, socket.gethostname())


def _line(error: Exception) -> str:
    """The last line of its traceback, and where it was raised."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" ({os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno})"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{where}"


def _read(result: Any) -> tuple[str, str]:
    """The state and the JSON of what a train function has returned; a number that is not finite becomes null."""
    if not isinstance(result, Mapping):
        raise OptionError(f"the train function is to return a dict of numbers, got {type(result).__name__}")
    plain = {str(name): _plain(name, value) for name, value in result.items()}
    return "diverged" if None in plain.values() else "done", json.dumps(plain)


def _plain(name: Any, value: Any) -> Any:
    """A number, or a list of them, as JSON has it."""
    if isinstance(value, str | bool):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.ndim > 1:
        raise OptionError(
            f"the train function returned {name}={value!r:.60}: expected a number, text or a list of numbers"
        )
    if array.ndim:
        return [_plain(name, each) for each in array.tolist()]
    number = array.item()
    return number if math.isfinite(number) else None


@contextmanager
def _limited(timeout: float | None, note: Note) -> Iterator[None]:
    """End the block by `TimeUp` after so many seconds; if that does not help, the worker itself a little later."""
    if timeout is None:
        yield
        return
    if note.file is not None:  # by a thread of C's, which needs no help of Python's
        faulthandler.dump_traceback_later(timeout + _GRACE, exit=True, file=note.file)
    main = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if main:
        before = signal.signal(signal.SIGALRM, _on_alarm)
        signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        if main:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _on_alarm(number: int, frame: Any) -> None:
    raise TimeUp
