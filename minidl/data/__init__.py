"""Data sets and batches: `mnist`, `fashion_mnist`, any other IDX files, and the `Loader`."""

from .dataset import Dataset
from .idx import read_idx
from .image import read_digit
from .loader import Loader
from .mnist import fashion_mnist, idx_dataset, mnist

__all__ = ["Dataset", "Loader", "fashion_mnist", "idx_dataset", "mnist", "read_digit", "read_idx"]
