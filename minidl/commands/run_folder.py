"""The folder of a run, which no other run can write to from the moment it is made."""

import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..system.terminal import printable
from ..train.saving.lock import locked
from .run_config import CONFIG, write_config

CHECKPOINTS = "checkpoints"
_UNFINISHED = f".{CONFIG}.*.tmp"  # left by a process that was killed while it wrote the options


def begin(output: Path | None, dataset: str, options: Mapping[str, Any]) -> Path:
    """Make the folder `output` for a new run, or one in runs/, and write the run's `options` there; returns it.

    Raises `OptionError` if it cannot be made or is not empty; what a run left that was killed early is ignored.
    Of two processes that ask for the same folder one gets it, and the other an `OptionError` or a `WriteError`.
    """
    try:
        folder = _fresh(dataset) if output is None else output
        folder.mkdir(parents=True, exist_ok=True)
        _check_empty(folder)
    except FileExistsError as error:
        raise _occupied(Path(error.filename)) from error
    except OSError as error:
        where = printable(error.filename or output)
        raise OptionError(
            f"--output {where}: cannot make this folder ({error.strerror}); choose another with --output"
        ) from error
    with locked(folder / CHECKPOINTS):
        _check_empty(folder)  # another process may have come first
        for left in folder.glob(_UNFINISHED):
            left.unlink()
        write_config(folder, options)
    return folder


def _fresh(dataset: str) -> Path:
    """A folder in runs/ that was not there before, named after the data set and the time."""
    name = f"{Path(dataset).name}-{time.strftime('%Y%m%d-%H%M%S')}"
    Path("runs").mkdir(exist_ok=True)
    for count in itertools.count(1):
        folder = Path("runs", name if count == 1 else f"{name}+{count}")
        if not folder.exists():
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    raise AssertionError


def _check_empty(folder: Path) -> None:
    """Raise `OptionError` if anything but the traces of a run that never began is in `folder`."""
    traces = {*folder.glob(_UNFINISHED), folder / CHECKPOINTS, folder / CHECKPOINTS / ".lock"}
    for place in (folder, folder / CHECKPOINTS):
        if place.is_dir() and not traces.issuperset(place.iterdir()):
            raise _occupied(folder)


def _occupied(folder: Path) -> OptionError:
    return OptionError(f"--output {printable(folder)}: exists already and is not an empty folder; choose another")
