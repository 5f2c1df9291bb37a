"""CIFAR-10 in its binary form: 60,000 small colour pictures of ten kinds of things.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009). Nothing here uses the network.
"""

import os
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..system.files import open_regular
from ..system.terminal import printable
from .dataset import Dataset
from .search_path import find_folder

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
_TEST = "test_batch.bin"
_PIXELS = 3 * 32 * 32
_ORIGIN = (
    "download the “CIFAR-10 binary version (suitable for C programs)” from the CIFAR page of Alex Krizhevsky at the "
    "University of Toronto (cs.toronto.edu/~kriz/cifar.html) and unpack it"
)


def cifar10(path: str | os.PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """CIFAR-10: 50,000 pictures to train on and 10,000 to test with, of ten classes.

    Returns `train, test`, each with ``.inputs`` (N, 3072) uint8, ``.labels`` (N,) int64 and ``.shape``
    (3, 32, 32): the red plane, then the green, then the blue. For a picture that plots:
    ``inputs[i].reshape(3, 32, 32).transpose(1, 2, 0)``.

    The six files data_batch_1.bin to data_batch_5.bin and test_batch.bin are looked for in the folder `path`; if
    that is not given, in ``$MINIDL_DATA/cifar-10``, ``$MINIDL_DATA`` and ``$XDG_CACHE_HOME/minidl/cifar-10``
    (``~/.cache/minidl/cifar-10``); and in the folder cifar-10-batches-bin, as it is unpacked, within any of these.

    Raises `DataError` if they are nowhere (it lists where it looked, and the remedy) or malformed, `LabelError` for
    a label above 9.
    """
    folder = find_folder("cifar-10", path, [*_TRAIN, _TEST], unpacked="cifar-10-batches-bin", remedy=_ORIGIN)
    parts = [_read(folder / file) for file in _TRAIN]
    return _dataset("cifar-10 train", parts), _dataset("cifar-10 test", [_read(folder / _TEST)])


def _read(path: Path) -> np.ndarray:
    """The records of one file: a byte for the label, then 3072 for the pixels."""
    with open_regular(path) as file:
        content = np.fromfile(file, np.uint8)
    if content.size == 0 or content.size % (1 + _PIXELS):
        raise DataError(
            f"{printable(path)}: expected records of {1 + _PIXELS} bytes (a label, then {_PIXELS} pixels), "
            f"found {content.size} bytes, {content.size % (1 + _PIXELS)} too many for whole records"
        )
    return content.reshape(-1, 1 + _PIXELS)


def _dataset(name: str, parts: list[np.ndarray]) -> Dataset:
    records = np.concatenate(parts)
    return Dataset(records[:, 1:], records[:, 0].astype(np.int64), name=name, shape=(3, 32, 32), classes=_CLASSES)
