"""Pictures of digits, as cameras, scanners and programs write them: each read as the plain 8-bit picture is."""

import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from minidl.data import mnist, picture, read_digit
from minidl.errors import DataError, MissingExtraError

_, TEST = mnist()
DIGITS = [np.pad(pixels.reshape(28, 28), 6) for pixels in TEST.inputs[:100]]
WIDE = np.uint16(257)  # 255 becomes 65535


def with_opacity(mode):
    """A picture of `mode` whose opacity is the ink, on a ground of the other colour."""

    def made(a):
        ink = a if a[0, 0] == 0 else 255 - a
        colour = np.full_like(ink, 255 if a[0, 0] == 0 else 0)
        bands = [colour, ink] if mode == "LA" else [colour, colour, colour, ink]
        return Image.merge(mode, [Image.fromarray(band) for band in bands])

    return made


def palette(a):
    """The shades in a random order, so that a palette's numbers say nothing."""
    order = np.random.default_rng(0).permutation(256).astype(np.uint8)
    made = Image.fromarray(order[a])
    colours = np.empty((256, 3), np.uint8)
    colours[order] = np.arange(256, dtype=np.uint8)[:, None]
    made.putpalette(colours.tobytes())
    return made


def with_clear_ground(a):
    made = palette(a)
    made.info["transparency"] = made.getpixel((0, 0))
    return made


def converted(mode):
    return lambda a: Image.fromarray(a).convert("RGB").convert(mode)


def lab(a):
    flat = Image.new("L", a.shape[::-1], 128)
    return Image.merge("LAB", [Image.fromarray(a), flat, flat])


PICTURES = {  # how a picture is made of 8 bits, and as what it is stored
    "L.png": Image.fromarray,
    "L.bmp": Image.fromarray,
    "L.gif": Image.fromarray,
    "L.pgm": Image.fromarray,
    "L.tif": Image.fromarray,
    "RGB.png": converted("RGB"),
    "RGB.webp": (converted("RGB"), {"lossless": True}),
    "RGB.jpg": (converted("RGB"), {"quality": 100}),
    "L.jp2": Image.fromarray,
    "LA.png": with_opacity("LA"),
    "RGBA.png": with_opacity("RGBA"),
    "RGBA.tif": with_opacity("RGBA"),
    "P.png": palette,
    "P.gif": palette,
    "P with a clear colour.png": with_clear_ground,
    "P with a clear colour.gif": with_clear_ground,
    "L with a clear shade.png": (Image.fromarray, "ground"),
    "CMYK.tif": converted("CMYK"),
    "CMYK.jpg": (converted("CMYK"), {"quality": 100}),
    "LAB.tif": lab,
    "16 bits.png": lambda a: Image.fromarray(a * WIDE),
    "16 bits.tif": lambda a: Image.fromarray(a * WIDE),
    "16 bits, big-endian.tif": lambda a: Image.frombytes("I;16B", a.shape[::-1], (a * WIDE).astype(">u2").tobytes()),
    "16 bits with a clear shade.png": (lambda a: Image.fromarray(a * WIDE), "ground"),
    "12 bits of 16.tif": lambda a: Image.fromarray(a * np.uint16(16)),
    "8 bits of 16.png": lambda a: Image.fromarray(a.astype(np.uint16)),
    "32 bits.tif": lambda a: Image.fromarray(a.astype(np.int32) * (2**31 // 256)),
    "32 bits with signs.tif": lambda a: Image.fromarray((a.astype(np.int32) - 128) * 2**16),
    "floats to 1.tif": lambda a: Image.fromarray(a.astype(np.float32) / 255),
    "floats around 0.tif": lambda a: Image.fromarray(a.astype(np.float32) / 127.5 - 1),
    "floats to 255.tif": lambda a: Image.fromarray(a.astype(np.float32)),
    "floats to 65535.tif": lambda a: Image.fromarray(a.astype(np.float32) * 257),
}


def stored(folder, name, pixels):
    """The file in `folder` that holds `pixels` in the way called `name`."""
    make, options = made if isinstance(made := PICTURES[name], tuple) else (made, {})
    image = make(pixels)
    if options == "ground":
        options = {"transparency": int(image.getpixel((0, 0)))}
    elif "transparency" in image.info:
        options = {"transparency": image.info["transparency"]}
    path = folder / name
    image.save(path, **options)
    return path


def outcome(path):
    """The digit in `path`, or None and why it is refused."""
    try:
        return read_digit(path), ""
    except DataError as error:
        return None, str(error)


@pytest.fixture(scope="module")
def plain_digits(tmp_path_factory):
    """What comes of the hundred digits in plain 8 bits, light on dark."""
    folder = tmp_path_factory.mktemp("plain")
    return [read_digit(stored(folder, "L.png", digit)).astype(float) for digit in DIGITS]


@pytest.mark.slow
@pytest.mark.parametrize("light", [False, True], ids=["light on dark", "dark on light"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_hundred_digits_in_any_format_are_read_as_in_eight_bits(name, light, plain_digits, tmp_path):
    for digit, plain in zip(DIGITS, plain_digits, strict=True):
        pixels = 255 - digit if light else digit
        again = read_digit(stored(tmp_path, name, pixels)).astype(float)
        assert abs(again - plain).mean() < 1.5  # of 255: rounding, no more
        assert (again @ plain) / np.sqrt((again @ again) * (plain @ plain)) > 0.999


@given(
    name=st.sampled_from(sorted(PICTURES)),
    ink=st.integers(0, 255),
    paper=st.integers(0, 255),
    number=st.integers(0, 99),
)
@settings(max_examples=150, deadline=None)
def test_faint_ink_on_any_paper_is_read_or_refused_in_any_format(name, ink, paper, number, tmp_path_factory):
    pixels = (paper + DIGITS[number] / 255.0 * (ink - paper)).round().astype(np.uint8)
    digit, refusal = outcome(stored(tmp_path_factory.mktemp("faint"), name, pixels))
    assert "found no ink" in refusal if digit is None else digit.max() > 100


def test_one_bit_a_pixel_is_read_as_black_and_white(tmp_path):
    pixels = np.where(DIGITS[0] > 127, 255, 0).astype(np.uint8)
    for name, made in {"1.png": Image.fromarray(pixels), "2.png": Image.fromarray(pixels).convert("1"),
                       "3.tif": Image.fromarray(255 - pixels).convert("1")}.items():  # fmt: skip
        made.save(tmp_path / name)
    assert len({read_digit(path).tobytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_sideways_makes_no_difference(orientation, ending, tmp_path):
    upright = Image.fromarray(np.kron(255 - DIGITS[2], np.ones((8, 8), np.uint8)))
    held = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions, which undo what the tag says
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = upright if orientation == 1 else upright.transpose(Image.Transpose(held[orientation]))
    turned.convert("RGB").save(tmp_path / f"turned.{ending}", exif=exif)
    upright.convert("RGB").save(tmp_path / f"upright.{ending}")
    one, other = (read_digit(tmp_path / f"{name}.{ending}").astype(float) for name in ("turned", "upright"))
    assert abs(one - other).mean() < 1.5


def test_of_several_pictures_in_a_file_the_first_is_read(tmp_path):
    first, second = Image.fromarray(DIGITS[0]), Image.fromarray(DIGITS[1])
    first.save(tmp_path / "plain.png")
    plain = read_digit(tmp_path / "plain.png")
    for ending in ("gif", "tif", "png", "webp"):
        extra = {"lossless": True} if ending == "webp" else {}
        first.save(tmp_path / f"many.{ending}", save_all=True, append_images=[second], **extra)
        assert abs(read_digit(tmp_path / f"many.{ending}").astype(float) - plain).mean() < 1


def test_a_large_picture_is_read_as_the_small_one(tmp_path):
    small = 255 - DIGITS[3]
    for scale in (10, 110):  # 400 and 4400 pixels a side
        Image.fromarray(np.kron(small, np.ones((scale, scale), np.uint8))).save(tmp_path / f"{scale}.png")
    one, other = (read_digit(tmp_path / f"{scale}.png").astype(float) for scale in (10, 110))
    assert abs(one - other).mean() < 1.5


def test_numbers_that_are_none_count_as_paper(tmp_path):
    pixels = 1 - DIGITS[0].astype(np.float32) / 255
    Image.fromarray(pixels).save(tmp_path / "whole.tif")
    pixels[:4], pixels[-2:, 0] = np.nan, np.inf
    Image.fromarray(pixels).save(tmp_path / "holes.tif")
    assert abs(read_digit(tmp_path / "whole.tif").astype(float) - read_digit(tmp_path / "holes.tif")).max() <= 2


@pytest.mark.parametrize("pixels", [np.full((40, 40), 9, np.uint8), np.zeros((40, 40), np.uint16),
    np.full((40, 40), 40000, np.uint16), np.full((40, 40), np.nan, np.float32), np.full((9, 9), -3.5, np.float32)])  # fmt: skip
def test_an_empty_page_of_any_depth_has_no_ink(pixels, tmp_path):
    Image.fromarray(pixels).save(tmp_path / "empty.tif")
    with pytest.raises(DataError, match="empty.tif: found no ink"):
        read_digit(tmp_path / "empty.tif")


def test_the_noise_of_a_scanner_is_no_ink_in_sixteen_bits_either(tmp_path):
    noise = np.random.default_rng(0).integers(60000, 62000, (80, 80)).astype(np.uint16)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    with pytest.raises(DataError, match="found no ink"):
        read_digit(tmp_path / "noise.png")


# what is too large, or no picture


def black_png(path, width, height, colours):
    """A PNG of nothing but black pixels, of some bytes in the thousand of its pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = bytes(1 + width * (3 if colours else 1))
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(row) for _ in range(min(height, 12_000))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if colours else 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "height", "colours"),
    [(12_000, 12_000, False), (12_000, 12_000, True), (6_000, 6_000, True), (65_000, 2_000, False), (80_000, 10, False), (40_000, 40_000, True)],
)  # fmt: skip
def test_a_picture_bomb_is_read_or_refused_within_300_megabytes(width, height, colours, tmp_path):
    black_png(tmp_path / "bomb.png", width, height, colours)
    program = (
        "import re, sys\nfrom minidl.data import read_digit\nfrom minidl.errors import DataError\n"
        "try:\n    read_digit(sys.argv[1])\nexcept DataError as error:\n    print(error)\n"
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path / "bomb.png")], capture_output=True, text=True
    )
    message, megabytes = result.stdout.splitlines()
    assert "bomb.png: " in message
    assert int(megabytes) < 300


@pytest.mark.slow
def test_a_large_jpeg_is_decoded_smaller(tmp_path):
    page = Image.new("L", (9000, 9000), 255).convert("RGB")  # 324 MB if it were decoded whole
    page.paste(Image.fromarray(255 - DIGITS[0]).resize((6000, 6000)), (1500, 1500))
    page.save(tmp_path / "camera.jpg")
    Image.fromarray(255 - DIGITS[0]).save(tmp_path / "plain.png")
    one, other = (read_digit(tmp_path / name).astype(float) for name in ("camera.jpg", "plain.png"))
    assert (one @ other) / np.sqrt((one @ one) * (other @ other)) > 0.98
    page.save(tmp_path / "progressive.jpg", progressive=True)
    with pytest.raises(DataError, match="9000 x 9000 pixels take 324 MB, more than the 150 MB"):
        read_digit(tmp_path / "progressive.jpg")


def test_what_pillow_would_hand_to_a_program_is_refused(tmp_path):
    Image.fromarray(DIGITS[0]).save(tmp_path / "x.eps")
    with pytest.raises(DataError, match="x.eps: a file in the format EPS, which is not read here"):
        read_digit(tmp_path / "x.eps")


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_picture_is_refused_by_name_or_read(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    name = data.draw(
        st.sampled_from(["RGB.png", "P.gif", "L.jp2", "RGB.jpg", "16 bits.tif", "RGB.webp", "L.bmp", "L.pgm"])
    )
    path = stored(folder, name, DIGITS[0])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    digit, refusal = outcome(path)
    assert refusal.startswith(f"{path}: ") if digit is None else digit.shape == (784,)


def test_pillow_that_cannot_be_loaded_is_not_called_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pictures needs Pillow: pip install 'minidl\[plot\]'"):
        picture.read_picture("x.png")
    broken = tmp_path / "PIL"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('failed to map segment from shared object')")
    monkeypatch.delitem(sys.modules, "PIL")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtraError, match="which is installed but cannot be loaded: failed to map segment"):
        picture.read_picture("x.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="pipe.png: cannot be read: Is a pipe, not a file"):
        read_digit(tmp_path / "pipe.png")
