"""CUDA source for CuPy's arrays: compiled by NVRTC at its first use, then launched on CuPy's current stream."""

import functools
from typing import Any

from ..backend import registry

OPTIONS = ("--fmad=false",)  # no product and sum rounded as one: where NumPy does the same operations, the same bits

Grid = tuple[int, ...]


@functools.cache
def compiled(source: str, name: str) -> Any:
    """The kernel called `name` in `source`, a ``cupy.RawKernel``."""
    import cupy

    return cupy.RawKernel(source, name, options=OPTIONS)


def launch(source: str, name: str, blocks: Grid, threads: Grid, *args: Any) -> None:
    """Start the kernel `name` of `source` on so many blocks of so many threads each, and wait for nothing.

    `args` are CuPy arrays, of which the kernel sees the first element's address (they must be contiguous),
    and NumPy scalars of exactly the kernel's types.
    """
    compiled(source, name)(blocks, threads, args)


registry["launch", "cupy"] = launch
