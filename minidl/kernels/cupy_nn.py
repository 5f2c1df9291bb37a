"""CuPy kernels for the compositions that training an MLP spends its time in, and for gathering batches.

Each is pinned to its composition by tests/kernels/test_cupy_kernels.py, where the same source runs on the CPU, and by
tests/gpu. They are written for float32 and float64; anything else goes through the composition. None of them
waits for the GPU.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import ops
from ..autograd import recording, wrap
from ..backend import array_module, registry
from ..backward import gradients
from ..fusable import Fusable
from . import cupy_gemm, cupy_narrow, cupy_sources
from .cupy_launch import launch
from .cupy_sources import ACTIVATIONS, LANES, REALS
from .shelf import kernel
from .slots import gradient_like, is_one

_TILE = 32  # columns of a block of threads, of which a warp reads one row at a time
_NARROW = 8  # columns of such a block where there are few blocks else: as many as the GPU reads from memory at once
_FEW = 128  # blocks: about as many as a large GPU executes side by side
_MOST = 65535  # blocks along y that CUDA allows
_LONG = 1024  # rows from which on several blocks share a column, which takes a second kernel, ...
_ROWS = 128  # ... and how many of them each of those takes at least
_ONE_BLOCK = (
    2048  # threads' work on losses that one block does and adds up: that is faster than to start a second kernel
)


@kernel(ops.dense, "cupy")
class Dense:
    """A matrix product and a pass for bias and activation; backward, one pass before the two matrix products."""

    @staticmethod
    def forward(x: Any, weight: Any, bias: Any, activation: str | None) -> tuple[Any, Any]:
        arrays = (x, weight) if bias is None else (x, weight, bias)
        if activation not in ACTIVATIONS or not _alike(*arrays) or weight.ndim != 2 or not x.ndim:
            return ops.dense.compose((x, weight, bias, activation)), None
        xp, (inputs, outputs) = array_module(x), weight.shape
        rows = x.reshape(-1, inputs)
        if outputs <= cupy_narrow.MOST:
            bias = xp.zeros(outputs, x.dtype) if bias is None else xp.ascontiguousarray(bias)
            return cupy_narrow.forward(rows, weight, bias, activation).reshape(*x.shape[:-1], outputs), True
        y = cupy_gemm.matmul(rows, weight)
        if bias is not None or activation is not None:
            bias = xp.zeros(outputs, y.dtype) if bias is None else xp.ascontiguousarray(bias)
            blocks = _tiles(outputs), _at_most(-(-len(y) // 8), _MOST)
            sizes = np.int32(len(y)), np.int32(outputs)
            launch(cupy_sources.dense(y.dtype.name, activation), "dense_forward", blocks, (_TILE, 8), y, bias, *sizes)
        return y.reshape(*x.shape[:-1], outputs), True

    @staticmethod
    def backward(
        g: Any, y: Any, saved: Any, wanted: list[int], x: Any, weight: Any, bias: Any, activation: str | None
    ) -> list[Any]:
        if saved is None:
            return _through_composition(ops.dense, g, wanted, x, weight, bias, activation)
        inputs, outputs = weight.shape
        xp = array_module(y)
        rows, g, y = x.reshape(-1, inputs), *(xp.ascontiguousarray(v).reshape(-1, outputs) for v in (g, y))
        source = cupy_sources.dense(y.dtype.name, activation)
        bias_gradient = gradient_like(bias) if 2 in wanted else xp.empty(outputs, y.dtype)
        d = g
        if activation is not None:  # the sums come with it
            d = xp.empty_like(g)
            _down_columns(source, "dense_backward", bias_gradient, g, y, d)
        found = dict.fromkeys(wanted, bias_gradient)
        if 0 in wanted:
            product = cupy_narrow.back if outputs <= cupy_narrow.MOST else cupy_gemm.matmul_transposed
            found[0] = product(d, weight).reshape(x.shape)
        # The layer before waits for that one alone.
        with cupy_gemm.beside(d, rows) if 0 in wanted else nullcontext():
            if activation is None and 2 in wanted:
                _down_columns(source, "column_sums", bias_gradient, g)
            if 1 in wanted:
                found[1] = cupy_gemm.matmul(rows.T, d, gradient_like(weight))
        return [found[i] for i in wanted]


@kernel(ops.softmax_cross_entropy, "cupy")
class SoftmaxCrossEntropy:
    """Loss and gradient from one kernel. A label that is none of the classes makes its row NaN, and so the mean."""

    @staticmethod
    def forward(logits: Any, labels: Any, reduction: str) -> tuple[Any, Any]:
        if not _alike(logits) or logits.ndim != 2 or not logits.size:
            return ops.softmax_cross_entropy.compose((*_marked(logits, labels), reduction)), None
        xp, (rows, classes) = array_module(logits), logits.shape
        dtype = logits.dtype
        scale = dtype.type(1 / rows if reduction == "mean" else 1)
        lanes = next((n for n in LANES if 4 * n >= classes), LANES[-1])
        source = cupy_sources.softmax_cross_entropy(dtype.name, labels.dtype.name, lanes)
        logits, labels = xp.ascontiguousarray(logits), xp.ascontiguousarray(labels)
        losses, d = xp.empty(rows, dtype), xp.empty_like(logits)
        arrays, sizes = (logits, labels, losses, d), (np.int32(rows), np.int32(classes), scale)
        if reduction != "none" and rows * lanes <= _ONE_BLOCK:
            loss = xp.empty((), dtype)
            launch(source, "softmax_cross_entropy_total", (1,), (lanes, 1024 // lanes), *arrays, loss, *sizes)
            return loss, d
        together = 256 // lanes  # rows of a block
        launch(source, "softmax_cross_entropy", (-(-rows // together),), (lanes, together), *arrays, *sizes)
        if reduction == "none":
            return losses, d
        loss = xp.empty((), dtype)
        launch(source, "total", (1,), (1024,), losses, loss, np.int32(rows), scale)
        return loss, d

    @staticmethod
    def backward(g: Any, y: Any, saved: Any, wanted: list[int], logits: Any, labels: Any, reduction: str) -> list[Any]:
        if saved is None:
            return _through_composition(ops.softmax_cross_entropy, g, wanted, *_marked(logits, labels), reduction)
        if is_one(g):
            return [saved]
        return [saved * (g[:, None] if reduction == "none" else g)]


@kernel(ops.batch_norm, "cupy")
class BatchNorm:
    """One kernel forward, which saves the mean and 1 / √(variance + eps) of each feature; one backward."""

    @staticmethod
    def forward(x: Any, gamma: Any, beta: Any, eps: float) -> tuple[Any, Any]:
        if not _alike(x, gamma, beta) or x.ndim != 2 or not x.size:
            return ops.batch_norm.compose((x, gamma, beta, eps)), None
        xp, width = array_module(x), x.shape[1]
        x, gamma, beta = (xp.ascontiguousarray(a) for a in (x, gamma, beta))
        y, means, inverses = xp.empty_like(x), xp.empty(width, x.dtype), xp.empty(width, x.dtype)
        sizes = np.int32(len(x)), np.int32(width), x.dtype.type(eps)
        arrays = x, gamma, beta, y, means, inverses
        source = cupy_sources.batch_norm(x.dtype.name)
        launch(source, "batch_norm_forward", *_columns(width), *arrays, *sizes)
        return y, (means, inverses)

    @staticmethod
    def backward(g: Any, y: Any, saved: Any, wanted: list[int], x: Any, gamma: Any, beta: Any, eps: float) -> list[Any]:
        if saved is None:
            return _through_composition(ops.batch_norm, g, wanted, x, gamma, beta, eps)
        xp, width = array_module(x), x.shape[1]
        found = [xp.empty(x.shape, x.dtype), gradient_like(gamma), gradient_like(beta)]
        g, x, gamma = (xp.ascontiguousarray(a) for a in (g, x, gamma))
        source = cupy_sources.batch_norm(x.dtype.name)
        sizes = np.int32(len(x)), np.int32(width)
        arrays = g, x, gamma, *saved, *found
        launch(source, "batch_norm_backward", *_columns(width), *arrays, *sizes)
        return [found[i] for i in wanted]


def gather(inputs: Any, labels: Any, order: Any, step: Any, stride: int, x: Any, y: Any, later: int = 0) -> None:
    """Write one batch into `x` (B, D) and `y` (B,): samples ``order[(step + later) * stride:][:B]`` of (N, D) and (N,).

    `step` is one integer in the GPU's memory, `order` (M,) int64. uint8 inputs come out as float32 in [0, 1].
    """
    rows, width = x.shape
    wide = 1 if width % 4 else 4
    source = cupy_sources.gather(inputs.dtype.name, labels.dtype.name, wide)
    width //= wide
    blocks = _tiles(width), _at_most(-(-rows // 8), _MOST)
    place, sizes = (np.int64(later), np.int64(stride)), (np.int32(rows), np.int32(width))
    launch(source, "gather", blocks, (_TILE, 8), inputs, labels, order, step, *place, x, y, *sizes)


registry["gather", "cupy"] = gather


def follow(running_mean: Any, running_var: Any, x: Any, momentum: float) -> bool:
    """Let BatchNorm's running statistics (D,) follow the batch `x` (B, D), in place; see `nn.BatchNorm`.

    Returns False, and does nothing, for dtypes that the kernel is not written for.
    """
    if not _alike(x, running_mean, running_var):
        return False
    x, real = array_module(x).ascontiguousarray(x), x.dtype.type
    sizes = np.int32(len(x)), np.int32(x.shape[1])
    source = cupy_sources.batch_norm(x.dtype.name)
    numbers = real(momentum), real(1 - momentum)
    with cupy_gemm.beside(x):
        launch(source, "batch_norm_follow", *_columns(x.shape[1]), x, running_mean, running_var, *sizes, *numbers)
    return True


registry["follow", "cupy"] = follow


def count_hits(outputs: Any, labels: Any) -> Any:
    """How many rows of `outputs` (B, C) are largest where `labels` (B,) say: an int64 array of dimension 0; or None.

    None for dtypes that the kernel is not written for.
    """
    if outputs.dtype.name not in REALS:
        return None
    xp = array_module(outputs)
    hits = xp.zeros((), np.int64)
    source, threads, sizes = _rows_at_once(outputs, labels)
    arrays = xp.ascontiguousarray(outputs), xp.ascontiguousarray(labels), hits
    launch(source, "count_hits", (1,), (threads,), *arrays, *sizes)
    return hits


registry["count_hits", "cupy"] = count_hits


def tally(outputs: Any, labels: Any, loss: Any, last: Any, losses: Any, hits: Any, step: Any, made: int) -> None:
    """Take note of a batch: `outputs` (B, C), `labels` (B,) and its mean `loss`; four arrays of dimension 0 follow.

    `last` becomes the loss and `losses` grows by B times that, both float64; `hits`, int64, grows by the number of
    correct answers, and `step`, int64, by `made`.
    """
    source, threads, sizes = _rows_at_once(outputs, labels)
    outputs = array_module(outputs).ascontiguousarray(outputs)
    arrays = outputs, labels, loss, last, losses, hits, step
    launch(source, "tally", (1,), (threads,), *arrays, np.int64(made), *sizes)


def _rows_at_once(outputs: Any, labels: Any) -> tuple[str, int, tuple[np.int32, np.int32]]:
    """The source of the kernels that look at each row of `outputs`; how many threads do; the two sizes."""
    rows, classes = outputs.shape
    threads = 32
    while threads < min(rows, 1024):
        threads *= 2
    return cupy_sources.tally(outputs.dtype.name, labels.dtype.name), threads, (np.int32(rows), np.int32(classes))


def _alike(*arrays: Any) -> bool:
    """Whether all are of one dtype, and that is one the kernels are written for."""
    return arrays[0].dtype.name in REALS and all(a.dtype == arrays[0].dtype for a in arrays)


def _through_composition(op: Fusable[...], g: Any, wanted: Sequence[int], *args: Any) -> list[Any]:
    """The gradients of the arguments numbered in `wanted`, as the composition has them."""
    nodes = list(args)
    for i in wanted:
        nodes[i] = wrap(args[i])
        nodes[i].requires_grad = True
    with recording(True):
        y = op.compose(nodes)
    return [found.data for found in gradients(y, [nodes[i] for i in wanted], g)]


def _marked(logits: Any, labels: Any) -> tuple[Any, Any]:
    """The same, but NaN and 0 where a label is none of the classes, as the kernel would have it."""
    xp = array_module(logits)
    wrong = (labels < 0) | (labels >= logits.shape[1])
    return xp.where(wrong[:, None], logits.dtype.type("nan"), logits), xp.where(wrong, labels.dtype.type(0), labels)


def _down_columns(source: str, name: str, sums: Any, d: Any, *others: Any) -> None:
    """Start the kernel `name`, which writes sums down the columns of `d` (B, n) to `sums` (n,)."""
    rows, width = d.shape
    # Blocks that share a column write a row of sums each.
    shared = 1 if rows < _LONG else _at_most(rows // _ROWS, 64)
    partial = sums if shared == 1 else array_module(d).empty((shared, width), d.dtype)
    blocks, threads = _columns(width, shared)
    launch(source, name, (*blocks, shared), threads, d, *others, partial, np.int32(rows), np.int32(width))
    if shared > 1:
        _down_columns(source, "column_sums", sums, partial)


def _columns(width: int, shared: int = 1) -> tuple[tuple[int], tuple[int, int]]:
    """How many blocks of how many threads sum `width` columns, if so many blocks share each of them."""
    across = _TILE if _tiles(width) * shared >= _FEW else _NARROW
    return (max(1, -(-width // across)),), (across, 1024 // across)


def _tiles(width: int) -> int:
    return max(1, -(-width // _TILE))


def _at_most(wish: int, limit: int) -> int:
    return max(1, min(wish, limit))
