"""What a study was begun with: versions, machine, data; for its report."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..hardware.processor import processor
from ..hardware.threads import CORES

_PACKAGES = "minidl", "numpy", "scipy", "numba", "loky"


def about() -> dict[str, Any]:
    """Versions of what computes, and the machine of the driver, as JSON values."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {"versions": versions, "system": platform.platform(), "processor": processor(), "cores": CORES}
