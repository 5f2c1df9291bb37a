"""The ranks of a training, and what they send one another: sums, texts, errors."""

import atexit
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .. import errors
from ..nn._shared_batch import Direct, Slices
from .board import BOARD, CALLS, FIRST, LEFT, PID, SAVED, STEP, WAITING, new_board, open_board, write_remedy
from .direct import Function, all_reduce, handles
from .node import NodeVector
from .watch import CERTAIN, Watch

TOGETHER = 5.0  # seconds within which an error has come up in all ranks, if it is not one rank's alone
HANGS = 75  # the exit status: EX_TEMPFAIL, "try again"


class Alone:
    """The communicator of a process that nobody has launched together with others."""

    rank, size = 0, 1

    def __repr__(self) -> str:
        return "<one process>"


class Communicator:
    """The ranks that were launched together: `rank` is this one's number, from 0, and `size` how many there are.

    All ranks call the same methods in the same order.
    """

    def __init__(self, mpi: Any, deadline: float) -> None:
        world = mpi.COMM_WORLD
        self.rank, self.size, self.host = world.rank, world.size, mpi.Get_processor_name()
        self._mpi, self._world, self._leaving = mpi, world.Dup(), world.Dup()
        self._vectors: dict[int, NodeVector] = {}  # by their addresses
        self._function: Function | None = None  # what machine code adds up by
        node = world.Split_type(mpi.COMM_TYPE_SHARED)
        self.here = node.size  # ranks on this machine
        self.board = _shared_board(node, self.size)
        self._mine = self.board[self.rank]
        self._mine[PID] = os.getpid()
        self._saved, self._remedy, self._guarded = 0, "", False
        self._in_common: BaseException | None = None  # an error that all ranks have met
        self._watch = Watch(self.board, self.rank, deadline, self._end)
        self._stderr = os.dup(2)  # which may be muted
        atexit.register(self._left)
        self._hook, sys.excepthook = sys.excepthook, self._uncaught

    def __repr__(self) -> str:
        return f"<rank {self.rank} of {self.size}>"

    # Messages

    def sum_(self, vector: np.ndarray) -> None:
        """Replace a contiguous `vector` by the sum of all ranks' vectors, the same bits in each."""
        node = self._vectors.get(vector.ctypes.data)
        if node is None:
            self._call(self._world.Allreduce, self._mpi.IN_PLACE, vector)
            return
        self._call(self._world.Allreduce, self._mpi.IN_PLACE, node.slices.meeting)
        node.add()
        self._call(self._world.Allreduce, self._mpi.IN_PLACE, node.slices.meeting)

    def vector(self, size: int, dtype: Any) -> np.ndarray | None:
        """A vector of zeros that `sum_` adds up without copying it around; None where ranks are on several machines."""
        if self.here < self.size:
            return None
        forgotten = self.maximum([int(node.own is not None) for node in self._vectors.values()])
        for place, held in zip(list(self._vectors), forgotten, strict=True):
            if not held:
                self._vectors.pop(place).free()
        node = NodeVector(self._mpi, self._world, size, dtype)
        self._vectors[node.place] = node
        return node.hand_out()

    def slices(self, vector: np.ndarray) -> Slices | None:
        """How `sum_` adds up a vector that `vector` has made; None for others."""
        node = self._vectors.get(vector.ctypes.data)
        return None if node is None else node.slices

    def direct(self) -> Direct:
        """`sum_` of float32 as machine code calls it."""
        if self._function is None:
            self._function = all_reduce(self._mpi, self._world)
        places = (self._mine[column:].ctypes.data for column in (CALLS, WAITING, STEP, FIRST))
        return Direct(self._function.address, *handles(self._mpi, self._world), *places)

    def sum(self, array: np.ndarray) -> np.ndarray:
        """The sum of all ranks' arrays."""
        total = np.array(array, order="C", subok=False)
        self.sum_(total)
        return total

    def maximum(self, numbers: Sequence[int]) -> list[int]:
        """The largest of all ranks' numbers, place by place."""
        found = np.array(numbers, np.int64)
        self._call(self._world.Allreduce, self._mpi.IN_PLACE, found, self._mpi.MAX)
        return [int(number) for number in found]

    def broadcast_(self, array: np.ndarray, root: int = 0) -> None:
        """Replace `array` by that of rank `root`."""
        whole = np.ascontiguousarray(array)
        self._call(self._world.Bcast, whole.reshape(-1).view(np.uint8), root)
        array[...] = whole

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, which are JSON's, in their order."""
        text = np.frombuffer(json.dumps(value).encode(), np.uint8)
        sizes = np.zeros(self.size, np.int64)
        self._call(self._world.Allgather, np.array([len(text)], np.int64), sizes)
        joined = np.empty(int(sizes.sum()), np.uint8)
        self._call(self._world.Allgatherv, text, [joined, sizes, None, self._mpi.BYTE])
        ends = sizes.cumsum()
        return [json.loads(joined[end - size : end].tobytes()) for size, end in zip(sizes, ends, strict=True)]

    def from_first(self, value: Any) -> Any:
        """The JSON value of rank 0."""
        return self.gather(value if self.rank == 0 else None)[0]

    def by_first(self, function: Callable[[], Any]) -> Any:
        """Let rank 0 call a function; its result there, None elsewhere. An error of minidl's is raised in all ranks."""
        result, failure = None, None
        error: errors.MinidlError | None = None
        if self.rank == 0:
            try:
                result = function()
            except errors.MinidlError as raised:
                error, failure = raised, [type(raised).__name__, str(raised)]
        failure = self.from_first(failure)
        if failure is not None:
            raise error or getattr(errors, failure[0])(failure[1])
        return result

    def path_by_first(self, make: Callable[[], Path]) -> str:
        """The path that rank 0 gets from `make`, which it alone calls."""
        return self.from_first(str(self.by_first(make)))

    def _call(self, function: Callable[..., Any], *args: Any) -> None:
        self._watch.enter()
        function(*args)
        self._watch.leave()

    # What is known of the run if it ends badly

    def note_step(self, step: int) -> None:
        """Note where this rank's training stands, before a step."""
        self._mine[STEP] = step

    def note_steps(self, first: int) -> None:
        """The same before several, which machine code may count."""
        self._mine[STEP] = self._mine[FIRST] = first

    def note_saved(self, step: int | None) -> None:
        """Note the step of the last checkpoint, if there is one."""
        self._saved = self._mine[SAVED] = 0 if step is None else step + 1

    def note_remedy(self, command: str) -> None:
        """Note the command that goes on with the run."""
        self._remedy = command
        if self.rank == 0 and BOARD in os.environ:
            write_remedy(os.environ[BOARD], self.size, command)

    # Ends

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Within the block, what one rank alone raises, `sys.exit` too, ends all of them, with a line that tells."""
        if self._guarded:
            yield
            return
        self._guarded = True
        try:
            yield
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self._guarded = False

    def _failed(self, error: BaseException) -> None:
        if error is self._in_common:
            return
        if self._all_come():
            self._in_common = error
            return
        if not isinstance(error, SystemExit | KeyboardInterrupt | errors.MinidlError):
            self._say("".join(traceback.format_exception(error)).rstrip())
        self._end([self.rank], f"ended by {_named(error)}", _status(error))

    def _all_come(self) -> bool:
        """Whether all ranks come here, instead of one of them waiting for this one elsewhere."""
        met, start, waits = self._leaving.Ibarrier(), time.monotonic(), None
        while not met.Test():
            now = time.monotonic()
            waits = (waits or now) if self._watch.someone_waits() else None
            if now - start > TOGETHER or (waits is not None and now - waits > CERTAIN):
                return False
            time.sleep(0.005)
        return True

    def _end(self, ranks: Sequence[int], what: str, status: int = 0) -> None:
        """Say what has become of these ranks, and end all of them."""
        unknown = "a rank on another host" if self.here < self.size else "a rank"
        names = f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks))}" if ranks else unknown
        saved = f"saved at step {self._saved - 1:,}" if self._saved else "nothing was saved"
        again = f"; to go on: {self._remedy}" if self._remedy else ""
        step = int(self.board[ranks[0] if ranks else self.rank, STEP])
        where = f"{names} of {self.size} ({self.host})"
        self._say(f"Error: {where}, in step {step + 1:,}: {what}; {saved}{again}")
        self._world.Abort(status or (HANGS if "deadline" in what else 1))
        os._exit(status or 1)

    def _say(self, text: str) -> None:
        os.write(self._stderr, f"{text}\n".encode())

    def _uncaught(self, kind: Any, error: Any, trace: Any) -> None:
        """What Python calls for an error that nobody has caught."""
        if error is not self._in_common:
            self._failed(error)
        if self.rank == 0:
            self._hook(kind, error, trace)

    def _left(self) -> None:
        self._mine[LEFT] = 1


def _shared_board(node: Any, size: int) -> np.ndarray:
    """The board of this machine's ranks, whose communicator is `node`; `size`: of all machines' ranks."""
    if BOARD in os.environ:
        return open_board(os.environ[BOARD], size)
    path = node.bcast(str(new_board(size)) if node.rank == 0 else None)
    board = open_board(path, size)
    node.Barrier()
    if node.rank == 0:
        Path(path).unlink()
    return board


def _named(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r})"
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _status(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) and error.code else 1
    return 130 if isinstance(error, KeyboardInterrupt) else 1
