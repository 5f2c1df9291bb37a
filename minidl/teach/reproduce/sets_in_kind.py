"""Data sets of the kind of CIFAR-10 and IMDB, made of what every machine has: MNIST, Python's and NumPy's texts."""

import re
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np

from ...data import Dataset, mnist
from ...errors import DataError

_SIDE, _PIECE, _SHIFT = 28, 12, 3  # pixels: of a picture, of a piece of another digit, by which a digit is moved
_WORD = re.compile(r"[a-z][a-z']+")
_TEXT = re.compile(r'"""(.*?)"""', re.DOTALL)
_ENOUGH, _FEWEST = 5000, 2000  # texts of each kind


def pictures(count: int = 10_000) -> Dataset:
    """MNIST's digits made harder: moved, before pieces of other digits, in noise.

    The labels are those of the first `count` digits; the same pictures each time. (count, 784) uint8.
    """
    train, _ = mnist()
    rng = np.random.default_rng(0)
    digits = train.inputs[:count].reshape(-1, _SIDE, _SIDE)
    others = rng.permutation(digits)
    made = np.zeros_like(digits)
    corners = rng.integers(0, _SIDE - _PIECE + 1, (count, 4, 2))
    moves = rng.integers(-_SHIFT, _SHIFT + 1, (count, 2))
    for picture, digit, other, cuts, move in zip(made, digits, others, corners, moves, strict=True):
        for (top, left), (row, column) in (cuts[:2], cuts[2:]):
            piece = other[top : top + _PIECE, left : left + _PIECE]
            place = picture[row : row + _PIECE, column : column + _PIECE]
            np.maximum(place, piece // 2, out=place)
        np.maximum(picture, np.roll(digit, move, axis=(0, 1)), out=picture)
    noisy = np.maximum(made, rng.integers(0, 100, made.shape, dtype=np.uint8)).reshape(count, -1)
    return Dataset(noisy, train.labels[:count], name="pictures", shape=(_SIDE, _SIDE), classes=train.classes)


def texts(words: int = 1000) -> Dataset:
    """Paragraphs of the docstrings of Python's standard library (0) and of NumPy (1), as bags of words.

    ``.inputs`` (N, words) uint8, 255 where a paragraph holds the word and else 0, the most frequent word first; as many
    of the one as of the other, in random order. Raises `DataError` where Python came without its source.
    """
    folders = (Path(sysconfig.get_path("stdlib")), Path(np.__file__).parent)
    found = [_paragraphs(folder) for folder in folders]
    each = min(map(len, found))
    if each < _FEWEST:
        raise DataError(f"{folders[0]}: holds too few docstrings, {len(found[0])}: this Python has no source with it")
    rng = np.random.default_rng(0)
    chosen = [[some[i] for i in rng.permutation(len(some))[:each]] for some in found]
    bags = [set(_WORD.findall(text.lower())) for some in chosen for text in some]
    counts = Counter(word for bag in bags for word in bag)
    column = {word: i for i, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word))[:words])}
    inputs = np.zeros((len(bags), words), np.uint8)
    for row, bag in zip(inputs, bags, strict=True):
        row[[column[word] for word in bag if word in column]] = 255
    order = rng.permutation(len(bags))
    labels = np.repeat([0, 1], each)
    return Dataset(inputs[order], labels[order], name="texts", classes=("python", "numpy"))


def _paragraphs(folder: Path) -> list[str]:
    """Enough paragraphs of six words or more of the docstrings below a folder, each once, but for tests."""
    left_out = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3"}
    found: dict[str, None] = {}
    for file in sorted(folder.rglob("*.py")):
        if len(found) >= _ENOUGH:
            break
        if not left_out & set(file.relative_to(folder).parts):
            for text in _TEXT.findall(file.read_text(encoding="utf-8", errors="replace")):
                paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
                found |= {part: None for part in paragraphs if len(_WORD.findall(part.lower())) >= 6}
    return list(found)
