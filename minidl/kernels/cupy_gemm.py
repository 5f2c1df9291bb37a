"""Matrix products while a CUDA graph is recorded.

For ``a @ b`` CuPy calls cuBLAS, but it refuses to while its stream is capturing. cuBLAS itself does not mind, so
for that time it is called here directly, through a handle of our own; at all others ``a @ b`` is CuPy's.
"""

import ctypes
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from ..backend import uses_tf32
from ..errors import BackendError, UnsupportedError

WORKSPACE = 32 << 20  # bytes: what cuBLAS asks for on Hopper; given beforehand, it need not allocate while recording
_KINDS = {
    np.dtype("float32"): ("cublasSgemm_v2", ctypes.c_float),
    np.dtype("float64"): ("cublasDgemm_v2", ctypes.c_double),
}
_TF32_MATH = 3  # CUBLAS_TF32_TENSOR_OP_MATH


class _Here(threading.local):
    active: "Products | None" = None  # those of the step that this thread is capturing


_here = _Here()


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """The product of two matrices, ``a @ b``, in `out` if that is given: by CuPy, or by the `Products` in use."""
    if _here.active is not None:
        return _here.active.matmul(a, b, out)
    if out is None:
        return a @ b
    out[...] = a @ b
    return out


def matmul_transposed(a: Any, b: Any) -> Any:
    """``a @ b.T``, as `matmul`."""
    return matmul(a, b.T)


def beside(*arrays: Any) -> AbstractContextManager[None]:
    """A block whose launches nobody waits for before `join`, where a step is being recorded; they may read `arrays`."""
    return nullcontext() if _here.active is None else _here.active.beside(*arrays)


def join() -> None:
    """Let what is launched from now on wait for what was launched `beside`."""
    if _here.active is not None:
        _here.active.join()


class Products:
    """Matrix products on `stream`, a CuPy stream, that may be recorded there; keep it as long as the recording.

    `other` is a stream for what is done `beside`. Raises `BackendError` if cuBLAS is not found or refuses.
    """

    def __init__(self, stream: Any, other: Any) -> None:
        import cupy

        self._library = library(cupy.cuda.runtime.runtimeGetVersion() // 1000)
        self._streams = stream, other
        self._workspaces = [cupy.empty(WORKSPACE, np.uint8) for _ in self._streams]
        self._handles = [self._handle(*pair) for pair in zip(self._streams, self._workspaces, strict=True)]
        self._now = 0  # the number of the stream in use
        self._beside = False  # whether the other one is used at all
        self._waiting: list[Any] = []  # arrays that are read beside, and so must not be freed

    def _handle(self, stream: Any, workspace: Any) -> ctypes.c_void_p:
        """A cuBLAS handle that works on `stream`, in `workspace`."""
        handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(handle))
        weakref.finalize(self, self._library.cublasDestroy_v2, handle)
        self._call("cublasSetStream_v2", handle, ctypes.c_void_p(stream.ptr))
        place, size = ctypes.c_void_p(workspace.data.ptr), ctypes.c_size_t(WORKSPACE)
        self._call("cublasSetWorkspace_v2", handle, place, size)
        if uses_tf32():
            self._call("cublasSetMathMode", handle, ctypes.c_int(_TF32_MATH))
        return handle

    @contextmanager
    def active(self, beside: bool) -> Iterator[None]:
        """Within the block this thread's `matmul` is by these; `beside`: whether anything is done on the other stream.

        Nothing is to be where two gradients of a parameter are added up, nor where products are so large that each
        fills the GPU: even a small one beside it then makes it wait for a second round (L1: 58 µs became 105).
        """
        before, _here.active = _here.active, self
        self._beside = beside
        try:
            yield
        finally:
            _here.active = before

    @contextmanager
    def beside(self, *arrays: Any) -> Iterator[None]:
        """See the function of that name."""
        if not self._beside or self._now:
            yield
            return
        here, other = self._streams
        other.wait_event(here.record())
        self._waiting += arrays
        self._now = 1
        try:
            with other:
                yield
        finally:
            self._now = 0

    def join(self) -> None:
        """See the function of that name."""
        if self._waiting:
            here, other = self._streams
            here.wait_event(other.record())
            self._waiting.clear()

    def matmul(self, a: Any, b: Any, out: Any = None) -> Any:
        """``a @ b``, in `out` if that is given, which must be contiguous.

        Raises `UnsupportedError` unless both are float32 or both float64.
        """
        import cupy

        if a.dtype != b.dtype or a.dtype not in _KINDS:
            raise UnsupportedError(f"a recorded step multiplies float32 or float64, not {a.dtype} by {b.dtype}")
        out = cupy.empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out
        function, real = _KINDS[a.dtype]
        a, b, transpositions, sizes, strides = arranged(a, b)
        one, zero = ctypes.byref(real(1)), ctypes.byref(real(0))
        first, second, result = (ctypes.c_void_p(m.data.ptr) for m in (b, a, out))
        lda, ldb, ldc = strides
        self._call(
            function, self._handles[self._now], *transpositions, *sizes, one, first, lda, second, ldb, zero, result, ldc
        )
        return out

    def _call(self, function: str, *args: Any) -> None:
        status = getattr(self._library, function)(*args)
        if status:
            raise BackendError(f"{function} failed with cuBLAS status {status}")


def arranged(a: Any, b: Any) -> tuple[Any, Any, list[int], list[int], list[int]]:
    """How to ask cuBLAS, which reads columns first, for the row-first product ``a @ b``.

    Read columns first, a row-first matrix is its own transpose, and (a b)ᵀ = bᵀ aᵀ: so b is the first operand.
    Returns a and b (copied if neither way of reading fits), and in cuBLAS' order whether to transpose, the
    three sizes, and the distances from one column to the next.
    """
    operands, transposed, strides = [], [], []
    for m in (b, a):
        if not (m.flags.c_contiguous or m.flags.f_contiguous):
            m = m.copy()
        operands.append(m)
        transposed.append(int(not m.flags.c_contiguous))
        strides.append(max(1, m.shape[1] if m.flags.c_contiguous else m.shape[0]))
    (rows, inner), columns = a.shape, b.shape[1]
    return operands[1], operands[0], transposed, [columns, rows, inner], [*strides, max(1, columns)]


def library(major: int) -> Any:
    """The cuBLAS of CUDA `major` that CuPy has loaded. Raises `BackendError` if there is none."""
    name = f"cublas64_{major}.dll" if sys.platform == "win32" else f"libcublas.so.{major}"
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise BackendError(f"{name} is needed to record a step as a CUDA graph, and is not found: {error}") from error
