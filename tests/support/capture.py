"""A GPU's streams, memory and graphs where there is none, on the strict stand-in for CuPy.

What is launched while a stream captures is not executed, but at each launch of the graph, in any order that the streams
and their events allow: `Device.choose` picks one. What CUDA or CuPy refuses in a capture is refused. Memory that is
freed is given to the next array of its size on the same stream, as CuPy's pool does.
"""

import ctypes
import weakref
from collections import defaultdict

import numpy as np
import strict
from strict import StrictArray

from minidl.kernels import cupy_gemm

WAITS = "get", "item", "tolist"  # methods for which the CPU waits
COPIES = "asarray", "array"  # which take pageable memory, if it is NumPy's
REFUSED = "matmul", "dot", "vdot", "einsum"  # cuBLAS: CuPy refuses it
NEW = "empty", "empty_like"
OPERATORS = "add sub mul truediv pow radd rsub rmul rtruediv neg eq ne lt le gt ge".split()


class Device:
    """Its streams, and the graph that is being captured, if any."""

    def __init__(self):
        self.graph = None
        self.choose = min  # of the numbers of the operations that may come next
        self.free = defaultdict(list)  # memory by stream and size
        self.current = Stream.of(self)

    def do(self, run):
        """Execute or capture an operation; `run` must hold no array of the step's own, or nothing would be freed."""
        if self.graph is None:
            run()
        else:
            self.graph.add(self.current, run)

    def empty(self, shape, dtype=float):
        """An array in memory of the current stream, which holds what was there before."""
        dtype = np.dtype(dtype)
        size = max(1, int(np.prod(shape)) * dtype.itemsize)
        free = self.free[self.current, size]
        memory = free.pop() if free else np.zeros(size, np.uint8)
        block = _Block(memory)
        weakref.finalize(block, free.append, memory)
        return StrictArray(np.asarray(block)[: int(np.prod(shape)) * dtype.itemsize].view(dtype).reshape(shape))


class _Block:
    """Memory, as long as an array or a view of one is in it."""

    def __init__(self, memory):
        self.__array_interface__ = memory.__array_interface__


class Graph:
    """Operations, each with the numbers of those that it waits for."""

    def __init__(self, device, stream):
        self.device, self.operations, self.last = device, [], {stream: set()}

    def add(self, stream, run):
        if stream not in self.last:
            raise RuntimeError("a launch on a stream that does not take part in the capture")
        self.operations.append((run, self.last[stream]))
        self.last[stream] = {len(self.operations) - 1}

    def launch(self):
        waiting = dict(enumerate(self.operations))
        while waiting:
            ready = [n for n, (_, after) in waiting.items() if not after & waiting.keys()]
            waiting.pop(self.device.choose(ready))[0]()


class Stream:
    """A stream of `device`."""

    device = None

    def __init__(self, non_blocking=True):
        self._before = []

    @classmethod
    def of(cls, device):
        cls.device = device
        return cls()

    def __enter__(self):
        self._before.append(self.device.current)
        self.device.current = self

    def __exit__(self, *error):
        self.device.current = self._before.pop()

    def record(self):
        graph = self.device.graph
        return None if graph is None else set(graph.last[self])

    def wait_event(self, event):
        graph = self.device.graph
        if graph is not None:
            if event is None:
                raise RuntimeError("an event from outside of the capture")
            graph.last[self] = graph.last.get(self, set()) | event

    def begin_capture(self):
        self.device.graph = Graph(self.device, self)
        self._began = self.device.graph

    def end_capture(self):
        graph, self.device.graph = self.device.graph, None
        joined, reached = set(), set(graph.last[self])
        while reached:
            joined.add(n := reached.pop())
            reached |= graph.operations[n][1]
        if len(joined) < len(graph.operations):
            raise RuntimeError("a stream that has joined the capture has not come back")
        return graph


class Products(cupy_gemm.Products):
    """minidl's products and streams, but for cuBLAS."""

    def __init__(self, stream, other):
        self._streams = stream, other
        self._now, self._waiting, self._beside = 0, [], False

    def matmul(self, a, b, out=None):
        device = self._streams[0].device
        out = device.empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out
        x, y, result = map(alias, (a, b, out))
        device.do(lambda: np.matmul(x, y, out=result))
        return out


def alias(array):
    """The same memory as an array that does not keep it."""
    a = array._array
    if not a.size:
        return a.copy()
    low, high = np.lib.array_utils.byte_bounds(a)
    memory = np.ctypeslib.as_array((ctypes.c_uint8 * (high - low)).from_address(low))
    return np.ndarray(a.shape, a.dtype, memory, a.ctypes.data - low, a.strides)


def installed(monkeypatch, device, launch):
    """Let the stand-in's functions and operators, and `launch`, work on `device`; returns what launches kernels there."""

    def captured(name, call, inputs):
        """Of a function that was called while a stream captures: its result, which is there at each launch."""
        from_cpu = name in COPIES and not isinstance(inputs[0], StrictArray)
        if from_cpu or name in REFUSED or name in WAITS:
            raise RuntimeError(f"{name}: refused while a stream captures")
        found = call()
        arrays = [i for i in inputs if isinstance(i, StrictArray)]
        if name in NEW or any(np.may_share_memory(found._array, a._array) for a in arrays):
            return found
        out = device.empty(found.shape, found.dtype)
        result, held = alias(out), [alias(i) if isinstance(i, StrictArray) else i for i in inputs]
        function = getattr(np.ndarray if name.startswith("__") else np, name)
        device.do(lambda: np.copyto(result, function(*held)))
        return out

    def function(self, *args, **options):
        name = self.__name__
        if name == "empty":
            return device.empty(*args, **options)
        if name == "empty_like":
            return device.empty(args[0].shape, args[0].dtype)
        if device.graph is None:
            return called(self, *args, **options)
        return captured(name, lambda: called(self, *args, **options), args)

    def method(name, call):
        def operate(self, *args, **options):
            if device.graph is None:
                return call(self, *args, **options)
            return captured(name, lambda: call(self, *args, **options), (self, *args))

        return operate

    def launch_there(source, name, blocks, threads, *args):
        held = [StrictArray(alias(a)) if isinstance(a, StrictArray) else a for a in args]
        device.do(lambda: launch(source, name, blocks, threads, *held))

    called = strict._Function.__call__
    monkeypatch.setattr(strict._Function, "__call__", function)
    for name in (*(f"__{n}__" for n in OPERATORS), *WAITS):
        monkeypatch.setattr(StrictArray, name, method(name, getattr(StrictArray, name)))
    return launch_there
