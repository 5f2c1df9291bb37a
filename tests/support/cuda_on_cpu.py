"""The CUDA source of the kernels, compiled by g++ and run on the CPU: how they compute where there is no GPU.

`launch` takes what kernels/cupy_launch.py's takes, on `StrictArray`s. Each thread of a block is a coroutine; at a
`__syncthreads` it waits for the block's others, at a shuffle for its warp's. Where not all of them come, the process
ends with a message. With an `order` other than 0, blocks and threads take turns in another order: a result that depends
on it is a race.
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

from minidl import backend
from minidl.kernels import cupy_masks, cupy_narrow, cupy_nn

COMPILER = shutil.which("g++")
_OPTIONS = ["-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-w"]
_FOLDER = tempfile.TemporaryDirectory(prefix="cuda_on_cpu")
atexit.register(_FOLDER.cleanup)

_PRELUDE = r"""
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
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
enum { READY, AT_BARRIER, AT_SHUFFLE, DONE };
static int state[1024];
static unsigned current;
static void (*body)(void**);
static void** arguments;
static void wait_at(int where) { state[current] = where; swapcontext(&thread[current], &scheduler); }
static void __syncthreads() { wait_at(AT_BARRIER); }
template <class T> T __shfl_xor_sync(unsigned, T value, int lanes)
{
    static T slots[1024];
    slots[current] = value;
    wait_at(AT_SHUFFLE);
    T other = slots[current ^ lanes];
    wait_at(AT_SHUFFLE);
    return other;
}
// Lets the threads from `first` to `last` go on if all that are not done wait there.
static bool released(unsigned first, unsigned last, int where)
{
    bool any = false;
    for (unsigned t = first; t < last; t++) {
        if (state[t] == where) any = true;
        else if (state[t] != DONE) return false;
    }
    if (any) for (unsigned t = first; t < last; t++) if (state[t] == where) state[t] = READY;
    return any;
}
template <class... A, size_t... I> void call(void (*kernel)(A...), void** args, index_sequence<I...>)
{
    kernel(*(A*)args[I]...);
}
template <class... A> void call(void (*kernel)(A...), void** args) { call(kernel, args, index_sequence_for<A...>()); }
static void start() { body(arguments); state[current] = DONE; }
static unsigned turn(unsigned k, unsigned count, unsigned order)
{
    unsigned stride = 2 * order + 1;  // each number once, if they have no divisor in common
    while (gcd(stride, count) > 1) stride += 2;
    return (unsigned)(((unsigned long long)k * stride + order * 7) % count);
}
static void run(const unsigned* sizes, unsigned order, void** args)
{
    gridDim = {sizes[0], sizes[1], sizes[2]}; blockDim = {sizes[3], sizes[4], sizes[5]}; arguments = args;
    unsigned count = blockDim.x * blockDim.y, blocks = gridDim.x * gridDim.y;
    for (unsigned k = 0; k < blocks; k++) {
        unsigned b = turn(k, blocks, order);
        blockIdx = {b % gridDim.x, b / gridDim.x, 0};
        for (unsigned t = 0; t < count; t++) {
            state[t] = READY;
            getcontext(&thread[t]);
            thread[t].uc_stack.ss_sp = stack[t]; thread[t].uc_stack.ss_size = STACK; thread[t].uc_link = &scheduler;
            makecontext(&thread[t], start, 0);
        }
        for (unsigned left = count; left > 0;) {
            unsigned before = left;
            bool moved = false;
            for (unsigned i = 0; i < count; i++) {
                unsigned t = turn(i, count, order);
                if (state[t] != READY) continue;
                current = t; threadIdx = {t % blockDim.x, t / blockDim.x, 0};
                swapcontext(&scheduler, &thread[t]);
                left -= state[t] == DONE;
                moved = true;
            }
            for (unsigned w = 0; w < count; w += 32)
                moved |= released(w, w + 32 < count ? w + 32 : count, AT_SHUFFLE);
            moved |= released(0, count, AT_BARRIER);
            if (!moved && left == before) { fprintf(stderr, "threads of one block wait in different places\n"); abort(); }
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
        f'extern "C" void run_{n}(const unsigned* sizes, unsigned order, void** args)'
        f"{{ body = [](void** a) {{ call({n}, a); }}; run(sizes, order, args); }}\n"
        for n in names
    )
    stem = Path(_FOLDER.name) / hashlib.sha256(source.encode()).hexdigest()[:16]
    stem.with_suffix(".cpp").write_text(source.replace('extern "C" __global__', "__global__") + entries)
    command = [COMPILER, *_OPTIONS, "-shared", "-include", _prelude(), "-o", f"{stem}.so", f"{stem}.cpp"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(f"{stem}.so")


def launch(source, name, blocks, threads, *args, order=0):
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
    getattr(library(source), f"run_{name}")((ctypes.c_uint * 6)(*map(int, sizes)), order, pointers)


def serve(monkeypatch, launcher=launch):
    """Let minidl's kernels for CuPy, and the rules', be launched so, on the stand-in for CuPy."""
    for module in (cupy_nn, cupy_narrow, cupy_masks):
        monkeypatch.setattr(module, "launch", launcher)
    monkeypatch.setitem(backend.registry, ("launch", "strict"), launcher)
    monkeypatch.setitem(backend.registry, ("dropout mask", "strict"), cupy_masks.mask)
