"""Data sets and batches: `mnist` and others, any IDX files, `Augment` for pictures, and the `Loader`."""

from typing import TYPE_CHECKING, Any

from ..elsewhere import missing
from ._cifar10 import cifar10
from ._imdb import imdb
from ._mnist import fashion_mnist, idx_dataset, mnist
from .augment import Augment
from .dataset import Dataset
from .idx import read_idx
from .image import read_digit
from .loader import Loader

__all__ = [
    "Augment",
    "Dataset",
    "Loader",
    "cifar10",
    "fashion_mnist",
    "idx_dataset",
    "imdb",
    "mnist",
    "read_digit",
    "read_idx",
]

if not TYPE_CHECKING:  # for which a name that is not there is an error anyway

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
