"""config.json: the options of a run, written down as it begins, and read again to go on with it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError, OptionError
from ..system.durable import write_durably
from ..system.files import read_text
from ..system.terminal import printable

CONFIG = "config.json"
RECORDS = ("versions", "output", "engine", "reason")  # what is told there beside the options
_MOST = 1 << 20  # bytes; minidl writes less than one thousand

# What an option makes of its text on the command line; of None, if it was not given. Raises `OptionError`.
Reader = Callable[[str | None], Any]


def write_config(folder: Path, options: Mapping[str, Any]) -> None:
    """Write `options`, JSON values by name, to the file in `folder`. Raises `WriteError` if the disk refuses."""
    write_durably(folder / CONFIG, (json.dumps(options, indent=2) + "\n").encode())


def read_config(folder: Path, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The options in the file in `folder`, each as its reader gives it: that of the option on the command line.

    Raises `DataError`, naming the key and what it may be, for a value that the option would not take or that is
    written in another way, and for a key that is missing or that no option has; and if there is no such file.
    """
    wrong = f"{printable(folder)}: its {CONFIG} is not as `minidl train` wrote it"
    try:
        config = json.loads(read_text(folder / CONFIG, _MOST))
    except FileNotFoundError as error:
        begin = "to begin one there, name the folder as --output instead"
        raise DataError(f"--resume {printable(folder)}: no run is kept there: it has no {CONFIG}; {begin}") from error
    except OSError as error:
        raise DataError(f"{printable(folder / CONFIG)}: cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise DataError(f"{wrong} (nested too deeply)") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{wrong} (no JSON: {printable(error)[:200]})") from error
    if not isinstance(config, dict):
        raise DataError(f"{wrong} (expected options by name)")
    missing = [key for key in readers if key not in config]
    unknown = [key for key in config if key not in readers and key not in RECORDS]
    if missing or unknown:
        said = [f"it lacks {', '.join(missing)}"] * bool(missing)
        said += [f"no option is called {', '.join(map(_shown, unknown[:9]))}"] * bool(unknown)
        raise DataError(f"{wrong} ({'; '.join(said)})")
    try:
        return {key: _read(key, read, config[key]) for key, read in readers.items()}
    except OptionError as error:
        raise DataError(f"{wrong} ({printable(error)[:300]})") from error


def _read(key: str, read: Reader, value: Any) -> Any:
    """What the option makes of a JSON `value`, if it is how minidl would have written that. Raises `OptionError`."""
    try:
        option = read(_text(value))
    except OptionError as error:
        raise OptionError(f"{key}: {error}") from error
    written = list(option) if isinstance(option, tuple) else option
    if written != value or isinstance(written, bool) != isinstance(value, bool):
        raise OptionError(f"{key}: {_shown(value)}: expected {_shown(written)}")
    return option


def _text(value: Any) -> str | None:
    """How a JSON value is spelled on the command line."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(_shown, value)) or "none"
    return _shown(value)


def _shown(value: Any) -> str:
    """A JSON value as JSON has it, or the beginning of it."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "what is nested too deeply"
    return printable(text if len(text) <= 60 else f"{text[:57]}...")
