"""The CUDA source of the kernels, compiled by g++ and run on the CPU: how they compute where there is no GPU.

`launch` takes what kernels/cupy_launch.py's takes, on `StrictArray`s. Each thread of a block is a coroutine; at a
`__syncthreads` or a shuffle it waits for the block's others.
"""

import atexit
import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from strict import StrictArray

COMPILER = shutil.which("g++")
_OPTIONS = ["-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-w"]
_FOLDER = tempfile.TemporaryDirectory(prefix="cuda_on_cpu")
atexit.register(_FOLDER.cleanup)

_PRELUDE = r"""
#include <cmath>
#include <utility>
#include <ucontext.h>
using namespace std;
#define __global__ static
#define __device__ static
#define __shared__ static
struct Index { unsigned x, y, z; };
static Index threadIdx, blockIdx, blockDim, gridDim;
static const unsigned STACK = 16384;
static ucontext_t scheduler, thread[1024];
static char stack[1024][STACK];
static bool done[1024];
static unsigned current;
static void (*body)(void**);
static void** arguments;
static void __syncthreads() { swapcontext(&thread[current], &scheduler); }
template <class T> T __shfl_xor_sync(unsigned, T value, int lanes)
{
    static T slots[1024];
    slots[current] = value;
    __syncthreads();
    T other = slots[current ^ lanes];
    __syncthreads();
    return other;
}
template <class... A, size_t... I> void call(void (*kernel)(A...), void** args, index_sequence<I...>)
{
    kernel(*(A*)args[I]...);
}
template <class... A> void call(void (*kernel)(A...), void** args) { call(kernel, args, index_sequence_for<A...>()); }
static void start() { body(arguments); done[current] = true; }
static void run(const unsigned* sizes, void** args)
{
    gridDim = {sizes[0], sizes[1], sizes[2]}; blockDim = {sizes[3], sizes[4], sizes[5]}; arguments = args;
    unsigned count = blockDim.x * blockDim.y;
    for (blockIdx = {0, 0, 0}; blockIdx.y < gridDim.y; blockIdx.x + 1 < gridDim.x ? (void)++blockIdx.x : (void)(blockIdx = {0, blockIdx.y + 1, 0})) {
        for (unsigned t = 0; t < count; t++) {
            done[t] = false;
            getcontext(&thread[t]);
            thread[t].uc_stack.ss_sp = stack[t]; thread[t].uc_stack.ss_size = STACK; thread[t].uc_link = &scheduler;
            makecontext(&thread[t], start, 0);
        }
        for (unsigned left = count; left > 0;)
            for (unsigned t = 0; t < count; t++)
                if (!done[t]) {
                    current = t; threadIdx = {t % blockDim.x, t / blockDim.x, 0};
                    swapcontext(&scheduler, &thread[t]);
                    left -= done[t];
                }
    }
}
"""


@functools.cache
def _prelude():
    """The prelude's file, compiled once for all: it takes most of the time."""
    header = Path(_FOLDER.name) / "cuda_on_cpu.h"
    header.write_text(_PRELUDE)
    subprocess.run([COMPILER, *_OPTIONS, "-x", "c++-header", header], check=True)
    return header


@functools.cache
def library(source):
    """`source` as a shared library, with a function ``run_NAME`` for every kernel in it."""
    names = re.findall(r'extern "C" __global__ void (\w+)\(', source)
    entries = "".join(
        f'extern "C" void run_{n}(const unsigned* sizes, void** args) {{ body = [](void** a) {{ call({n}, a); }}; run(sizes, args); }}\n'
        for n in names
    )
    stem = Path(_FOLDER.name) / hashlib.sha256(source.encode()).hexdigest()[:16]
    stem.with_suffix(".cpp").write_text(source.replace('extern "C" __global__', "__global__") + entries)
    command = [COMPILER, *_OPTIONS, "-shared", "-include", _prelude(), "-o", f"{stem}.so", f"{stem}.cpp"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(f"{stem}.so")


def launch(source, name, blocks, threads, *args):
    """Run one kernel to its end, thread by thread."""
    sizes = [*blocks, *[1] * (3 - len(blocks)), *threads, *[1] * (3 - len(threads))]
    values = []
    for a in args:
        if isinstance(a, StrictArray):
            assert a._array.flags.c_contiguous, f"{name} was handed an array that is not contiguous"
            values.append(np.array(a._array.ctypes.data))
        else:
            assert isinstance(a, np.generic), f"{name} was handed {type(a)}: scalars need a type of their own"
            values.append(np.array(a))
    pointers = (ctypes.c_void_p * len(values))(*[v.ctypes.data for v in values])
    getattr(library(source), f"run_{name}")((ctypes.c_uint * 6)(*map(int, sizes)), pointers)
