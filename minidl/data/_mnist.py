"""MNIST, shipped with minidl, and the data sets that come in the same four files.

No function here uses the network. Sources: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST
database of handwritten digits" (yann.lecun.com/exdb/mnist); H. Xiao, K. Rasul, R. Vollgraf,
"Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
arXiv:1708.07747 (2017). docs/data.md says where they come from and on what terms.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..system.terminal import printable
from .dataset import Dataset
from .idx import read_idx
from .search_path import candidates

_SHIPPED = Path(__file__).parent / "files"
_DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")  # where the package dataset-fashion-mnist puts it
_IMAGES, _LABELS = "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"
_NAMES = [kind.format(part) for part in ("train", "t10k") for kind in (_IMAGES, _LABELS)]
_GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def mnist(path: str | os.PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """MNIST's handwritten digits, complete: 60,000 to train on and 10,000 to test with.

    Args:
        path: a folder with the four files, to be read instead of those that are part of minidl. Either way they must
            be MNIST: their SHA-256 is checked.

    Returns:
        ``train, test``: two Datasets, each with ``.inputs`` (N, 784) uint8, 0 the paper and 255 the ink, ``.labels``
        (N,) int64, ``.shape`` (28, 28) and ``.classes`` "0" to "9".

    Raises:
        DataError: if a file is missing, malformed, or has another digest.
    """
    folder = _SHIPPED / "mnist" if path is None else Path(path)
    return _load("mnist", [folder], tuple("0123456789"), digests("mnist"))


def fashion_mnist(path: str | os.PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """Fashion-MNIST: Zalando's articles of clothing in MNIST's form, 60,000 and 10,000.

    Returns `train, test` as `mnist` does, with the ten garments as ``.classes``.

    Looked for where `idx_dataset` looks, under the name "fashion-mnist", then where the
    Debian and Ubuntu package ``dataset-fashion-mnist`` installs it. The SHA-256 is checked.

    Raises `DataError` if the files are nowhere (it lists where it looked, and the remedies),
    malformed, or have another digest.
    """
    folders = candidates("fashion-mnist", path)
    if path is None:
        folders.append(_DEBIAN_FASHION)
    remedy = "install the Debian or Ubuntu package (sudo apt install dataset-fashion-mnist), or "
    return _load("fashion-mnist", folders, _GARMENTS, digests("fashion-mnist"), remedy)


def idx_dataset(
    name: str, path: str | os.PathLike[str] | None = None, classes: Sequence[str] | None = None
) -> tuple[Dataset, Dataset]:
    """Any data set in MNIST's form of four IDX files, plain, .gz or .xz: KMNIST, say, or your own.

    Looked for in the folder `path`; if that is not given, in the folders ``$MINIDL_DATA/name``,
    ``$MINIDL_DATA`` and ``$XDG_CACHE_HOME/minidl/name`` (``~/.cache/minidl/name``).

    Returns `train, test`: from images of shape (N, H, W), ``.inputs`` (N, H * W) in the file's
    dtype and ``.shape`` (H, W); ``.labels`` (N,) int64; ``.classes`` as given, or "0", "1", ...
    up to the largest training label.

    Raises `DataError` if the files are nowhere (it lists where it looked), malformed, or images
    and labels differ in number; `LabelError` for a label outside the classes.
    """
    return _load(name, candidates(name, path), classes, {})


def _load(
    name: str, folders: list[Path], classes: Sequence[str] | None, sha256: Mapping[str, str], remedy: str = ""
) -> tuple[Dataset, Dataset]:
    """Both halves from the first of `folders` that holds all four files."""
    name = printable(name)
    looked = []
    for folder in folders:
        found = _find(folder)
        if len(found) == len(_NAMES):
            train = _half(f"{name} train", found, "train", classes, sha256)
            return train, _half(f"{name} test", found, "t10k", train.classes, sha256)
        lacking = ", ".join(file for file in _NAMES if file not in found)
        looked.append(f"  {printable(folder)}: " + (f"lacks {lacking}" if folder.is_dir() else "no such folder"))
    raise DataError(
        f"{name}: not found. Looked in\n"
        + "\n".join(looked)
        + f"\nfor the four files {', '.join(_NAMES)}, each plain, .gz or .xz. To fix it, {remedy}"
        f"put the four files into one folder and name it: in the argument path, or (for all but mnist) in the "
        f"environment variable MINIDL_DATA."
    )


def _find(folder: Path) -> dict[str, Path]:
    candidates = [(file, folder / f"{file}{ending}") for ending in (".xz", ".gz", "") for file in _NAMES]
    return {file: path for file, path in candidates if os.path.isfile(path)}  # the plain file comes last and wins


def _half(
    name: str, found: Mapping[str, Path], part: str, classes: Sequence[str] | None, sha256: Mapping[str, str]
) -> Dataset:
    images_file, labels_file = _IMAGES.format(part), _LABELS.format(part)
    images = read_idx(found[images_file], sha256=sha256.get(images_file))
    labels = read_idx(found[labels_file], sha256=sha256.get(labels_file))
    images_path, labels_path = printable(found[images_file]), printable(found[labels_file])
    if images.ndim < 2:
        raise DataError(f"{images_path}: images: expected rank 2 or more, found shape {images.shape}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{labels_path}: labels: expected integers of rank 1, found {labels.dtype} of shape {labels.shape}"
        )
    if len(images) != len(labels):
        raise DataError(f"{name}: {len(images)} images in {images_path} but {len(labels)} labels in {labels_path}")
    return Dataset(images, labels.astype(np.int64), name=name, classes=classes)


def digests(name: str) -> dict[str, str]:
    """The SHA-256 that each file of a data set must have, by the names of the files."""
    lines = (_SHIPPED / name / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    return {file: digest for digest, file in map(str.split, lines)}
