"""Object files, found by a hash of what they are made from, and loaded by LLVM.

A source is Python with one function for Numba: the interpreter (jit/), or an optimizer's loop
(rule_codegen.py). It is compiled to an object file, like a C compiler's, which LLVM loads in a
tenth of a second. So whoever runs it need not import Numba, which takes half a second, and nothing
is kept with Python's pickle.
"""

import ctypes
import functools
import hashlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import jit
from . import build, store
from .build import SYMBOL, target

NEEDS = "numba", "llvmlite", "numpy"
_JIT = Path(__file__).parents[1] / "jit"


class Source(NamedTuple):
    """Python that defines a function for Numba, and the function's name."""

    name: str
    text: str


MACHINE = Source("machine", f"from {jit.__name__}.interpreter import machine\n")

_lock = threading.RLock()  # one thread at a time fills what follows
_read: dict[Source, bytes] = {}  # object files that have been read, and not loaded yet
_loaded: dict[Source, tuple[Any, int]] = {}  # LLVM's engine, which owns the code, and its address
if hasattr(os, "register_at_fork"):  # a forked process could find it locked for ever
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def home_of(package: str) -> Path | None:
    """The folder on the path that holds an installed package.

    Not the working folder, where anything may lie.
    """
    here = os.path.realpath(os.curdir)
    for folder in sys.path:
        if not os.path.isabs(folder) or os.path.realpath(folder) == here:
            continue
        if Path(folder, package, "__init__.py").exists():
            return Path(folder)
    return None


@functools.cache
def installed() -> bool:
    """Whether Numba, and LLVM with it, is installed."""
    return all(home_of(name) for name in NEEDS)


@functools.cache
def object_name(source: Source) -> str:
    """The name of its object file: a hash of its text, the compiler, and the processor."""
    key = hashlib.sha256(source.text.encode())
    for part in (*_compilers(), *_sources()):
        key.update(hashlib.sha256(part).digest())
    return f"{source.name}-{key.hexdigest()[:32]}.o"


def log_name(source: Source) -> str:
    """The name of the log that remains if it cannot be compiled."""
    return object_name(source).removesuffix(".o") + ".log"


def loaded() -> bool:
    """Whether this process has loaded machine code before, and so has imported LLVM."""
    return bool(_loaded)


def cached(source: Source) -> bool:
    """Whether the machine code of a source is cached, intact, and so can be loaded."""
    with _lock:
        if source in _loaded or source in _read:
            return True
        code = store.read(object_name(source))
        if code is not None:
            _read[source] = code
        return code is not None


def function(source: Source) -> Callable[..., None]:
    """The compiled function of a source, of two integers; it releases the GIL. Raises `OSError`."""
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(load(source))


def load(source: Source) -> int:
    """The address of a source's compiled function, which stays loaded. Raises `OSError`."""
    with _lock:
        if source not in _loaded:
            if not cached(source):
                raise OSError(f"compile: the machine code of {source.name} is not cached")
            import llvmlite.binding as llvm

            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target())
            engine.add_object_file(llvm.ObjectFileRef.from_data(_read.pop(source)))
            engine.finalize_object()
            _loaded[source] = engine, engine.get_function_address(SYMBOL)
        return _loaded[source][1]


def _compilers() -> list[bytes]:
    """The versions of all that has a part in compiling, and the processor."""
    import llvmlite.binding as llvm

    processor = [llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    texts = [sys.version, np.__version__, *processor]
    return [*(text.encode() for text in texts), *map(_release, ("numba", "llvmlite"))]


def _release(package: str) -> bytes:
    """What tells a package's releases apart, without importing it, which takes half a second."""
    folder = (home_of(package) or Path()) / package
    files = folder / "_version.py", folder / "__init__.py"
    return b"".join(file.read_bytes() for file in files if file.exists())


def _sources() -> list[bytes]:
    """All of jit/, whichever modules a source imports, and build.py."""
    return [file.read_bytes() for file in (*sorted(_JIT.glob("*.py")), Path(build.__file__))]
