"""Machine code in files: Numba compiles it once, and from then on LLVM alone loads it, in a tenth of a second.

What is compiled is a Python file with one function for Numba: machine.py, or an optimizer's loop (emit.py). It becomes
an object file, as a C compiler's is, under a name that tells what it was made from. So whoever runs it need not
import Numba, which takes half a second, and nothing is kept with Python's pickle.
"""

import ctypes
import functools
import hashlib
import importlib.util
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UnsupportedError

_HERE = Path(__file__).parent
MACHINE = _HERE / "machine.py"
_PARTS = [_HERE / f"{name}.py" for name in ("atomics", "calls", "codes", "lanes", "loops", "machine", "sparse")]
_SYMBOL = "minidl"  # the name of the function in each object file
_loaded: dict[Path, tuple[Any, int]] = {}  # an object file's engine, which holds its code, and where that begins


@functools.cache
def installed() -> bool:
    """Whether Numba, and LLVM with it, is there."""
    return all(importlib.util.find_spec(name) is not None for name in ("numba", "llvmlite"))


def cache_folder() -> Path:
    """Where minidl keeps what it has compiled: minidl/ in $XDG_CACHE_HOME, or in ~/.cache; made if need be."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minidl"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def object_file(file: Path) -> Path:
    """Where the machine code of a Python file is, or is to be: that by this LLVM, for this processor."""
    import llvmlite
    import llvmlite.binding as llvm

    made_by = f"{llvmlite.__version__} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
    sources = b"".join(part.read_bytes() for part in [file, *_PARTS])
    return cache_folder() / f"{file.stem}-{hashlib.sha256(made_by.encode() + sources).hexdigest()[:20]}.o"


def build(file: Path) -> None:
    """Compile the function that the Python file is called after, whose arguments are int64, to its object file."""
    import llvmlite.binding as llvm
    from numba import cfunc, types

    function = _defined(file)
    count = len(inspect.signature(function).parameters)
    made = cfunc(types.void(*[types.int64] * count), error_model="numpy")(function)
    module = llvm.parse_assembly(made.inspect_llvm())
    module.get_function(made.native_name).name = _SYMBOL
    for one in module.functions:  # nothing of the interpreter's is left then that could be needed
        if not one.is_declaration and one.name != _SYMBOL:
            one.linkage = "internal"
    _optimise(module)
    target = object_file(file)
    part = target.with_suffix(f".{os.getpid()}")
    part.write_bytes(_target().emit_object(module))
    part.replace(target)


def loaded() -> bool:
    """Whether this process has loaded machine code before, so that LLVM is there."""
    return bool(_loaded)


def function(file: Path) -> Callable[..., None]:
    """The compiled function of a Python file, of two integers; it runs without Python's lock. Raises `OSError`."""
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(load(file))


def load(file: Path) -> int:
    """The address of the compiled function of a Python file, which stays loaded. Raises `OSError`."""
    file = object_file(file)
    if file not in _loaded:
        import llvmlite.binding as llvm

        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        engine.add_object_file(llvm.ObjectFileRef.from_data(file.read_bytes()))
        engine.finalize_object()
        _loaded[file] = engine, engine.get_function_address(_SYMBOL)
    return _loaded[file][1]


def _defined(file: Path) -> Callable[..., None]:
    """The function that a Python file is called after, or "update"."""
    spec = importlib.util.spec_from_file_location(f"{__package__}.{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UnsupportedError(f"compile: {file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, file.stem, None) or module.update


@functools.cache
def _target() -> Any:
    """This computer, as LLVM sees it."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, reloc="pic", jit=True
    )


def _optimise(module: Any) -> None:
    """LLVM's own passes, once Numba's has taken out the counting of references."""
    import llvmlite.binding as llvm

    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = tuning.slp_vectorization = True
    builder = llvm.create_pass_builder(_target(), tuning)
    counting = builder.getModulePassManager()
    counting.add_refprune_pass()
    for passes in (counting, builder.getModulePassManager()):
        passes.run(module, builder)
