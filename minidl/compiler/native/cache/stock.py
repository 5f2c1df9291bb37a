"""The stock of machine code as a whole, for ``minidl info``: what is there of it, all of it made now, or none."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from .... import nn, optim
from ....errors import MissingExtraError, WriteError
from ..executor import needed
from .background import compiling, failure
from .objects import MACHINE, Source, installed, there
from .store import clear, files, home
from .trust import objection, places


def sources() -> dict[str, Source]:
    """What is compiled for minidl's own optimizers, by name: the machine, and each rule's loop with its defaults."""
    own = [kind for kind in optim.Optimizer.__subclasses__() if kind.__module__ == optim.__name__]
    loops = {kind.__name__: needed(kind([nn.Parameter([0.0])]), [True])[1] for kind in own}
    return {"machine": MACHINE} | loops


def state() -> list[str]:
    """Where machine code is kept and how much, whether all of it is there, and what could not be compiled."""
    refused = [(place, objection(place)) for place in places()]
    lines = [f"{place} is not used: it {why}" for place, why in refused if why]
    place = next((place for place, why in refused if why is None), None)
    if place is None:
        return [*lines, "no folder is left: NumPy does the work"]
    lines.append(f"{place}, which is yours alone to write to")
    lines.append(f"{_amount(files(place))}, {_completeness()}")
    logs = {file.stat().st_mtime: file for file in files(place) if file.suffix == ".log" and file.stat().st_size}
    if logs:
        last = logs[max(logs)]
        lines.append(f"failed last: {_last_line(last.read_text(errors='replace'))} (in full: {last})")
    return lines


def clear_all() -> str:
    """Remove what minidl has compiled, from the folder in use; says what and where. Raises `OSError`."""
    place = home()
    amount = _amount(files(place))
    clear(place)
    return f"{place}: removed {amount}"


def build_all() -> Iterator[str]:
    """Compile what is missing; a line for each, with the time that it took.

    Raises `MissingExtraError` without Numba, `WriteError` if there is no folder to trust, or if something failed.
    """
    if not installed():
        raise MissingExtraError("Numba, which compiles, is not installed: pip install 'minidl[fast]'")
    home()
    names = {source: name for name, source in sources().items()}
    for source in filter(there, names):
        yield f"{names[source]:16} was there"
    for source, seconds in compiling(list(names)):
        yield f"{names[source]:16} {seconds:4.1f} s" if there(source) else f"{names[source]:16} failed"
    for source in names:
        if not there(source):
            raise WriteError(f"{names[source]} could not be compiled: {_last_line(failure(source))}; see `minidl info`")


def _completeness() -> str:
    """Whether all that this version needs is there."""
    if not installed():
        return "none is used without Numba: pip install 'minidl[fast]'"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a folder that is not trusted: the lines say it
        missing = [name for name, source in sources().items() if not there(source)]
    return f"for this version not compiled yet: {', '.join(missing)}" if missing else "complete for this version"


def _amount(found: list[Path]) -> str:
    return f"{len(found)} files of minidl's, {sum(file.stat().st_size for file in found) / 1024:,.0f} KB"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["its process was ended"])[-1]
