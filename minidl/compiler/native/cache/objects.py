"""Machine code, found by what it is made from: Numba compiles it once, and from then on LLVM alone loads it.

What is compiled is Python with one function for Numba: machine.py's, or an optimizer's loop (emit.py). It becomes an
object file, as a C compiler's is, which LLVM loads in a tenth of a second. So whoever runs it need not import Numba,
which takes half a second, and nothing is kept with Python's pickle.
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

_lock = threading.RLock()  # what follows is filled by one thread at a time
_read: dict[Source, bytes] = {}  # object files that have been read, and not loaded yet
_loaded: dict[Source, tuple[Any, int]] = {}  # an object file's engine, which holds its code, and where that begins
if hasattr(os, "register_at_fork"):  # a process that is forked meanwhile would find it locked for ever
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def home_of(package: str) -> Path | None:
    """The folder that Python imports an installed package from: not the working folder, where anything may lie."""
    here = os.path.realpath(os.curdir)
    for place in sys.path:
        if os.path.isabs(place) and os.path.realpath(place) != here and Path(place, package, "__init__.py").exists():
            return Path(place)
    return None


@functools.cache
def installed() -> bool:
    """Whether Numba, and LLVM with it, is there."""
    return all(home_of(name) for name in NEEDS)


def object_file(source: Source) -> Path:
    """Where the machine code of a source is, or is to be. Raises `OSError` if no folder may be trusted with it."""
    return store.home() / object_name(source)


@functools.cache
def object_name(source: Source) -> str:
    """The name of its object file: of all that it is made from, and by what, for which processor."""
    parts = hashlib.sha256(source.text.encode())
    for part in (*_made_by(), *_sources()):
        parts.update(hashlib.sha256(part).digest())
    return f"{source.name}-{parts.hexdigest()[:32]}.o"


def log_name(source: Source) -> str:
    """The name of the log that is kept if it cannot be compiled."""
    return object_name(source).removesuffix(".o") + ".log"


def loaded() -> bool:
    """Whether this process has loaded machine code before, so that LLVM is there."""
    return bool(_loaded)


def there(source: Source) -> bool:
    """Whether the machine code of a source can be loaded: is kept, and is what was written."""
    with _lock:
        if source not in _loaded and source not in _read and (code := store.read(object_name(source))) is not None:
            _read[source] = code
        return source in _loaded or source in _read


def function(source: Source) -> Callable[..., None]:
    """The compiled function of a source, of two integers; it runs without Python's lock. Raises `OSError`."""
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(load(source))


def load(source: Source) -> int:
    """The address of the compiled function of a source, which stays loaded. Raises `OSError`."""
    with _lock:
        if source not in _loaded:
            if not there(source):
                raise OSError(f"compile: the machine code of {source.name} is not there")
            import llvmlite.binding as llvm

            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target())
            engine.add_object_file(llvm.ObjectFileRef.from_data(_read.pop(source)))
            engine.finalize_object()
            _loaded[source] = engine, engine.get_function_address(SYMBOL)
        return _loaded[source][1]


def _made_by() -> list[bytes]:
    """The releases of all that has a part in compiling, and the processor."""
    import llvmlite.binding as llvm

    texts = [sys.version, np.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    return [*(text.encode() for text in texts), *map(_release, ("numba", "llvmlite"))]


def _release(package: str) -> bytes:
    """What tells a release of a package from others, without importing it, which takes half a second."""
    folder = (home_of(package) or Path()) / package
    return b"".join(file.read_bytes() for file in (folder / "_version.py", folder / "__init__.py") if file.exists())


def _sources() -> list[bytes]:
    """All that a compiled function could be made from, whichever modules it imports, and what makes it."""
    return [file.read_bytes() for file in (*sorted(_JIT.glob("*.py")), Path(build.__file__))]
