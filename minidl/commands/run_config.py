"""config.json: the options of a run, written when it begins and read when it resumes."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError, OptionError
from ..system.durable import write_durably
from ..system.files import read_text
from ..system.terminal import printable

CONFIG = "config.json"
RECORDS = ("versions", "output", "engine", "reason")  # what is there beside the options
# Options that the first version's runs lack, with what it did.
LATER: dict[str, Any] = {
    "augment": False,
    "settings": "",
    "clip_norm": None,
    "accumulate": 1,
    "ema": None,
    "weight_decay": None,
    "early_stopping": None,
    "quiet": False,
}
_MOST = 1 << 20  # bytes; minidl writes less than one thousand

# Parses the text of an option of the command line (None: it was not given). Raises `OptionError`.
Reader = Callable[[str | None], Any]


def write_config(folder: Path, options: Mapping[str, Any]) -> None:
    """Write `options`, JSON values by name, to the file in `folder`. Raises `WriteError` if the disk refuses."""
    write_durably(folder / CONFIG, (json.dumps(options, indent=2) + "\n").encode())


def read_config(folder: Path, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The options in the file in `folder`, each as its reader gives it: that of the option on the command line.

    Those that came `LATER` may be missing.
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
    config = LATER | config
    missing = [key for key in readers if key not in config]
    unknown = [key for key in config if key not in readers and key not in RECORDS]
    if missing or unknown:
        faults = [f"it lacks {', '.join(missing)}"] * bool(missing)
        faults += [f"no option is called {', '.join(map(_excerpt, unknown[:9]))}"] * bool(unknown)
        raise DataError(f"{wrong} ({'; '.join(faults)})")
    try:
        return {key: _read(key, read, config[key]) for key, read in readers.items()}
    except OptionError as error:
        raise DataError(f"{wrong} ({printable(error)[:300]})") from error


def _read(key: str, read: Reader, value: Any) -> Any:
    """Parse a JSON `value`, which must be exactly as minidl would have written it. Raises `OptionError`."""
    try:
        option = read(_text(value))
    except OptionError as error:
        raise OptionError(f"{key}: {error}") from error
    as_json = list(option) if isinstance(option, tuple) else option
    if as_json != value or isinstance(as_json, bool) != isinstance(value, bool):
        raise OptionError(f"{key}: {_excerpt(value)}: expected {_excerpt(as_json)}")
    return option


def _text(value: Any) -> str | None:
    """A JSON value as it is written on the command line."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(_excerpt, value)) or "none"
    return _excerpt(value)


def _excerpt(value: Any) -> str:
    """A JSON value as JSON text, shortened to 60 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "what is nested too deeply"
    return printable(text if len(text) <= 60 else f"{text[:57]}...")
