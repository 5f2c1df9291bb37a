"""The circumstances in which minidl computes, the same for every call: denormals are zero, few threads share the work.

They are set by the outermost of minidl's calls (a model's, `backward`, `step`, ...) in each thread and put back at its
end; calls inside it find them set. One op is too short to pay for that, so ops alone are not such calls.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from .threads import allowed_threads, here, use_blas_threads

P = ParamSpec("P")
R = TypeVar("R")


def computes(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate one of minidl's calls: what it computes, it computes in minidl's circumstances."""

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        now = here.now
        if now.inside:
            return function(*args, **options)
        try:
            try:
                now.enter()
                return function(*args, **options)
            finally:
                now.leave()
        finally:
            now.leave()  # what is left to do, should a signal's handler have raised in the first

    return call


@contextmanager
def computing(threads: int | None = None, by_openblas: bool = False) -> Iterator[None]:
    """Within the block this thread computes in minidl's circumstances, with as many as `threads` threads.

    None stands for what `minidl.threads` or the environment says. They are OpenBLAS's if the work is to be shared
    `by_openblas`; else there are two, this one and its assistant.
    """
    now = here.now
    outermost, before = not now.inside, (now.threads, now.alone)
    try:
        if outermost:
            now.enter()
        now.threads, now.alone = threads or now.threads, by_openblas
        with use_blas_threads(allowed_threads() if by_openblas else 1):
            yield
    finally:
        now.threads, now.alone = before
        if outermost:
            now.leave()
