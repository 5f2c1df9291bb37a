"""Matrix products while a CUDA graph is recorded.

For ``a @ b`` CuPy calls cuBLAS, but it refuses to while its stream is capturing. cuBLAS itself does not mind, so
for that time it is called here directly, through a handle of our own; at all others ``a @ b`` is CuPy's.
"""

import ctypes
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
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


class Products:
    """Matrix products on `stream`, a CuPy stream, that may be recorded there; keep it as long as the recording.

    Raises `BackendError` if cuBLAS is not found or refuses.
    """

    def __init__(self, stream: Any) -> None:
        import cupy

        self._library = library(cupy.cuda.runtime.runtimeGetVersion() // 1000)
        self._handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self._handle))
        weakref.finalize(self, self._library.cublasDestroy_v2, self._handle)
        self._workspace = cupy.empty(WORKSPACE, np.uint8)
        self._call("cublasSetStream_v2", self._handle, ctypes.c_void_p(stream.ptr))
        size = ctypes.c_size_t(WORKSPACE)
        self._call("cublasSetWorkspace_v2", self._handle, ctypes.c_void_p(self._workspace.data.ptr), size)
        if uses_tf32():
            self._call("cublasSetMathMode", self._handle, ctypes.c_int(_TF32_MATH))

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within the block this thread's `matmul` is by these."""
        before, _here.active = _here.active, self
        try:
            yield
        finally:
            _here.active = before

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
        self._call(function, self._handle, *transpositions, *sizes, one, first, lda, second, ldb, zero, result, ldc)
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
