"""The Large Movie Review Dataset (IMDB): 50,000 film reviews, for or against, as bags of words.

A. L. Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011. Nothing here uses the network.
"""

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np

from ..checks import checked_integer
from ..errors import DataError
from ..system.files import read_text
from ..system.terminal import printable
from .dataset import Dataset
from .search_path import find_folder

_CLASSES = ("neg", "pos")  # the folders' names, in the order of their labels
_FOLDERS = [f"{part}/{kind}" for part in ("train", "test") for kind in _CLASSES]
_ORIGIN = (
    "download the “Large Movie Review Dataset v1.0” (aclImdb_v1.tar.gz) from the page of Andrew Maas at Stanford "
    "University (ai.stanford.edu/~amaas/data/sentiment) and unpack it"
)
_LONGEST = 1 << 20  # bytes of a review, far more than any has
_WORD = re.compile(r"[a-z0-9']+")


def imdb(path: str | os.PathLike[str] | None = None, words: int = 8000) -> tuple[Dataset, Dataset]:
    """IMDB's film reviews: 25,000 to train on and 25,000 to test with, half of each against (0), half for (1).

    Returns `train, test`: ``.inputs`` (N, words) uint8, 255 where the review holds the word and else 0 (a `Loader`
    scales that to 1.0 and 0.0); ``.labels`` (N,) int64; ``.classes`` "neg" and "pos". `words` counts the columns:
    the words most frequent in the training reviews, most frequent first, ties by the alphabet. A word is a run of
    letters a to z, digits and apostrophes, in lower case.

    The folders train/pos, train/neg, test/pos and test/neg, of a text file per review, are looked for in the folder
    `path`; if that is not given, in ``$MINIDL_DATA/imdb``, ``$MINIDL_DATA`` and ``$XDG_CACHE_HOME/minidl/imdb``
    (``~/.cache/minidl/imdb``); and in the folder aclImdb, as it is unpacked, within any of these.

    Raises `DataError` if they are nowhere (it lists where it looked, and the remedy), if one is empty, or a review
    is not UTF-8; `OptionError` unless `words` is an integer of at least 1.
    """
    words = checked_integer(words, "imdb: words", 1)
    folder = find_folder("imdb", path, _FOLDERS, unpacked="aclImdb", remedy=_ORIGIN)
    counts: Counter[str] = Counter()
    for file in [*_files(folder / "train/neg"), *_files(folder / "train/pos")]:
        counts.update(_words(file))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:words]
    column = {word: i for i, word in enumerate(ranked)}
    return _bags(folder, "train", column, words), _bags(folder, "test", column, words)


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise DataError(f"{printable(folder)}: holds no review: expected text files such as 0_9.txt")
    return files


def _words(file: Path) -> list[str]:
    try:
        text = read_text(file, _LONGEST)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{printable(file)}: not UTF-8: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    return _WORD.findall(text.lower().replace("<br />", " "))


def _bags(folder: Path, part: str, column: dict[str, int], words: int) -> Dataset:
    against, for_it = (_files(folder / part / kind) for kind in _CLASSES)
    bags = np.zeros((len(against) + len(for_it), words), np.uint8)
    for bag, file in zip(bags, [*against, *for_it], strict=True):
        bag[[column[word] for word in _words(file) if word in column]] = 255
    labels = np.repeat(np.arange(2), [len(against), len(for_it)])
    return Dataset(bags, labels, name=f"imdb {part}", classes=_CLASSES)
