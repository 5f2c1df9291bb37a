"""The whole cache, for ``minidl info``: its state, compiling what is missing, clearing it."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from .... import nn, optim
from ....errors import MissingExtraError, WriteError
from ..executor import needed
from .background import compiling, failure
from .objects import MACHINE, Source, cached, installed
from .store import clear, files, home
from .trust import candidates, objection


def sources() -> dict[str, Source]:
    """What is compiled for minidl's own optimizers, by name: interpreter, and each rule's loop."""
    loops = {}
    for kind in optim.Optimizer.__subclasses__():
        if kind.__module__ == optim.__name__:
            _, loops[kind.__name__] = needed(kind([nn.Parameter([0.0])]))
    return {"machine": MACHINE} | loops


def state() -> list[str]:
    """Where the cache is, how large, whether it is complete, and what could not be compiled."""
    objections = [(place, objection(place)) for place in candidates()]
    lines = [f"{place} is not used: it {why}" for place, why in objections if why]
    place = next((place for place, why in objections if why is None), None)
    if place is None:
        return [*lines, "no folder is left: NumPy does the work"]
    lines.append(f"{place}, which is yours alone to write to")
    lines.append(f"{_amount(files(place))}, {_completeness()}")
    logs = [file for file in files(place) if file.suffix == ".log" and file.stat().st_size]
    if logs:
        last = max(logs, key=lambda file: file.stat().st_mtime)
        reason = _last_line(last.read_text(errors="replace"))
        lines.append(f"failed last: {reason} (in full: {last})")
    return lines


def clear_all() -> str:
    """Remove what minidl has cached in the folder in use; says what and where. Raises `OSError`."""
    place = home()
    amount = _amount(files(place))
    clear(place)
    return f"{place}: removed {amount}"


def build_all() -> Iterator[str]:
    """Compile what is missing; yields a line for each source, with the time that it took.

    Raises `MissingExtraError` without Numba, `WriteError` if there is no folder to trust, or if
    something could not be compiled.
    """
    if not installed():
        raise MissingExtraError(
            "Numba, which compiles, is not installed: pip install 'minidl[fast]'"
        )
    home()
    names = {source: name for name, source in sources().items()}
    for source in filter(cached, names):
        yield f"{names[source]:16} was there"
    for source, seconds in compiling(list(names)):
        result = f"{seconds:4.1f} s" if cached(source) else "failed"
        yield f"{names[source]:16} {result}"
    for source, name in names.items():
        if not cached(source):
            reason = _last_line(failure(source))
            raise WriteError(f"{name} could not be compiled: {reason}; see `minidl info`")


def _completeness() -> str:
    """Whether all that this version needs is there."""
    if not installed():
        return "none is used without Numba: pip install 'minidl[fast]'"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a folder that is not trusted has a line of its own
        missing = [name for name, source in sources().items() if not cached(source)]
    if missing:
        return f"for this version not compiled yet: {', '.join(missing)}"
    return "complete for this version"


def _amount(found: list[Path]) -> str:
    size = sum(file.stat().st_size for file in found) / 1024
    return f"{len(found)} files of minidl's, {size:,.0f} KB"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["its process was ended"])[-1]
