"""The number of threads that matrix products use."""

import numpy as np
import pytest

from minidl import nn, optim
from minidl.data import Dataset
from minidl.errors import OptionError
from minidl.threads import blas_threads, use_blas_threads
from minidl.train import fit

OPENBLAS = blas_threads() is not None
needs_openblas = pytest.mark.skipif(not OPENBLAS, reason="this NumPy does not use OpenBLAS")


@needs_openblas
def test_the_number_holds_for_the_block_also_if_it_fails():
    before = blas_threads()
    seen = []

    def fails():
        with use_blas_threads(before + 1):
            seen.append(blas_threads())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert [*seen, blas_threads()] == [before + 1, before]


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_a_wrong_number_is_refused(count):
    with pytest.raises(OptionError, match="at least 1"), use_blas_threads(count):
        pass


@needs_openblas
@pytest.mark.parametrize(("threads", "width", "expected"), [(None, 8, 1), (3, 8, 3), (None, 40_000, 2)])
def test_fit_takes_one_thread_for_small_products_and_those_asked_for(threads, width, expected):
    seen = []
    model = nn.Sequential(nn.Dense(32, width), nn.Dense(width, 2))
    data = Dataset(np.zeros((500, 32), np.float32), np.zeros(500, int), classes="ab")
    with use_blas_threads(2):
        optimizer = optim.SGD(model.parameters())
        watch = lambda run: seen.append(blas_threads())
        fit(
            model,
            data,
            optimizer=optimizer,
            epochs=1,
            batch_size=500,
            callbacks=[watch],
            progress=False,
            threads=threads,
        )
    assert seen == [expected]
