"""What a result came from: versions, machine, and digests of the program and the data."""

import hashlib
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...data._mnist import digests
from ...hardware.processor import processor
from ...hardware.thread_limit import limit
from ...hardware.threads import CORES

BLAS_THREADS = 1  # of every row: two that wait for one another make times that say nothing
_PACKAGE = Path(__file__).parents[2]


@cache
def sources_sha256() -> str:
    """The SHA-256 of minidl's own Python files: of each its path and content, in the order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def origin() -> dict[str, Any]:
    """What a row that is made now comes from, as report.json has it."""
    return {
        "minidl": __version__,
        "sources_sha256": sources_sha256(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.platform(),
        "processor": processor(),
        "cores": CORES,
        "blas_threads": BLAS_THREADS,
        "minidl_threads": limit(),
        "mnist_sha256": digests("mnist"),
    }
