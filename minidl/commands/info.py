"""The command ``minidl info``: what a bug report needs, as plain text of 80 columns; nothing private but paths."""

import ctypes
import os
import platform
import re
import sys
import textwrap
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingExtraError
from ..hardware.processor import cpuinfo, processor
from ..hardware.threads import CORES, blas_threads
from ..train.engines.choose import OPTIONAL

PACKAGES = "numpy", "safetensors", "click", "rich", "numba", "llvmlite", "matplotlib", "pillow"
CUPY = "cupy", "cupy-cuda12x", "cupy-cuda13x"
ABSENT = "not installed"
_VECTORS = re.compile(r"sse4_2|avx\w*|fma|asimd\w*|sve\w*")


def report() -> str:
    """Versions, machine and cache: a name and what is known of it on each line."""
    return "\n".join(
        textwrap.fill(text, 80, initial_indent=f"{name:12}", subsequent_indent=" " * 12, break_on_hyphens=False)
        for name, text in _lines()
    )


def clear_cache() -> None:
    """Remove the machine code that minidl has compiled, and say what was removed. Raises `OSError`."""
    print(_machine_code().clear_all())


def build_cache() -> None:
    """Compile what is missing of it, and say how long each part took; raises as `stock.build_all` does."""
    for line in _machine_code().build_all():
        print(line, flush=True)


def _lines() -> Iterator[tuple[str, str]]:
    from .. import __file__ as file
    from .. import __version__

    yield "minidl", f"{__version__}, {Path(file).parent}"
    yield "Python", f"{platform.python_version()} {platform.python_implementation()}, {sys.executable}"
    yield from ((package, _version(package)) for package in PACKAGES)
    yield "cupy", next((found for found in map(_version, CUPY) if found != ABSENT), ABSENT)
    yield "extras", _extras()
    yield "system", platform.platform()
    yield "processor", f"{processor()}, {CORES} of its {os.cpu_count()} cores for this process"
    yield "vectors", " ".join(_vectors()) or "unknown"
    yield "BLAS", _blas()
    yield "GPU", _gpu()
    yield from zip(["cache", *9 * [""]], _cache(), strict=False)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ABSENT


def _extras() -> str:
    """Which of minidl's extras are installed, by what each of them requires."""
    try:
        required = metadata.requires("minidl") or []
    except metadata.PackageNotFoundError:
        return "unknown: minidl is run from its source"
    wanted: dict[str, list[str]] = {}
    for line in required:
        if (extra := re.search(r"extra == ['\"]([\w-]+)", line)) and (package := re.match(r"[\w.-]+", line)):
            wanted.setdefault(extra[1], []).append(package[0])
    return ", ".join(
        f"{extra} {'yes' if all(_version(package) != ABSENT for package in packages) else 'no'}"
        for extra, packages in wanted.items()
    )


def _vectors() -> list[str]:
    """The vector instructions of this processor, by their own names; on systems without /proc/cpuinfo, by NumPy's."""
    cpu = cpuinfo()
    flags = cpu.get("flags") or cpu.get("Features") or ""
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return [flag for flag in flags.split() if _VECTORS.fullmatch(flag)] or [
        *simd.get("baseline", []), *simd.get("found", [])
    ]  # fmt: skip


def _blas() -> str:
    """NumPy's BLAS: OpenBLAS reports its version and kernel; of another, what NumPy was built with."""
    config, kernel = _openblas("config"), _openblas("corename")
    if config and kernel:
        return f"{' '.join(config.split()[:2])}, kernel {kernel}, threads: {blas_threads()}"
    built = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()


def _openblas(what: str) -> str | None:
    """A string that NumPy's OpenBLAS reports, such as its "config"; None if there is no OpenBLAS."""
    try:
        library: Any = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    for name in (f"scipy_openblas_get_{what}64_", f"scipy_openblas_get_{what}", f"openblas_get_{what}"):
        if hasattr(library, name):
            function = getattr(library, name)
            function.restype = ctypes.c_char_p
            return str(function().decode())
    return None


def _gpu() -> str:
    """The GPU that minidl would run on, or why there is none."""
    if find_spec("cupy") is None:
        driver = Path("/proc/driver/nvidia/version").exists()
        return "not looked for: CuPy is not installed" + (", the NVIDIA driver is" if driver else "")
    try:
        import cupy

        runtime = cupy.cuda.runtime
        name = runtime.getDeviceProperties(0)["name"].decode()
        return f"{name}, {runtime.getDeviceCount()} in all, CUDA {runtime.runtimeGetVersion()}"
    except Exception as error:  # a missing or broken driver may raise anything
        return f"none that CuPy finds: {' '.join(str(error).split())}"


def _cache() -> list[str]:
    try:
        return _machine_code().state()
    except MissingExtraError as error:
        return [str(error)]


def _machine_code() -> Any:
    """The module that manages compiled machine code; `MissingExtraError` if its folder has been deleted."""
    try:
        from ..compiler.native.cache import stock
    except ModuleNotFoundError as missing:
        if missing.name not in OPTIONAL:
            raise
        raise MissingExtraError(f"no machine code is used: {missing.name} is not there") from missing
    return stock
