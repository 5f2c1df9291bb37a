"""IDX, the file format of MNIST, read without trusting the file.

Source: "THE IDX FILE FORMAT", on Y. LeCun, C. Cortes and C. J. C. Burges's MNIST page
(yann.lecun.com/exdb/mnist). All numbers are big-endian::

    byte 0-1   zero
    byte 2     type:  08 uint8   09 int8   0B int16   0C int32   0D float32   0E float64
    byte 3     rank, the number of dimensions
    byte 4-    the size of each dimension, four bytes each, unsigned
    then       the elements, the last dimension changing fastest
"""

import io
import math
import os
import sys
from collections.abc import Iterator
from itertools import chain

import numpy as np

from ..errors import DataError
from ..system.files import open_regular
from ..system.terminal import printable

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 64  # NumPy 2's own limit
_PIECE = 1 << 18  # bytes read or decompressed at a time
_XZ_MEMORY = 72 << 20  # a little over what `xz -9`, the strongest preset, asks its reader for


def read_idx(path: str | os.PathLike[str], *, sha256: str | None = None) -> np.ndarray:
    """The array in an IDX file: plain, gzip or xz, told apart by content, not by name.

    Any of the format's six types and any rank up to NumPy's 64. The array is the caller's
    own: writable, contiguous, in native byte order. Memory grows with what the file really
    holds, never with what its header claims: it stays below 4 times the file (of a compressed
    one: the part of the claim that is there) plus 2 MiB, and for xz what its dictionary takes,
    72 MiB at most.

    `sha256` is the digest (hexadecimal) that the file, uncompressed, must have.

    Raises `DataError` if the file cannot be opened or read, is malformed, cut short, damaged, goes on
    after the array ends, or has another digest. The message names file, field, offset (in a
    compressed file: that of the decompressed byte), what was expected, and what was found.
    """
    name, full_name = printable(os.fspath(path)), printable(os.path.abspath(path))
    try:
        file = open_regular(path)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character in it
        if isinstance(error, DataError):
            raise
        raise DataError(f"{full_name}: cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    with file:
        try:
            header, array = _parse(name, _pieces(file, name), os.fstat(file.fileno()).st_size)
        except OSError as error:
            raise DataError(f"{full_name}: cannot be read: {error.strerror}") from error
    if sha256 is not None:
        _check_digest(name, header, array, sha256)
    return array if array.dtype.isnative else array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


def _parse(path: str, pieces: Iterator[bytes], size_hint: int) -> tuple[bytes, np.ndarray]:
    """The header's bytes, and the array, still big-endian."""
    head = bytearray()

    def refusal(field: str, offset: int, expected: str, found: str) -> DataError:
        return DataError(f"{path}: {field} at byte {offset}: expected {expected}, found {found}")

    def need(field: str, offset: int, size: int) -> None:
        while len(head) < offset + size and (piece := next(pieces, b"")):
            head.extend(piece)
        if len(head) < offset + size:
            raise refusal(field, offset, f"{size} bytes", f"{len(head) - offset} and the end of the file")

    need("magic number", 0, 4)
    if head[0] or head[1]:
        raise refusal("magic number", 0, "00 00 (or the start of a gzip or xz file)", head[:2].hex(" "))
    if head[2] not in _TYPES:
        raise refusal("type code", 2, f"one of {', '.join(f'{code:02x}' for code in _TYPES)}", f"{head[2]:02x}")
    dtype, rank = np.dtype(_TYPES[head[2]]), head[3]
    if rank > _MOST_DIMENSIONS:
        raise refusal("rank", 3, f"at most {_MOST_DIMENSIONS}, NumPy's limit", f"{rank}")

    start = 4 + 4 * rank
    need("sizes", 4, 4 * rank)
    shape = tuple(int.from_bytes(head[at : at + 4], "big") for at in range(4, start, 4))
    claim = f"{' × '.join(map(str, shape)) or 1} of {dtype.name}"
    # NumPy wants the strides to fit even where a size of 0 leaves nothing to stride over.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > sys.maxsize:
        raise refusal("sizes", 4, f"an array of at most {sys.maxsize} bytes", claim)

    size = math.prod(shape) * dtype.itemsize
    body, more = _gather(chain([bytes(head[start:])], pieces), size, size_hint)
    if more:
        raise refusal("end of file", start + size, f"nothing after {claim}, which the header claims", "more bytes")
    if len(body) < size:
        raise refusal("body", start, f"{size} bytes ({claim})", f"{len(body)} and the end of the file")
    return bytes(head[:start]), body.view(dtype).reshape(shape)


def _gather(pieces: Iterator[bytes], size: int, size_hint: int) -> tuple[np.ndarray, bool]:
    """The first `size` bytes of `pieces`, fewer if they end before, and whether there are more.

    The array begins no larger than the file on disk and doubles as bytes turn up, so what a
    header claims is never allocated before it is there.
    """
    body = np.empty(min(size, max(size_hint, _PIECE)), np.uint8)
    have = 0
    for piece in pieces:
        end = have + len(piece)
        if end > size:
            return body, True
        if end > len(body):
            grown = np.empty(min(size, max(end, 2 * len(body))), np.uint8)
            grown[:have] = body[:have]
            body = grown
        body[have:end] = np.frombuffer(piece, np.uint8)
        have = end
    return body[:have], False


def _pieces(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    """The decompressed bytes of `file`, at most `_PIECE` of them at a time, none of them empty."""
    start = file.peek(6)
    if start.startswith(b"\x1f\x8b"):
        return _gzip_pieces(file, name)
    if start.startswith(b"\xfd7zXZ\0"):
        return _xz_pieces(file, name)
    return iter(lambda: file.read(_PIECE), b"")


def _gzip_pieces(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    import gzip
    import zlib

    try:
        with gzip.GzipFile(fileobj=file) as stream:
            yield from iter(lambda: stream.read(_PIECE), b"")
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(file, name, "gzip", error) from error


def _xz_pieces(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    # lzma.LZMAFile sets no limit to the memory that a file can ask for (up to 4 GiB).
    import lzma

    try:
        rest = file.read(_PIECE)
        while rest:
            decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            while not decoder.eof:
                if decoder.needs_input:
                    rest = rest or file.read(_PIECE)
                    if not rest:
                        raise EOFError("the file ends before the stream does")
                if piece := decoder.decompress(rest, _PIECE):
                    yield piece
                rest = b""
            # An xz file may hold several streams, one after another, with zeros between them.
            rest = decoder.unused_data.lstrip(b"\0")
            while not rest and (block := file.read(_PIECE)):
                rest = block.lstrip(b"\0")
    except (EOFError, lzma.LZMAError) as error:
        raise _damaged(file, name, "xz", error) from error


def _damaged(file: io.BufferedReader, name: str, kind: str, error: Exception) -> DataError:
    return DataError(
        f"{name}: {kind} data at or before byte {file.tell()} of the compressed file: "
        f"expected an undamaged, complete {kind} stream, found: {error}"
    )


def _check_digest(path: str, header: bytes, array: np.ndarray, expected: str) -> None:
    import hashlib

    digest = hashlib.sha256(header)
    digest.update(array.reshape(-1).data)
    if digest.hexdigest() != expected.lower():
        raise DataError(f"{path}: sha256 of the uncompressed file: expected {expected}, found {digest.hexdigest()}")
