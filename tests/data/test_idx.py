"""What a user relies on from `read_idx`: every sound file is read exactly, every other one is refused."""

import gzip
import hashlib
import lzma
import math
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minidl.data import read_idx
from minidl.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
PACKERS = {
    "plain": bytes,
    "gz": lambda raw: gzip.compress(raw, 1, mtime=0),
    "xz": lambda raw: lzma.compress(raw, preset=0),
}
MANY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def header(code, *sizes):
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def idx_bytes(array):
    code = CODES[array.dtype.str[1:]]
    return header(code, *array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def file_of(tmp_path):
    """Write bytes to a file and give its path."""

    def write(raw, name="some.idx"):
        path = tmp_path / name
        path.write_bytes(raw)
        return path

    return write


SMALL = idx_bytes(np.arange(6, dtype="i2").reshape(2, 3))

# --- sound files


@pytest.mark.parametrize("packing", PACKERS)
@MANY
@given(
    array=st.sampled_from(list(CODES)).flatmap(
        lambda code: hnp.arrays(code, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
    )
)
def test_any_array_of_the_six_types_comes_back_as_it_was_written(packing, file_of, array):
    read = read_idx(file_of(PACKERS[packing](idx_bytes(array))))
    np.testing.assert_array_equal(read, array, strict=True)
    assert read.dtype.isnative
    assert read.flags.writeable
    assert read.flags.c_contiguous
    assert read.flags.aligned


def test_bytes_in_the_file_are_big_endian(file_of):
    assert read_idx(file_of(b"\0\0\x0b\x01\0\0\0\x02" + b"\x01\x02\xff\xfe")).tolist() == [0x0102, -2]


def test_up_to_64_dimensions_are_read_and_more_are_refused(file_of):
    assert read_idx(file_of(header(0x08, *[1] * 64) + b"\x07")).shape == (1,) * 64
    with pytest.raises(DataError, match=r"rank at byte 3: expected at most 64, NumPy's limit, found 65"):
        read_idx(file_of(header(0x08, *[1] * 65) + b"\x07"))


def test_a_file_larger_than_one_read_comes_back_whole(file_of):
    array = (np.arange(3_003_000) // 1000).astype("u1").reshape(3, 1000, 1001)
    for pack in PACKERS.values():
        np.testing.assert_array_equal(read_idx(file_of(pack(idx_bytes(array)))), array, strict=True)


def test_the_content_tells_the_compression_not_the_name(file_of):
    for pack in PACKERS.values():
        for name in ("a.gz", "a.xz", "a"):
            assert read_idx(file_of(pack(SMALL), name)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_files_joined_from_several_compressed_streams_are_read(file_of):
    for kind in ("gz", "xz"):
        first, second = PACKERS[kind](SMALL[:9]), PACKERS[kind](SMALL[9:])
        assert read_idx(file_of(first + second)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read_idx(file_of(first + b"\0" * 8 + second + b"\0" * 4)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_digest_of_the_uncompressed_file_can_be_asked_for(file_of):
    right = hashlib.sha256(SMALL).hexdigest()
    for pack in PACKERS.values():
        assert read_idx(file_of(pack(SMALL)), sha256=right.upper()).shape == (2, 3)
        with pytest.raises(DataError, match=rf"some\.idx: sha256 .*expected {'0' * 64}, found {right}"):
            read_idx(file_of(pack(SMALL)), sha256="0" * 64)


# --- files to refuse, with a message that says what, where and why


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "magic number at byte 0: expected 4 bytes, found 0 and the end of the file"),
        (b"\0\0\x08", "magic number at byte 0: expected 4 bytes, found 3"),
        (b"<html>403", r"magic number at byte 0: expected 00 00 .* found 3c 68"),
        (b"\0\x01" + SMALL[2:], "magic number at byte 0: expected 00 00 .* found 00 01"),
        (b"\0\0\x0a\x01\0\0\0\x01\0", "type code at byte 2: expected one of 08, 09, 0b, 0c, 0d, 0e, found 0a"),
        (b"\0\0\x08\xff" + b"\0\0\0\x01" * 255 + b"\0", "rank at byte 3: expected at most 64, .* found 255"),
        (SMALL[:9], "sizes at byte 4: expected 8 bytes, found 5 and the end of the file"),
        (SMALL[:-1], r"body at byte 12: expected 12 bytes \(2 × 3 of int16\), found 11 and the end of the file"),
        (SMALL + b"\0", "end of file at byte 24: expected nothing after 2 × 3 of int16, .* found more bytes"),
        (header(0x0E, 0xFFFFFFFF, 0xFFFFFFFF, 0) + b"\0", "sizes at byte 4: expected an array of at most"),
    ],
)
def test_a_malformed_file_is_refused_with_field_offset_expected_and_found(file_of, raw, message):
    for pack in PACKERS.values():
        if raw or pack is bytes:
            with pytest.raises(DataError, match=rf"some\.idx: {message}"):
                read_idx(file_of(pack(raw)))


def test_a_missing_file_is_named_with_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"{tmp_path}/nowhere\.idx: cannot be opened: No such file"):
        read_idx("nowhere.idx")


def test_a_folder_is_not_an_idx_file(tmp_path):
    with pytest.raises(DataError, match="Is a directory"):
        read_idx(tmp_path)


@pytest.mark.parametrize("packing", PACKERS)
def test_every_truncation_of_a_file_is_refused(packing, file_of):
    whole = PACKERS[packing](SMALL)
    for length in range(len(whole)):
        with pytest.raises(DataError, match=r"some\.idx: .*expected .*found"):
            read_idx(file_of(whole[:length]))


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_a_damaged_stream_says_so_and_where(kind, file_of):
    packed = bytearray(PACKERS[kind](idx_bytes(np.arange(1000, dtype="i4"))))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(DataError, match=r"some\.idx: (gzip|xz) data at or before byte \d+ of the compressed file"):
        read_idx(file_of(packed))


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_anything_but_zeros_after_the_compressed_stream_is_refused(kind, file_of):
    with pytest.raises(DataError, match=r"gzip|xz"):
        read_idx(file_of(PACKERS[kind](SMALL) + b"more"))


@pytest.mark.parametrize("packing", PACKERS)
@MANY
@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes_give_what_the_header_says_or_a_clear_refusal(packing, file_of, flips):
    raw = bytearray(PACKERS[packing](SMALL))
    for at, mask in flips:
        raw[at % len(raw)] ^= mask
    try:
        array = read_idx(file_of(raw))
    except DataError:
        return
    if packing == "plain":
        assert idx_bytes(array) == raw
    else:  # both formats carry a checksum
        np.testing.assert_array_equal(array, np.arange(6, dtype="i2").reshape(2, 3), strict=True)


@MANY
@given(raw=st.binary(max_size=40).map(lambda tail: b"\0\0" + tail))
def test_arbitrary_bytes_give_an_array_or_a_clear_refusal(file_of, raw):
    try:
        array = read_idx(file_of(raw))
    except DataError:
        return
    assert idx_bytes(array) == raw


# --- hostile files: little memory, little time


def peak_memory_of_refusing(path, message):
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            read_idx(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize(
    "sizes", [(0xFFFFFFFF,), (60000, 28, 28), (2**31, 2**31), (0xFFFFFFFF, 0xFFFFFFFF), (2**16,) * 60]
)
def test_a_header_that_claims_the_moon_costs_next_to_nothing(packing, sizes, file_of):
    path = file_of(PACKERS[packing](header(0x08, *sizes) + bytes(8)))
    claim = "body at byte" if math.prod(sizes) <= sys.maxsize else "sizes at byte"
    assert peak_memory_of_refusing(path, claim) < 4 << 20


@pytest.mark.parametrize("packing", ["gz", "xz"])
def test_a_decompression_bomb_is_refused_before_it_expands(packing, file_of):
    path = file_of(PACKERS[packing](header(0x08, 10) + bytes(64 << 20)))
    assert peak_memory_of_refusing(path, "end of file at byte 18: expected nothing after 10 of uint8") < 4 << 20


def test_an_xz_file_cannot_ask_for_gigabytes_of_dictionary(file_of):
    raw = bytearray(lzma.compress(SMALL, preset=0))
    assert raw[12:16] == b"\x02\x00\x21\x01"  # a block header of 12 bytes; one filter, LZMA2, with one property byte
    raw[16] = 40  # a dictionary of 4 GiB - 1
    raw[20:24] = struct.pack("<I", zlib.crc32(raw[12:20]))
    assert peak_memory_of_refusing(file_of(raw), "Memory usage limit") < 4 << 20


# --- in any Python


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60
    )


@pytest.mark.slow
def test_files_are_refused_under_python_O_too(file_of):
    code = "import sys\nfrom minidl.data import read_idx\nread_idx(sys.argv[1])"
    for raw in (SMALL[:-1], SMALL + b"\0", b"\0\0\x0a" + SMALL[3:], b"\x01" + SMALL[1:]):
        assert "errors.DataError" in python("-O", "-c", code, str(file_of(raw))).stderr


def test_importing_the_package_loads_no_decompressor():
    done = python("-c", "import sys, minidl.data; print(sorted({'lzma', 'gzip', 'bz2'} & set(sys.modules)))")
    assert done.stdout == "[]\n", done
