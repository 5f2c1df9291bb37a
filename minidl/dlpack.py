"""Memory shared with other libraries by DLPack, the array API standard's way: with NumPy, PyTorch, JAX, CuPy, ...

What goes out and what comes in is the array itself, never a copy that was not asked for; a GPU's memory stays there.
"""

from typing import Any

import numpy as np

from .backend import module_of
from .construct import source
from .errors import DTypeError, GradientError
from .node import Node, wrap

CPU, CUDA = 1, 2  # DLPack's numbers for kinds of devices: of CUDA's, what a processor cannot read
_FIRST_PROTOCOL = np.lib.NumpyVersion(np.__version__) < "2.1.0"  # this NumPy's arrays know no option but `stream`


class Exported(Node):
    """How a `Tensor` hands its memory to another library."""

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The array in a capsule, for ``numpy.from_dlpack(tensor)`` and its like: they call this.

        Args:
            stream: on a GPU, the stream that will read it.
            max_version: of the protocol, that the caller understands.
            dl_device: where it is wanted; nothing is moved, so the only one allowed is `__dlpack_device__`.
            copy: True for memory of its own; False and None share this Tensor's.

        Raises:
            GradientError: if this Tensor requires a gradient.
            BufferError: for another device; for an array that is read-only, if the caller cannot be told so.
        """
        if self.requires_grad:
            raise GradientError(
                f"__dlpack__: a Tensor of shape {self.shape} that requires a gradient cannot be handed to another "
                f"library, which would tell minidl nothing of what it does with it: give .detach() of it"
            )
        if not (_FIRST_PROTOCOL and isinstance(self._array, np.ndarray)):
            return self._array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)
        if dl_device not in (None, self.__dlpack_device__()):
            raise BufferError(f"__dlpack__: this Tensor is on device {self.__dlpack_device__()}, not on {dl_device}")
        return (self._array.copy() if copy else self._array).__dlpack__(stream=stream)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The kind of the device, by DLPack's numbers, and which one: (1, 0) is the CPU, (2, 0) the first GPU."""
        device: tuple[int, int] = self._array.__dlpack_device__()
        return tuple(map(int, device))  # type: ignore[return-value]  # two, as the standard has it


def from_dlpack(array: Any) -> Any:
    """A Tensor that shares the memory of another library's `array`: what is written into the one is seen in the other.

    Args:
        array: whatever has ``__dlpack__``: an array of NumPy, PyTorch, JAX, CuPy, TensorFlow, ... On an NVIDIA GPU the
            result is a CuPy array's Tensor, without a way by the CPU.

    Returns:
        A Tensor without history, of that dtype. Writing into it is refused where the other library (or a NumPy before
        2.2.6) does not say that it may be written.

    Raises:
        GradientError: for an array that requires a gradient.
        DTypeError: for what has no ``__dlpack__``, and for what NumPy has no dtype or no device for.
        BackendError: for a GPU's array, without CuPy.
    """
    if not hasattr(array, "__dlpack__"):
        raise DTypeError(
            f"from_dlpack: a {type(array).__name__} has no __dlpack__: minidl.Tensor(...) reads numbers, lists, and "
            f"all that numpy.asarray does"
        )
    if getattr(array, "requires_grad", False):
        raise GradientError(
            f"from_dlpack: this {type(array).__name__} requires a gradient, which does not pass from library to "
            f"library: give .detach() of it"
        )
    on_gpu = array.__dlpack_device__()[0] == CUDA
    library = module_of("cupy") if on_gpu else np
    try:
        taken = library.from_dlpack(array)
    except (RuntimeError, BufferError) as error:
        kind, dtype = type(array).__name__, getattr(array, "dtype", "unknown dtype")
        raise DTypeError(f"from_dlpack: this {kind} of {dtype} cannot be shared: {error}") from error
    return wrap(source(taken, False, None, None))
