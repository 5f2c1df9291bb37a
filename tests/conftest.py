"""Tests marked `gpu` are skipped, with the reason, where there is no GPU for CuPy."""

import pytest

from minidl.backend import module_of
from minidl.errors import BackendError


def pytest_collection_modifyitems(items):
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    try:
        module_of("cupy")
    except BackendError as error:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=str(error)))
