"""Data sets in words, as the command line gives them."""

from pathlib import Path

from ..errors import DataError
from ._mnist import fashion_mnist, idx_dataset, mnist
from .dataset import Dataset


def find_dataset(name: str) -> tuple[Dataset, Dataset]:
    """Training and test set of "mnist", "fashion-mnist", or of the folder `name`. Raises `DataError`."""
    if name == "mnist":
        return mnist()
    if name == "fashion-mnist":
        return fashion_mnist()
    if not Path(name).is_dir():
        raise DataError(f"--dataset {name!r}: choose mnist, fashion-mnist, or an existing folder of IDX files")
    return idx_dataset(Path(name).name, path=name)
