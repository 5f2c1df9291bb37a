"""One switch between NumPy and CuPy, and every random draw.

An operation runs where its inputs live: `array_module` reads the backend off an array.
`use_backend` decides only where *new* arrays are made. Random numbers are always drawn on
the CPU, by NumPy, so one seed gives one model on both backends.
"""

import copy
import os
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np

from .arrays import Array as Array
from .arrays import as_array, on_device
from .checks import checked_integer
from .contexts import Switch
from .errors import BackendError, DeviceMemoryError, MixedBackendError, StateError

__all__ = [
    "array_module",
    "backend_of",
    "current_backend",
    "generator",
    "seed",
    "tf32",
    "to_numpy",
    "use_backend",
    "uses_tf32",
]

# What else kernels/ offers, by what it does and for which backend. What is not here is done without.
registry: dict[tuple[str, str], Callable[..., Any]] = {}

Backend: TypeAlias = Literal["numpy", "cupy"]
_BACKENDS = get_args(Backend)


class _Streams:
    """Random streams, by purpose, and the seed that they were started from."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self.by_purpose: dict[str, np.random.Generator] = {}

    def copied(self) -> "_Streams":
        """Independent streams in the same state as these."""
        streams = _Streams(self.seed)
        for purpose, stream in self.by_purpose.items():
            streams.by_purpose[purpose] = copy.deepcopy(stream)
        return streams

    def take_over(self, other: "_Streams") -> None:
        """Continue with the state of `other`."""
        self.seed, self.by_purpose = other.seed, other.by_purpose


class _Here(threading.local):
    streams: _Streams | None = None  # those that a training of this thread draws from


_process = _Streams()
_here = _Here()


def array_module(array: Any) -> Any:
    """The namespace whose functions take `array`: ``numpy`` or ``cupy``.

    Python numbers and sequences count as NumPy's. An array of another library is asked for
    its ``__array_namespace__`` (the array API standard).
    """
    if isinstance(array, np.ndarray):
        return np
    kind = type(array)
    if kind.__module__.partition(".")[0] == "cupy":
        return sys.modules["cupy"]
    namespace = getattr(array, "__array_namespace__", None)
    return np if namespace is None or isinstance(array, np.generic) else namespace()


def backend_of(array: Any) -> Backend:
    """The name of the backend that `array` lives on: ``"numpy"`` or ``"cupy"``."""
    return array_module(array).__name__


def module_of(name: str) -> ModuleType:
    """The module behind a backend's name, ready for use.

    Raises `BackendError` if the name is unknown, CuPy is not installed, or it finds no GPU.
    """
    if name == "numpy":
        return np
    if name != "cupy":
        raise BackendError(f"unknown backend {name!r}: choose one of {', '.join(map(repr, _BACKENDS))}")
    try:
        import cupy
    except ImportError as error:
        raise BackendError(
            "backend 'cupy' needs CuPy, which is not installed: pip install 'minidl[cuda12]' or "
            "'minidl[cuda13]', whichever your NVIDIA driver supports (`nvidia-smi` shows its CUDA version)"
        ) from error
    try:
        cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise BackendError(
            f"backend 'cupy' needs an NVIDIA GPU; CuPy {cupy.__version__} is installed but found none "
            f"({error}): check that `nvidia-smi` lists one, or use_backend('numpy')"
        ) from error
    return cupy


class use_backend(Switch[Backend]):
    """Choose where new arrays are made: ``use_backend("cupy")``, or ``with use_backend("cupy"):``.

    Called, it sets the backend from here on, for the whole process, all its threads; used in a ``with``, it sets it
    back at the end of the block, and as a decorator it holds for the function's body. The same object may be used
    again, and within itself. Arrays that exist already stay where they are. The environment variable
    ``MINIDL_BACKEND`` sets the one to start with.

    Args:
        name: "numpy" or "cupy".

    Raises:
        BackendError: if the name is unknown, CuPy is not installed, or it finds no GPU.
    """

    now: ClassVar[Backend] = "numpy"

    def __init__(self, name: Backend) -> None:
        module_of(name)
        self.name = name
        super().__init__(name)


def current_backend() -> Backend:
    """The name of the backend on which new arrays are made."""
    return use_backend.now


def to_backend(array: Any, name: Backend) -> Array:
    """`array` on the backend `name`; the same object if it is there already."""
    here = backend_of(array)
    if here == name:
        return array
    return to_numpy(array) if name == "numpy" else module_of(name).asarray(array)


def to_numpy(array: Any) -> np.ndarray:
    """`array` (or a Tensor) as a NumPy array: a copy if it was on the GPU, the same memory if not.

    Raises `DTypeError` for what `as_array` refuses.
    """
    if type(array) is np.ndarray:
        return array
    if on_device(type(array)):
        return np.asarray(array.get())
    return np.asarray(array.numpy()) if hasattr(array, "numpy") else as_array(array, "to_numpy")


def same_backend(where: str, *arrays: Any) -> None:
    """Raise `MixedBackendError`, naming both sides and the fix, if `arrays` do not share a backend."""
    names = [backend_of(a) for a in arrays if hasattr(a, "dtype") and not isinstance(a, np.generic)]
    for name in names:
        if name != names[0]:
            raise MixedBackendError(
                f"{where}: one argument is a {names[0]} array and another a {name} array; minidl moves nothing "
                f"silently: move one of them with .to({names[0]!r}) or .to({name!r}) (a model: model.to(...))"
            )


def out_of_memory(where: str, values: Iterable[Any], error: MemoryError) -> DeviceMemoryError:
    """The error to raise for `error`, which the op or the step `where` met on the arrays among `values`."""
    arrays = [v for v in values if hasattr(v, "shape")]
    device = "the GPU" if any(backend_of(a) != "numpy" for a in arrays) else "the CPU"
    given = ", ".join(f"{a.dtype}{list(a.shape)}" for a in arrays)
    batch = f", a batch of {arrays[0].shape[0]}" if arrays and len(arrays[0].shape) > 1 else ""
    return DeviceMemoryError(
        f"{where}: {device} has no memory left for it (given {given}{batch}): use a smaller batch_size or model, or "
        f"drop what holds arrays and is not needed (results with a graph behind them above all), then go on ({error})"
    )


def tf32(on: bool) -> None:
    """Let matrix products of float32 on the GPU round their factors to TF32, or (as at the start) not.

    TF32 keeps 10 of float32's 23 bits of mantissa: an error of about 1e-3 of each factor, for products several
    times as fast, on GPUs from Ampere on (on older ones it changes nothing, and CuPy warns). For the whole
    process; the environment variable ``CUPY_TF32=1`` starts with it on. Raises `BackendError` as `use_backend` does.
    """
    types = module_of("cupy")._core._routines_linalg  # CuPy has the variable documented, but no function for it
    types.set_compute_type(np.dtype("float32"), types.COMPUTE_TYPE_TF32 if on else types.COMPUTE_TYPE_DEFAULT)


def uses_tf32() -> bool:
    """Whether matrix products of float32 on the GPU round to TF32 now. Raises `BackendError` as `use_backend` does."""
    types = module_of("cupy")._core._routines_linalg
    return bool(types.get_compute_type(np.dtype("float32")) == types.COMPUTE_TYPE_TF32)


def seed(n: int) -> None:
    """Start all of minidl's random streams anew from `n`.

    Same seed, same machine: the same initial values, shuffles and dropout masks, on either
    backend. The streams belong to the process: threads that draw from them at the same time share them. A training
    (`fit`) draws from copies of its own, taken when it begins; when it ends, the process's streams go on from where
    those have come to.

    Args:
        n: an integer of at least 0.

    Raises:
        OptionError: if `n` is anything else.
    """
    _streams().take_over(_Streams(checked_integer(n, "seed: n", 0)))


def generator(purpose: str) -> "np.random.Generator":
    """The CPU random generator for a purpose: "init", "shuffle", "dropout", "split", "sample" or "augment".

    Each purpose has its own stream, so adding dropout to a model changes neither
    its initial weights nor the order of its batches.
    """
    streams = _streams()
    found = streams.by_purpose.get(purpose)
    if found is None:
        key = zlib.crc32(purpose.encode())
        fresh = np.random.default_rng(None if streams.seed is None else [streams.seed, key])
        found = streams.by_purpose.setdefault(purpose, fresh)
    return found


@contextmanager
def own_streams() -> Iterator[None]:
    """Within the block this thread draws from copies of the random streams, taken as the block begins.

    So what it draws does not depend on what other threads draw meanwhile. At the end of the block the streams outside
    continue from the state of the copies.
    """
    before, outer = _here.streams, _streams()
    _here.streams = mine = outer.copied()
    try:
        yield
    finally:
        _here.streams = before
        outer.take_over(mine)


def rng_state() -> dict[str, Any]:
    """The state of all of minidl's random streams, as JSON values, for `restore_rng`."""
    streams = _streams()
    return {
        "seed": streams.seed,
        "streams": {name: stream.bit_generator.state for name, stream in streams.by_purpose.items()},
    }


def restore_rng(state: dict[str, Any]) -> None:
    """Put the random streams into a `state` from `rng_state`. Raises `StateError`; nothing has changed then."""
    try:
        restored = _Streams(None if state["seed"] is None else int(state["seed"]))
        for name, at in state["streams"].items():
            restored.by_purpose[name] = np.random.default_rng(0)
            restored.by_purpose[name].bit_generator.state = at
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise StateError(f"this is not a state of minidl's random streams ({error})") from error
    _streams().take_over(restored)


def _streams() -> _Streams:
    """The streams that this thread draws from."""
    return _here.streams or _process


if "MINIDL_BACKEND" in os.environ:
    use_backend(os.environ["MINIDL_BACKEND"])  # type: ignore[arg-type]  # which refuses other names
