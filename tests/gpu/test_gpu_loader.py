"""Batches on the GPU: those that the CPU would have had."""

import numpy as np
import pytest

from minidl.backend import seed, use_backend
from minidl.data import Dataset, Loader

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_batches_on_the_gpu_equal_those_on_the_cpu(dtype):
    cupy = pytest.importorskip("cupy")
    data = Dataset(np.repeat(np.arange(10).astype(dtype) * 25, 4).reshape(10, 2, 2), np.arange(10))
    seed(3)
    here = list(Loader(data, 4))
    seed(3)
    with use_backend("cupy"):
        there = list(Loader(data, 4))
    seed(3)
    chosen = list(Loader(data, 4, backend="cupy"))
    for (x, y), *batches in zip(here, there, chosen, strict=True):
        for gpu_x, gpu_y in batches:
            assert isinstance(gpu_x, cupy.ndarray)
            np.testing.assert_array_equal(gpu_x.get(), x, strict=True)
            np.testing.assert_array_equal(gpu_y.get(), y, strict=True)
