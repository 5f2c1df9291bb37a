"""Damaged and hostile IDX files by the thousand: ``python tests/support/fuzz_idx.py --count 100000``.

Each case is a sound small file (real digits, and all types and ranks of the format; plain, gzip, xz), changed in
one to three ways. `read_idx` must return exactly the bytes that are there, or raise `DataError`. And always:

- memory: at most 4 times what it may hold, plus `ROOM` for the pieces in hand (in an xz file, for its dictionary
  too). It may hold a plain file's size; of a compressed file, what its header declares, if that much is there.
- it opens the file for reading, and does nothing else that Python reports to an audit hook: no other file, no
  import, no process, no socket, no code.

A case is a function of its number, which every finding names: ``--start NUMBER --count 1`` runs it again.
"""

import argparse
import functools
import gzip
import lzma
import math
import os
import random
import struct
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

import minidl.data
from minidl.data import read_idx
from minidl.errors import DataError

ROOM = 2 << 20  # bytes
DICTIONARY = 72 << 20  # bytes: what `xz -9` makes its reader set aside, however small the file
BOMB = 4 << 20  # bytes
COPIES = 5
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
SIZES = [0, 1, 2, 27, 29, 255, 256, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
DIGITS = Path(minidl.data.__file__).parent / "files/mnist/t10k-images-idx3-ubyte.gz"

Edit = Callable[[random.Random, bytearray], bytearray]


def header(code: int, *sizes: int) -> bytes:
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def idx_bytes(array: np.ndarray) -> bytes:
    code = CODES[array.dtype.str[1:]]
    return header(code, *array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda raw: gzip.compress(raw, 6, mtime=0),
    "xz": lambda raw: lzma.compress(raw, preset=0),
}
UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.decompress,
    "xz": lambda file: lzma.decompress(file.rstrip(b"\0")),  # the format allows zeros at the end
}


@functools.cache
def sound_files() -> list[bytes]:
    """Uncompressed: real digits, and small arrays of every type and of ranks 0 to 6."""
    rng = np.random.default_rng(0)
    files = [idx_bytes(read_idx(DIGITS)[:count]) for count in (1, 3)]
    for rank, code in enumerate([*CODES, "u1"]):
        shape = rng.integers(1, 5, rank)
        files.append(idx_bytes(rng.integers(0, 100, shape).astype(code)))
    return [*files, idx_bytes(np.zeros((0, 28, 28), "u1"))]


@functools.cache
def bombs() -> list[tuple[bytes, int]]:
    """Compressed files that hold `BOMB` bytes of zeros, and how many their headers declare."""
    claims = [(10,), (1000, 28, 28), (BOMB - 1,), (BOMB,), (BOMB + 1,), (2**32 - 1,), (2**31, 2**31), (0, 5)]
    return [
        (pack(header(0x08, *claim) + bytes(BOMB)), math.prod(claim))
        for claim in claims
        for pack in (PACKERS["gzip"], PACKERS["xz"])
    ]


# What is done to a file, before it is packed or after


def flip_bits(rng: random.Random, file: bytearray) -> bytearray:
    for _ in range(rng.randint(1, 8)):
        if file:
            file[
                min(int(rng.expovariate(1 / 20)), len(file) - 1) if rng.random() < 0.6 else rng.randrange(len(file))
            ] ^= 1 << rng.randrange(8)
    return file


def truncate(rng: random.Random, file: bytearray) -> bytearray:
    return file[: rng.randrange(len(file) + 1)]


def append(rng: random.Random, file: bytearray) -> bytearray:
    count = rng.choice([1, 2, 4, 100, 1000])
    return file + (bytes(count) if rng.random() < 0.5 else rng.randbytes(count))


def repeat(rng: random.Random, file: bytearray) -> bytearray:
    return file * rng.randint(2, COPIES)


def cut_out(rng: random.Random, file: bytearray) -> bytearray:
    start = rng.randrange(len(file) + 1)
    return file[:start] + file[start + rng.randint(1, 20) :]


def copy_within(rng: random.Random, file: bytearray) -> bytearray:
    start, at = rng.randrange(len(file) + 1), rng.randrange(len(file) + 1)
    return file[:at] + file[start : start + rng.randint(1, 50)] + file[at:]


def overwrite(rng: random.Random, file: bytearray) -> bytearray:
    at, piece = rng.randrange(len(file) + 1), rng.randbytes(rng.randint(1, 16))
    file[at : at + len(piece)] = piece
    return file


def resize(rng: random.Random, file: bytearray) -> bytearray:
    """Another size, or several, in the header."""
    for _ in range(rng.randint(1, 3)):
        at = 4 + 4 * rng.randrange(max(1, file[3] if len(file) > 3 else 1))
        file[at : at + 4] = struct.pack(">I", rng.choice(SIZES))
    return file


def retype(rng: random.Random, file: bytearray) -> bytearray:
    file[2:3] = bytes([rng.choice([*CODES.values(), rng.randrange(256)])])
    return file


def rerank(rng: random.Random, file: bytearray) -> bytearray:
    """Another rank, with or without the sizes for it."""
    rank = rng.choice([0, 1, 2, 3, 4, 63, 64, 65, 255])
    sizes = b"".join(struct.pack(">I", rng.choice(SIZES[:3])) for _ in range(rank)) if rng.random() < 0.7 else b""
    return bytearray(file[:3] + bytes([rank]) + sizes + file[4:])


def pack_again(rng: random.Random, file: bytearray) -> bytearray:
    return bytearray(PACKERS[rng.choice(["gzip", "xz"])](bytes(file)))


def gzip_flags(rng: random.Random, file: bytearray) -> bytearray:
    """A gzip header that announces a name, a comment, extra fields, a checksum, that may not be there."""
    file[3:4] = bytes([rng.randrange(256)])
    return file


BEFORE: list[Edit] = [flip_bits, truncate, append, cut_out, copy_within, overwrite, resize, resize, retype, rerank]
AFTER: list[Edit] = [flip_bits, truncate, append, repeat, cut_out, copy_within, overwrite, gzip_flags, pack_again]


def case(number: int) -> tuple[bytes, int]:
    """The file of that number, and how many bytes of it a reader may hold."""
    rng = random.Random(number)
    if rng.random() < 0.02:
        bomb, claim = rng.choice(bombs())
        edit = rng.choice(AFTER) if rng.random() < 0.3 else None
        there = (COPIES if edit is repeat else 1) * BOMB
        return bytes(edit(rng, bytearray(bomb)) if edit else bomb), min(claim, there)
    raw = bytearray(rng.choice(sound_files()))
    for _ in range(rng.randint(0, 2)):
        raw = rng.choice(BEFORE)(rng, raw)
    held = len(raw)
    file = bytearray(PACKERS[rng.choice(list(PACKERS))](bytes(raw)))
    for _ in range(rng.randint(0, 2)):
        file = rng.choice(AFTER)(rng, file)
    return bytes(file), max(held, len(file))


# What is watched


class Watch:
    """Notes every event that an audit hook sees while `on`, but the opening of `path` for reading."""

    def __init__(self, path: str) -> None:
        self.path, self.on, self.seen = path, False, []
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple) -> None:
        if self.on and not (event == "open" and args[0] == self.path and args[2] == os.O_RDONLY | os.O_CLOEXEC):
            self.seen.append((event, args))


def kind_of(file: bytes) -> str:
    return "gzip" if file.startswith(b"\x1f\x8b") else "xz" if file.startswith(b"\xfd7zXZ\0") else "plain"


def run(count: int, start: int = 0) -> Counter:
    """Read the cases from number `start` on; returns how many ended how. Raises AssertionError for a finding."""
    outcomes: Counter = Counter()
    sound_files(), bombs()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/case.idx"
        watch = Watch(path)
        tracemalloc.start()
        try:
            for number in range(start, start + count):
                file, held = case(number)
                Path(path).write_bytes(file)
                kind = kind_of(file)
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                array, refusal = None, ""
                watch.on = True
                try:
                    array = read_idx(path)
                except DataError as error:
                    refusal = str(error)
                except Exception as error:
                    raise AssertionError(f"case {number} ({kind}): {type(error).__name__}: {error}") from error
                finally:
                    watch.on = False
                peak = tracemalloc.get_traced_memory()[1] - before
                limit = 4 * held + ROOM + (DICTIONARY if kind == "xz" else 0)
                assert peak <= limit, f"case {number} ({kind}): {peak} bytes of memory for {len(file)} (limit {limit})"
                assert not watch.seen, f"case {number} ({kind}): {watch.seen}"
                assert list(Path(folder).iterdir()) == [Path(path)], f"case {number}: another file in the folder"
                assert Path(path).stat().st_size == len(file), f"case {number}: the file was written to"
                if array is None:
                    assert refusal.startswith(path), f"case {number}: {refusal}"
                    assert "expected" in refusal, f"case {number}: {refusal}"
                    outcomes[f"{kind}: {refusal.removeprefix(path + ': ').partition(' at ')[0]}"] += 1
                else:
                    assert idx_bytes(array) == UNPACKERS[kind](file), f"case {number} ({kind}): not what is in the file"
                    outcomes[f"{kind}: read"] += 1
        finally:
            tracemalloc.stop()
    return outcomes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--start", type=int, default=0)
    options = parser.parse_args()
    began = time.perf_counter()
    found = run(options.count, options.start)
    for outcome, times in sorted(found.items()):
        print(f"{times:8,}  {outcome}")
    print(f"{options.count:,} files in {time.perf_counter() - began:.0f} s: nothing but arrays and DataErrors")
