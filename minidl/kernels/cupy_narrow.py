"""Products with few columns, as a classifier's last layer has them: for those cuBLAS is far from what a GPU can do."""

import functools
from typing import Any

import numpy as np

from ..backend import array_module
from .cupy_launch import launch
from .cupy_sources import ACTIVATIONS, REALS

MOST = 16  # columns: each thread holds a sum for each of them
_TOGETHER = 4  # rows of a block, which reads the weights once for all of them
_WARPS = 8


@functools.cache
def source(dtype: str, activation: str | None, outputs: int) -> str:
    """``narrow_forward``: y = activation(x weight + bias); ``narrow_back``: d weightᵀ. Row by row, so many `outputs`.

    The order of the sums depends on the sizes alone.
    """
    value, _ = ACTIVATIONS[activation]
    return f"""
typedef {REALS[dtype]} real;
__device__ real activated(real a) {{ return {value}; }}

// 8 warps share 4 rows: each takes every eighth piece of 32 products.
extern "C" __global__ void narrow_forward(
    const real* x, const real* weight, const real* bias, real* y, int rows, int inner)
{{
    const int first = blockIdx.x * {_TOGETHER}, thread = threadIdx.y * 32 + threadIdx.x;
    real sums[{_TOGETHER * outputs}];
#pragma unroll
    for (int i = 0; i < {_TOGETHER * outputs}; i++) sums[i] = 0;
    for (int k = thread; k < inner; k += {32 * _WARPS}) {{
        real w[{outputs}];
#pragma unroll
        for (int n = 0; n < {outputs}; n++) w[n] = weight[(long long)k * {outputs} + n];
#pragma unroll
        for (int r = 0; r < {_TOGETHER}; r++) {{
            int row = first + r < rows ? first + r : rows - 1;
            real value = x[(long long)row * inner + k];
#pragma unroll
            for (int n = 0; n < {outputs}; n++) sums[r * {outputs} + n] += value * w[n];
        }}
    }}
    __shared__ real part[{_WARPS}][{_TOGETHER * outputs}];
#pragma unroll
    for (int i = 0; i < {_TOGETHER * outputs}; i++) {{
        real sum = sums[i];
        for (int k = 16; k > 0; k /= 2) sum += __shfl_xor_sync(0xffffffff, sum, k);
        if (threadIdx.x == i % 32) part[threadIdx.y][i] = sum;
    }}
    __syncthreads();
    if (thread >= {_TOGETHER * outputs} || first + thread / {outputs} >= rows) return;
    real whole = 0;
    for (int warp = 0; warp < {_WARPS}; warp++) whole += part[warp][thread];
    y[(long long)first * {outputs} + thread] = activated(whole + bias[thread % {outputs}]);
}}

extern "C" __global__ void narrow_back(const real* d, const real* weight, real* dx, int rows, int inner)
{{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= inner) return;
    real w[{outputs}];
#pragma unroll
    for (int n = 0; n < {outputs}; n++) w[n] = weight[(long long)column * {outputs} + n];
    for (int row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {{
        real sum = 0;
#pragma unroll
        for (int n = 0; n < {outputs}; n++) sum += d[(long long)row * {outputs} + n] * w[n];
        dx[(long long)row * inner + column] = sum;
    }}
}}
"""


def forward(x: Any, weight: Any, bias: Any, activation: str | None) -> Any:
    """activation(x @ weight + bias): (B, in), (in, out), (out,) -> (B, out), of at most `MOST` columns."""
    xp, (rows, inner), outputs = array_module(x), x.shape, weight.shape[1]
    y = xp.empty((rows, outputs), x.dtype)
    blocks, sizes = (-(-rows // _TOGETHER),), (np.int32(rows), np.int32(inner))
    arrays = xp.ascontiguousarray(x), xp.ascontiguousarray(weight), bias, y
    launch(source(x.dtype.name, activation, outputs), "narrow_forward", blocks, (32, _WARPS), *arrays, *sizes)
    return y


def back(d: Any, weight: Any) -> Any:
    """d @ weight.T: (B, out), (in, out) -> (B, in), for at most `MOST` columns of d."""
    xp, rows, (inner, outputs) = array_module(d), len(d), weight.shape
    dx = xp.empty((rows, inner), d.dtype)
    blocks, sizes = (-(-inner // 32), max(1, min(32, -(-rows // 8)))), (np.int32(rows), np.int32(inner))
    arrays = d, xp.ascontiguousarray(weight), dx
    launch(source(d.dtype.name, None, outputs), "narrow_back", blocks, (32, 8), *arrays, *sizes)
    return dx
