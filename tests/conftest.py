"""Which tests are collected and run: those in tests/gpu only where they are asked for, and skipped without a GPU."""

import os
import re
import signal
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # the other cores have other tests; NumPy reads this when it is imported
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from mpiexec import MPIEXEC

from minidl.backend import module_of
from minidl.errors import BackendError

GPU = Path(__file__).parent / "gpu"

# A shell script's background jobs ignore Ctrl-C, and nohup's hang-ups, and so would all that the tests start.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


@pytest.fixture(scope="session")
def machine_code():
    """The machine code that the rules of tests need, in the cache."""
    pytest.importorskip("numba")
    from minidl import nn, optim
    from minidl.compiler.native.cache.background import compile_now
    from minidl.compiler.native.executor import needed

    weight = nn.Dense(2, 2).parameters()
    for rule in (optim.SGD, optim.Momentum, optim.Adam):
        compile_now(needed(rule(weight)))


def pytest_ignore_collect(collection_path, config):
    if collection_path != GPU:
        return None
    asked = re.search(r"(?<!not )\bgpu\b", config.option.markexpr)
    named = any(GPU in [path, *path.parents] for path in map(_path, config.args))
    return None if asked or named else True


def _path(argument):
    return Path(argument.partition("::")[0]).resolve()


def pytest_collection_modifyitems(items):
    if MPIEXEC is None:
        for item in items:
            if item.get_closest_marker("mpi"):
                item.add_marker(pytest.mark.skip(reason="there is no mpiexec: pip install 'minidl[mpi]'"))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    try:
        module_of("cupy")
    except BackendError as error:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=str(error)))
