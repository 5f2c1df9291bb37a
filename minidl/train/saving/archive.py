"""minidl's one file format: safetensors for the arrays, JSON in its metadata for the rest, and a checksum over all.

A file is written under a temporary name, flushed to disk and renamed: there is never half a file. Before anything in a
file is used, its checksum is verified and its header is checked against the file's size.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import DataError, StateError
from ...system.durable import write_durably
from ...system.files import open_regular
from ...system.terminal import printable

VERSION = 1
BLANK = b"0" * 64  # in place of the digest while that is computed
MOST = 100_000_000  # bytes of a header: safetensors' own limit
TIMES, SMALL = 2.6, 1 << 16  # the memory that a file's JSON may take: TIMES the file's size, and SMALL bytes more

# How a file begins behind the header's length; the digest is of the file with BLANK in the digest's place.
_START = re.compile(rb'\{"__metadata__":\{"minidl":"\{\\"sha256\\": \\"([0-9a-f]{64})')
_BEGIN = len(r'{"__metadata__":{"minidl":"{\"sha256\": \"') + 64
# a whole string, and whether it is a key; possessive, so that it never backtracks
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"(:?)')
_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8", "BOOL": "?"} | {
    f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)
}


def write_archive(path: str | Path, kind: str, arrays: Mapping[str, np.ndarray], content: Mapping[str, Any]) -> None:
    """Write `arrays`, by name, and `content`, JSON values, to `path` as a file of this `kind` ("model", say).

    The same arguments give the same bytes. Raises `WriteError` if the disk refuses, and then leaves what was at
    `path` as it was; `StateError` for a value that is none of JSON's, or a dtype that safetensors does not know.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save

    from ... import __version__

    # all in one key: safetensors writes several keys in no fixed order
    header = {
        "sha256": BLANK.decode(),
        "format": f"minidl-{kind}",
        "version": VERSION,
        "minidl": __version__,
        **content,
    }
    try:
        metadata = {"minidl": json.dumps(header, default=_scalar)}
        data = save({name: np.asarray(array, order="C") for name, array in arrays.items()}, metadata)
    except (TypeError, ValueError, SafetensorError) as error:
        raise StateError(f"{printable(path)}: this {kind} cannot be stored: {error}") from error
    # The digest is written in the place of the blanks that it was computed with.
    at = data.index(BLANK)
    whole = memoryview(_padded(data))
    write_durably(path, whole[:at], hashlib.sha256(whole).hexdigest().encode(), whole[at + len(BLANK) :])


def read_archive(path: str | Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the content that `write_archive` wrote to `path`.

    Raises `DataError`, naming the file, for one that is missing, cut short, altered, not minidl's, of another kind
    or of a later version. Takes no more memory than four times the file's size (and some 100 KB), whatever is in it.
    """
    file_path, path = path, printable(path)
    try:
        with open_regular(file_path) as file:
            # Nothing is parsed before the digest is right: what a damaged file holds is of no interest.
            length, size = _checked_length(path, kind, file)
            _check_digest(path, file)
            file.seek(8)
            content, table = _parsed(file.read(length).decode().rstrip(" "), size)
            _check_kind(path, kind, content)
            return _arrays(file, table, size - 8 - length), content
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise DataError(f"{path}: not a file as minidl writes it ({reason})") from error


def _padded(data: bytes) -> bytes:
    """A file's `data`, its header padded with spaces until the file is so large that `_strict` accepts its JSON."""
    end = 8 + int.from_bytes(data[:8], "little")
    lacking = math.ceil((_memory_needed(data[8:end].decode()) - SMALL) / TIMES) + 1 - len(data)
    if lacking <= 0:
        return data
    header = data[8:end] + b" " * (8 * -(-lacking // 8))  # arrays begin at a multiple of 8
    return len(header).to_bytes(8, "little") + header + data[end:]


def _memory_needed(text: str) -> int:
    """At most so many bytes of memory do the values in a JSON `text` take, beside their own characters."""
    return 130 * text.count("{") + 100 * text.count("[") + 50 * text.count(",")


def _checked_length(path: str | Path, kind: str, file: BinaryIO) -> tuple[int, int]:
    """The header's length and the file's, if the file begins like one of minidl's."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(8 + _BEGIN)
    length = int.from_bytes(start[:8], "little")
    if len(start) < 8 or length > min(size - 8, MOST):
        raise DataError(f"{path}: not a readable safetensors file, or cut short: it ends within its header")
    if _START.match(start, 8) is None:
        raise DataError(f"{path}: not a minidl {kind}: its header does not begin like those that minidl writes")
    return length, size


def _check_digest(path: str | Path, file: BinaryIO) -> None:
    file.seek(0)
    start = file.read(8 + _BEGIN)
    found = _START.match(start, 8)
    digest = hashlib.sha256(start[:-64] + BLANK)
    while piece := file.read(1 << 16):
        digest.update(piece)
    if found is None or digest.hexdigest().encode() != found[1]:
        raise DataError(f"{path}: damaged or cut short: its content does not have the checksum it was written with")


def _parsed(header: str, size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content, and the table of arrays, in the `header` of a file of `size` bytes. Raises ``ValueError``."""
    table = _strict(header, size, separators=(",", ":"), ensure_ascii=False)
    del header
    return _strict(table.pop("__metadata__")["minidl"], size), table


def _strict(text: str, size: int, **style: Any) -> Any:
    """The values in the JSON `text`; ``ValueError`` if they would take far more memory than the file has bytes.

    Written again in the same `style` they must give the same text: so no key occurs twice, and nothing is hidden.
    """
    if _memory_needed(text) > TIMES * size + SMALL:
        raise ValueError("more brackets and commas than a file of this size has use for")
    # Each distinct key becomes an object of its own, which counting brackets and commas does not show.
    names: set[str] = set()
    for found in _STRING.finditer(text):
        if found[1]:
            names.add(found[0])
        if len(names) > 4096 + size // 1024:
            raise ValueError("more names than a file of this size has use for")
    del names
    value = json.loads(text)
    # Compared piece by piece: no second text of this size is made.
    at = 0
    for piece in json.JSONEncoder(**style).iterencode(value):
        if not text.startswith(piece, at):
            break
        at += len(piece)
    if at != len(text) or not isinstance(value, dict):
        raise ValueError("a key is there twice, or its JSON is not in minidl's form")
    return value


def _arrays(file: BinaryIO, table: dict[str, Any], size: int) -> dict[str, np.ndarray]:
    """Read the arrays from the `size` bytes that follow in `file`, which they must fill without a gap."""
    entries = sorted(table.items(), key=lambda item: tuple(item[1]["data_offsets"]))
    end = 0
    for name, entry in entries:
        shape, (start, stop) = entry["shape"], entry["data_offsets"]
        if any(type(n) is not int or n < 0 for n in (*shape, start, stop)):
            raise ValueError(f"{name}: shape {shape} at {start} to {stop}: not natural numbers")
        if start != end or stop - start != math.prod(shape) * np.dtype(_DTYPES[entry["dtype"]]).itemsize:
            raise ValueError(f"{name}: {entry['dtype']}{shape} does not lie at {start} to {stop}, behind {end}")
        end = stop
    if end != size:
        raise ValueError(f"its arrays take {end} bytes, and there are {size}")
    # Only now is memory allocated: no more than the file has bytes.
    arrays = {}
    for name, entry in entries:
        count = math.prod(entry["shape"])
        arrays[name] = np.fromfile(file, _DTYPES[entry["dtype"]], count).reshape(entry["shape"])
    return {name: arrays[name] for name in table}


def _check_kind(path: str | Path, kind: str, content: dict[str, Any]) -> None:
    found, version = content.get("format"), content.get("version")
    if type(version) is not int or version > VERSION:
        raise DataError(
            f"{path}: written by minidl {content.get('minidl')} in version {version} of the format, and this one knows "
            f"up to version {VERSION}: update minidl"
        )
    if found != f"minidl-{kind}":
        raise DataError(f"{path}: not a minidl {kind}: it says that it is a {found!r}")


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} is none of JSON's values")
